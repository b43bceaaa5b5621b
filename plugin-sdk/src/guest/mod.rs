//! Adapters from the generated bindings to the SDK's traits. Used by the `export_…!` macros only.
//!
//! The host makes one instance per component instance, and calls never overlap: the plugin lives in a thread-local slot, and a
//! call that finds it missing or in use is answered with an error.

mod aggregation;
mod delivery;
mod lifecycle;
mod monitoring;
mod validation;

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::error::{PluginError, Result};
use crate::plugin::Plugin;

/// Where the plugin lives.
pub type Slot<P> = RefCell<Option<P>>;

/// What the `export_…!` macros generate: the exported plugin and where it lives.
pub trait Exported: 'static {
    /// The author's type.
    type Plugin: Plugin;
    /// The version in the author's `Cargo.toml`.
    const VERSION: &'static str;
    /// The description in the author's `Cargo.toml`.
    const DESCRIPTION: &'static str;
    /// The slot.
    fn slot() -> &'static LocalKey<Slot<Self::Plugin>>;
}

/// Calls the plugin.
fn with<E: Exported, T>(call: impl FnOnce(&mut E::Plugin) -> Result<T>) -> Result<T> {
    E::slot().with(|slot| {
        let mut slot =
            slot.try_borrow_mut().map_err(|_| PluginError::other("called while a call is under way"))?;
        call(slot.as_mut().ok_or_else(|| PluginError::other("called before init"))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::imports::types;
    use crate::bindings::lifecycle::exports::bridge::telemetry::lifecycle::Guest as Lifecycle;
    use crate::bindings::monitoring::exports::bridge::telemetry::monitoring::Guest as Monitoring;
    use crate::{Monitor, SampleBatch, SavedState, Signal, Subscription, Timestamp};

    /// Remembers the last tick.
    struct Last(Timestamp);

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        /// Where it starts.
        start: Timestamp,
    }

    impl Plugin for Last {
        const NAME: &'static str = "last";
        type Config = Config;
        fn new(config: Config) -> Result<Self> {
            Ok(Self(config.start))
        }
        fn save(&self) -> Result<Option<SavedState>> {
            SavedState::new(1, &self.0).map(Some)
        }
        fn restore(&mut self, saved: SavedState) -> Result<()> {
            self.0 = saved.read_version(1)?;
            Ok(())
        }
    }

    impl Monitor for Last {
        fn subscribe(&self) -> Subscription {
            Subscription::none().all_metrics().tick(std::time::Duration::from_micros(1))
        }
        fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
            Ok(batch
                .samples()
                .map(|sample| Signal::firing("k", sample.timestamp(), "s").label("a", "\""))
                .collect())
        }
        fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>> {
            self.0 = now;
            Ok(Vec::new())
        }
    }

    struct Component;

    impl Exported for Component {
        type Plugin = Last;
        const VERSION: &'static str = "1.2.3";
        const DESCRIPTION: &'static str = "Remembers";
        fn slot() -> &'static LocalKey<Slot<Last>> {
            thread_local!(static SLOT: Slot<Last> = const { RefCell::new(None) });
            &SLOT
        }
    }

    fn samples(series_indices: Vec<u32>) -> types::SampleBatch {
        let series = types::TextColumn { bytes: b"cpu{}".to_vec(), ends: vec![3, 5] };
        let (timestamps, values) = (vec![7; series_indices.len()], vec![0.5; series_indices.len()]);
        types::SampleBatch { first_sequence: 0, series, series_indices, timestamps, values }
    }

    #[test]
    fn a_plugin_lives_from_init_to_snapshot() {
        assert!(
            matches!(Component::tick(1), Err(types::PluginError::Other(message)) if message.contains("before init"))
        );
        let wrong = Component::init("{\"start\":\"x\"}".into(), None).unwrap_err();
        assert!(matches!(wrong, types::PluginError::InvalidConfig(message) if message.contains("start")));
        Component::init("{\"start\":3}".into(), None).unwrap();
        assert!(Component::init("{\"start\":3}".into(), None).is_err(), "twice");
        Component::tick(9).unwrap();
        let state = Component::snapshot().unwrap().unwrap();
        assert_eq!(SavedState::from(state).read_version::<Timestamp>(1).unwrap(), 9);
    }

    #[test]
    fn a_state_is_restored_or_refused() {
        let old = SavedState::new(7, &1_u8).unwrap();
        assert!(matches!(
            Component::init("{\"start\":3}".into(), Some(old.into())),
            Err(types::PluginError::Unsupported(_))
        ));
        let state = SavedState::new(1, &5_i64).unwrap();
        Component::init("{\"start\":3}".into(), Some(state.clone().into())).unwrap();
        assert_eq!(Component::snapshot().unwrap().map(SavedState::from), Some(state));
    }

    #[test]
    fn batches_are_checked_and_signals_cross() {
        Component::init("{\"start\":3}".into(), None).unwrap();
        assert!(Component::on_samples(samples(vec![1])).is_err(), "no such series");
        let signals = Component::on_samples(samples(vec![0])).unwrap();
        let label = types::Label { name: "a".into(), value: "\"".into() };
        assert_eq!((signals[0].timestamp, &signals[0].labels[..]), (7, &[label][..]));
        assert_eq!(
            Component::subscribe().tick_milliseconds,
            Some(1),
            "a tick that is asked for never rounds to none"
        );
    }

    #[test]
    fn describes_itself_before_init() {
        let info = Component::describe();
        assert_eq!((&*info.name, &*info.version, &*info.description), ("last", "1.2.3", "Remembers"));
        let schema: serde_json::Value = serde_json::from_str(&info.config_schema_json).unwrap();
        assert_eq!(schema["properties"]["start"]["description"], "Where it starts.");
        assert!(serde_json::from_str::<crate::JsonObject>(&info.attributes_json).is_ok());
    }
}
