//! The benchmark's validator as a component: its checks stand in a crate of their own, which is compiled natively too.

use bridge_telemetry_bench_checks::{OBJECTIONS, check};
use bridge_telemetry_plugin::{
    Event, EventVerdict, NoConfig, Plugin, Result, Subscription, Validator, export_validator,
};

struct Checks;

impl Plugin for Checks {
    const NAME: &'static str = "checks";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Validator for Checks {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events()
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        let found = check(event.event_type(), event.source(), event.data_json());
        if let Some(objection) = found.and_then(|place| OBJECTIONS.get(place)) {
            verdict.reject(event, objection.code, objection.path, objection.message);
        }
        Ok(())
    }
}

export_validator!(Checks);
