//! What a plugin wants to see.

use std::time::Duration;

use crate::bindings::imports::types;

/// What a validator or monitor wants to see. The host filters, so a narrow subscription costs nothing for all other records.
///
/// ```
/// use std::time::Duration;
/// use bridge_telemetry_plugin::Subscription;
///
/// let commands = Subscription::none().event_types(["COMMAND_*"]).tick(Duration::from_secs(10));
/// let everything = Subscription::none().all_events().all_metrics();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Event types; a trailing `*` matches a prefix; empty: all. `None`: no events.
    pub event_types: Option<Vec<String>>,
    /// Event sources, narrowing the events further; a trailing `*` matches a prefix. `None`: any source.
    pub sources: Option<Vec<String>>,
    /// Metric names; a trailing `*` matches a prefix; empty: all. `None`: no samples.
    pub metrics: Option<Vec<String>>,
    /// How often a monitor's `tick` is called. `None`: never.
    pub tick: Option<Duration>,
}

impl Subscription {
    /// Nothing; a start to add to.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds every event.
    #[must_use]
    pub fn all_events(mut self) -> Self {
        self.event_types = Some(Vec::new());
        self
    }

    /// Adds events of these types; a trailing `*` matches a prefix.
    #[must_use]
    pub fn event_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.event_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Narrows the events to these sources; a trailing `*` matches a prefix.
    #[must_use]
    pub fn sources<T: Into<String>>(mut self, sources: impl IntoIterator<Item = T>) -> Self {
        self.sources = Some(sources.into_iter().map(Into::into).collect());
        self
    }

    /// Adds samples of every metric.
    #[must_use]
    pub fn all_metrics(mut self) -> Self {
        self.metrics = Some(Vec::new());
        self
    }

    /// Adds samples of these metrics; a trailing `*` matches a prefix.
    #[must_use]
    pub fn metrics<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.metrics = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Asks for ticks.
    #[must_use]
    pub fn tick(mut self, every: Duration) -> Self {
        self.tick = Some(every);
        self
    }
}

impl From<Subscription> for types::Subscription {
    fn from(subscription: Subscription) -> Self {
        Self {
            event_types: subscription.event_types,
            sources: subscription.sources,
            metrics: subscription.metrics,
            tick_milliseconds: subscription.tick.map(crate::milliseconds),
        }
    }
}
