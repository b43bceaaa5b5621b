//! The `monitoring` interface over [`Monitor`].

use crate::Timestamp;
use crate::batch::{EventBatch, SampleBatch};
use crate::bindings::imports::types;
use crate::bindings::monitoring::exports::bridge::telemetry::monitoring::{self as wit, Guest};
use crate::guest::{Exported, with};
use crate::monitor::{Monitor, Signal};

impl<E: Exported> Guest for E
where
    E::Plugin: Monitor,
{
    fn subscribe() -> types::Subscription {
        with::<E, _>(|plugin| Ok(plugin.subscribe())).unwrap_or_default().into()
    }

    fn on_events(batch: types::EventBatch) -> Result<Vec<wit::Signal>, types::PluginError> {
        let batch = EventBatch::try_from(batch)?;
        Ok(signals(with::<E, _>(|plugin| plugin.on_events(&batch))?))
    }

    fn on_samples(batch: types::SampleBatch) -> Result<Vec<wit::Signal>, types::PluginError> {
        let batch = SampleBatch::try_from(batch)?;
        Ok(signals(with::<E, _>(|plugin| plugin.on_samples(&batch))?))
    }

    fn tick(now: Timestamp) -> Result<Vec<wit::Signal>, types::PluginError> {
        Ok(signals(with::<E, _>(|plugin| plugin.tick(now))?))
    }
}

fn signals(signals: Vec<Signal>) -> Vec<wit::Signal> {
    let signals = signals.into_iter().map(|signal| {
        let labels = signal.labels.into_iter().map(|(name, value)| types::Label { name, value });
        wit::Signal {
            key: signal.key,
            firing: signal.firing,
            severity: signal.severity.into(),
            summary: signal.summary,
            value: signal.value,
            timestamp: signal.timestamp,
            labels: labels.collect(),
        }
    });
    signals.collect()
}
