//! Recording with durability `process` and no plugin, against one JSON row per record in bare RocksDB.

use bridge_telemetry::{Config, Host};
use serde_json::{Value, json};
use telemetry_core::{Context, EventDraft, JsonObject, MetricDraft};

use crate::Scale;
use crate::measure::Runs;
use crate::peer::JsonRows;
use crate::table::Report;

/// A host on a fresh directory, without plugins.
pub(crate) fn plain_host(directory: &std::path::Path) -> anyhow::Result<Host> {
    let mut config = Config::default();
    config.storage_config.connection_string = directory.join("store");
    config.loops.exempt_event_types = vec!["*".to_owned()];
    Ok(Host::open(config)?)
}

/// The event that is measured: a completed command as the bridge's Injector records it.
pub(crate) fn event(number: usize) -> EventDraft {
    let data = json!({"command_type": "INJECT_TASK", "command_id": number, "status": "SUCCESS", "processing_time_ms": 42.5});
    let data = data.as_object().map(JsonObject::from).unwrap_or_default();
    EventDraft::new("COMMAND_COMPLETED", "bridge_injector").with_data(data)
}

fn contexts() -> Vec<Context> {
    let host = |n: usize| format!("host-{n}");
    (0..100)
        .map(|n| Context::from_labels([("command_type", "INJECT_TASK"), ("host", host(n).as_str())]))
        .collect()
}

fn sample(contexts: &[Context], number: usize) -> MetricDraft {
    let context = contexts.get(number % contexts.len()).cloned().unwrap_or_default();
    MetricDraft::new("command_processing_time_ms", (number % 1000) as f64 / 4.0).with_context(context)
}

fn sample_row(number: usize) -> Value {
    json!({"event_type": "METRIC", "source": "metrics_collector", "data": {
        "metric_name": "command_processing_time_ms", "metric_value": (number % 1000) as f64 / 4.0,
        "context": {"command_type": "INJECT_TASK", "host": format!("host-{}", number % 100)}}})
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = plain_host(folder.path())?;
    let mut rows = JsonRows::open(&folder.path().join("rows"))?;
    let contexts = contexts();
    let (singles, batched) = (scale.records(200_000), scale.records(2_000_000));

    let ours = Runs::of(scale.repeat(), singles, || {
        (0..singles).try_for_each(|number| host.record_metric(sample(&contexts, number)).map(drop))?;
        Ok(())
    })?;
    let theirs = Runs::of(scale.repeat(), singles, || {
        (0..singles).try_for_each(|number| rows.put(number as i64, &sample_row(number)))
    })?;
    let alternative = "JSON row in bare RocksDB";
    report.rate("record_metric, one thread", &ours, "≥ 100 k/s", Some((alternative, &theirs)));

    let ours = Runs::of(scale.repeat(), singles, || {
        (0..singles).try_for_each(|number| host.record_event(event(number)).map(drop))?;
        Ok(())
    })?;
    let theirs = Runs::of(scale.repeat(), singles, || {
        (0..singles).try_for_each(|number| {
            let row = event(number).to_json();
            rows.put(number as i64, &row)
        })
    })?;
    report.rate("record_event, one thread", &ours, "≥ 50 k/s", Some((alternative, &theirs)));

    let ours = Runs::of(scale.repeat(), batched, || {
        for first in (0..batched).step_by(1000) {
            let drafts = (first..first + 1000).map(|number| sample(&contexts, number)).collect();
            for outcome in host.record_metrics(drafts) {
                outcome?;
            }
        }
        Ok(())
    })?;
    let theirs = Runs::of(scale.repeat(), batched / 10, || {
        for first in (0..batched / 10).step_by(1000) {
            let batch: Vec<Value> = (first..first + 1000).map(sample_row).collect();
            rows.put_all(first as i64, &batch)?;
        }
        Ok(())
    })?;
    report.rate("record_metrics, batches of 1,000", &ours, "≥ 1 M/s", Some((alternative, &theirs)));
    Ok(())
}
