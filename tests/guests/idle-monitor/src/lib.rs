//! A monitor that looks at all samples and does nothing with them: what its calls take is the crossing.

use bridge_telemetry_plugin::{
    Monitor, NoConfig, Plugin, Result, SampleBatch, Signal, Subscription, export_monitor,
};

struct Idle;

impl Plugin for Idle {
    const NAME: &'static str = "idle-monitor";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Monitor for Idle {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_metrics()
    }

    fn on_samples(&mut self, _batch: &SampleBatch) -> Result<Vec<Signal>> {
        Ok(Vec::new())
    }
}

export_monitor!(Idle);
