//! What a plugin is given while it is measured: records that its subscription names, always the same.

use std::sync::Arc;
use std::time::Duration;

use telemetry_core::aggregation::{Accumulator, AggregationError, AggregationSpec, SampleRun};
use telemetry_core::extension::{AlertForDelivery, Monitor, Sink, Validator};
use telemetry_core::{
    Alert, AlertStatus, EventBatch, EventRow, SampleBatch, Severity, Subscription, Timestamp,
};
use telemetry_sandbox::{Plugin, PluginKind};
use uuid::Uuid;

use super::{BenchError, rows_of};

/// Rows of a small and of a large call.
const SIZES: [usize; 2] = [1, 1_000];
/// Values of a small and of a large call of an aggregation.
const VALUES: [usize; 2] = [1, 10_000];
/// When all of it takes place: 2026-01-01.
const START: i64 = 1_767_225_600_000_000_000;
/// Series of a batch of samples.
const SERIES: usize = 10;

/// One thing that is measured.
pub(super) enum Load {
    Events(EventBatch),
    Samples(SampleBatch),
    Values { function: AggregationSpec, values: Vec<f64> },
    Alerts(Vec<AlertForDelivery>),
}

impl Load {
    /// All that a plugin can be given; `functions` are those of an aggregation that can be called, and how.
    pub(super) fn all(plugin: &Plugin, functions: Vec<AggregationSpec>) -> Vec<Self> {
        let mut loads = Vec::new();
        match plugin.info().kind {
            PluginKind::Validator => {
                if let Some(validator) = plugin.validator() {
                    loads.extend(of_subscription(validator.subscription()));
                }
            }
            PluginKind::Monitor => {
                if let Some(Ok(monitor)) = plugin.monitor(None) {
                    loads.extend(of_subscription(monitor.subscription()));
                }
            }
            PluginKind::Aggregator => {
                for function in functions {
                    loads.extend(VALUES.map(|length| Self::Values {
                        function: function.clone(),
                        values: (0..length).map(value).collect(),
                    }));
                }
            }
            PluginKind::Sink => loads.push(Self::Alerts(vec![alert()])),
        }
        loads
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Events(batch) => format!("{} events a call", batch.len()),
            Self::Samples(batch) => format!("{} samples a call", batch.len()),
            Self::Values { function, values } => format!("{function}: {} values a call", values.len()),
            Self::Alerts(alerts) => format!("{} alerts a call, without a far side", alerts.len()),
        }
    }

    /// What the figures are for.
    pub(super) fn per(&self) -> &'static str {
        match self {
            Self::Events(_) => rows_of(PluginKind::Validator),
            Self::Samples(_) => "sample",
            Self::Values { .. } => rows_of(PluginKind::Aggregator),
            Self::Alerts(_) => rows_of(PluginKind::Sink),
        }
    }

    /// How many of those one round has.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Events(batch) => batch.len(),
            Self::Samples(batch) => batch.len(),
            Self::Values { values, .. } => values.len(),
            Self::Alerts(alerts) => alerts.len(),
        }
    }

    /// What gives it to the plugin.
    pub(super) fn runner<'a>(&'a self, plugin: &Plugin) -> Result<Runner<'a>, BenchError> {
        let receiver = match self {
            Self::Values { function, .. } => Receiver::Accumulator(accumulator(plugin, function)?),
            _ => match (plugin.validator(), plugin.monitor(None), plugin.sink()) {
                (Some(validator), _, _) => Receiver::Validator(validator),
                (_, Some(monitor), _) => Receiver::Monitor(monitor?),
                (_, _, Some(sink)) => Receiver::Sink(sink),
                _ => Receiver::Nobody,
            },
        };
        Ok(Runner { load: self, receiver })
    }
}

/// An accumulator of one of the plugin's functions.
pub(super) fn accumulator(
    plugin: &Plugin,
    function: &AggregationSpec,
) -> Result<Box<dyn Accumulator>, AggregationError> {
    let source = plugin.aggregations();
    let found = source.and_then(|source| source.find(&function.name, &function.parameters));
    let unknown = || AggregationError::Unsupported { name: function.name.clone(), reason: None };
    found.ok_or_else(unknown)??.accumulator()
}

/// Who is given a load.
enum Receiver {
    Validator(Arc<dyn Validator>),
    Monitor(Box<dyn Monitor>),
    Accumulator(Box<dyn Accumulator>),
    Sink(Box<dyn Sink>),
    Nobody,
}

/// Gives a load to a plugin, again and again.
pub(super) struct Runner<'a> {
    load: &'a Load,
    receiver: Receiver,
}

impl Runner<'_> {
    pub(super) fn round(&mut self) -> Result<(), BenchError> {
        if let Load::Events(batch) = self.load {
            // A host has other events each time.
            batch.texts().forget();
        }
        match (&mut self.receiver, self.load) {
            (Receiver::Validator(validator), Load::Events(batch)) => {
                validator.validate_events(batch)?;
            }
            (Receiver::Validator(validator), Load::Samples(batch)) => {
                validator.validate_samples(batch)?;
            }
            (Receiver::Monitor(monitor), Load::Events(batch)) => {
                monitor.on_events(batch)?;
            }
            (Receiver::Monitor(monitor), Load::Samples(batch)) => {
                monitor.on_samples(batch)?;
            }
            (Receiver::Accumulator(accumulator), Load::Values { values, .. }) => {
                let times: Vec<i64> = (START..).step_by(1_000_000_000).take(values.len()).collect();
                accumulator.update(&[SampleRun { group: 0, timestamps: &times, values }])?;
            }
            (Receiver::Sink(sink), Load::Alerts(alerts)) => {
                sink.deliver(alerts, Duration::from_secs(1))?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn of_subscription(subscription: &Subscription) -> Vec<Load> {
    let mut loads = Vec::new();
    if let Some(types) = &subscription.event_types {
        let source = named(subscription.sources.as_deref().unwrap_or_default(), "bridge_injector");
        let event_type = named(types, "COMMAND_RECEIVED");
        loads.extend(SIZES.map(|rows| Load::Events(events(rows, &event_type, &source))));
    }
    if let Some(metrics) = &subscription.metrics {
        let metric = named(metrics, "command_processing_time_ms");
        loads.extend(SIZES.map(|rows| Load::Samples(samples(rows, &metric))));
    }
    loads
}

/// A name that the first of the patterns matches.
fn named(patterns: &[String], otherwise: &str) -> String {
    match patterns.first() {
        None => otherwise.to_owned(),
        Some(pattern) => match pattern.strip_suffix('*') {
            Some(prefix) => format!("{prefix}RECEIVED"),
            None => pattern.clone(),
        },
    }
}

fn events(rows: usize, event_type: &str, source: &str) -> EventBatch {
    let mut batch = EventBatch::starting_at(1);
    for row in 0..rows {
        let id = Uuid::from_u128(row as u128).to_string();
        let data = format!(
            r#"{{"command_type":"INJECT_TASK","command_id":"c-{row}","status":"SUCCESS","processing_time_ms":{}}}"#,
            value(row)
        );
        let timestamp = START + i64::try_from(row).unwrap_or(0) * 1_000_000;
        batch.push(EventRow { timestamp, id: &id, event_type, source, data: &data, extra: "{}" });
    }
    batch
}

fn samples(rows: usize, metric: &str) -> SampleBatch {
    let mut batch = SampleBatch::starting_at(1);
    let hosts = SERIES.min(rows);
    let series: Vec<u32> =
        (0..hosts).map(|host| batch.add_series(metric, &format!(r#"{{"host":"h{host}"}}"#))).collect();
    for (row, series) in (0..rows).zip(series.into_iter().cycle()) {
        batch.push(series, START + i64::try_from(row).unwrap_or(0) * 1_000_000, value(row));
    }
    batch
}

/// Values like latencies: mostly small, some large, no two neighbours the same.
fn value(row: usize) -> f64 {
    let spread = (row.wrapping_mul(7919) % 1000) as u32;
    0.5 + f64::from(spread) * 0.25 + if spread.is_multiple_of(100) { 900.0 } else { 0.0 }
}

fn alert() -> AlertForDelivery {
    let now = Timestamp::from_nanos(START);
    let alert = Alert {
        alert_id: Uuid::from_u128(1),
        monitor: "threshold".to_owned(),
        key: "cpu".to_owned(),
        status: AlertStatus::Firing,
        severity: Severity::Warning,
        summary: "cpu is 99".to_owned(),
        value: Some(99.0),
        labels: [("host".to_owned(), "a".to_owned())].into(),
        first_seen: now,
        last_seen: now,
        resolved_at: None,
        times_seen: 1,
    };
    AlertForDelivery { alert, idempotency_key: "1".to_owned(), attempt: 1 }
}
