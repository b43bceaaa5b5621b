//! Tells of each new highest level of a tank, out of how many: the highest is kept in the key-value space, and a text forgets it.

use bridge_telemetry_plugin::query::{self, MetricsQuery};
use bridge_telemetry_plugin::{
    Monitor, NoConfig, Plugin, PluginError, Result, Sample, SampleBatch, Signal, Subscription,
    export_monitor, key_value,
};

struct HighWater;

impl Plugin for HighWater {
    const NAME: &'static str = "high-water";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Monitor for HighWater {
    fn subscribe(&self) -> Subscription {
        Subscription::none().metrics(["level"])
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        let signals = batch.samples().filter_map(|sample| {
            let fault =
                |error: PluginError| Some(Signal::firing("fault", sample.timestamp(), error.message()));
            finding(sample).unwrap_or_else(fault)
        });
        Ok(signals.collect())
    }
}

fn finding(sample: Sample<'_>) -> Result<Option<Signal>> {
    let context = sample.series().context_json();
    let key = format!("high:{context}");
    let Some(level) = sample.value() else {
        key_value::delete(&key)?;
        return Ok(None);
    };
    if key_value::load::<f64>(&key)?.is_some_and(|kept| level <= kept) {
        return Ok(None);
    }
    key_value::store(&key, &level)?;
    let summary = format!("the highest of {}", count_levels()?);
    Ok(Some(Signal::firing(context, sample.timestamp(), summary).value(level)))
}

/// How many levels there are.
fn count_levels() -> Result<String> {
    let answer = query::get_metrics(&MetricsQuery {
        metric_names: vec!["level".to_owned()],
        aggregation: Some("COUNT".to_owned()),
        ..MetricsQuery::default()
    })?;
    let level = answer.metrics.get("level").ok_or_else(|| PluginError::other("there is no count"))?;
    Ok(level.value.to_string())
}

export_monitor!(HighWater);
