//! What a plugin wants to see.

use std::time::Duration;

use crate::bindings::imports::types;

/// Matches every name.
const ALL: &str = "*";

/// What a validator or monitor wants to see. The host filters, so a narrow subscription costs nothing for all other records.
///
/// ```
/// use std::time::Duration;
/// use bridge_telemetry_plugin::Subscription;
///
/// let commands = Subscription::none().event_types(["COMMAND_*"]).tick(Duration::from_secs(10));
/// let everything = Subscription::none().all_events().all_metrics();
///
/// // A list that a configuration leaves empty asks for nothing.
/// assert_eq!(Subscription::none().event_types(Vec::<String>::new()), Subscription::none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Event types; a trailing `*` matches a prefix, and `*` alone all. None of them: no events.
    pub event_types: Vec<String>,
    /// Event sources, narrowing the events further; a trailing `*` matches a prefix. `None`: any source.
    pub sources: Option<Vec<String>>,
    /// Metric names; a trailing `*` matches a prefix, and `*` alone all. None of them: no samples.
    pub metrics: Vec<String>,
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
    pub fn all_events(self) -> Self {
        self.event_types([ALL])
    }

    /// Adds events of these types; a trailing `*` matches a prefix. No types, no events.
    #[must_use]
    pub fn event_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.event_types.extend(types.into_iter().map(Into::into));
        self
    }

    /// Narrows the events to these sources; a trailing `*` matches a prefix. No sources, no events.
    #[must_use]
    pub fn sources<T: Into<String>>(mut self, sources: impl IntoIterator<Item = T>) -> Self {
        self.sources = Some(sources.into_iter().map(Into::into).collect());
        self
    }

    /// Adds samples of every metric.
    #[must_use]
    pub fn all_metrics(self) -> Self {
        self.metrics([ALL])
    }

    /// Adds samples of these metrics; a trailing `*` matches a prefix. No names, no samples.
    #[must_use]
    pub fn metrics<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.metrics.extend(names.into_iter().map(Into::into));
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
        let Subscription { event_types, sources, metrics, tick } = subscription;
        let has_no_source = sources.as_ref().is_some_and(Vec::is_empty);
        Self {
            event_types: named(event_types).filter(|_| !has_no_source),
            sources: sources.and_then(named),
            metrics: named(metrics),
            tick_milliseconds: tick.map(crate::milliseconds),
        }
    }
}

/// Names as the contract has them: there an empty list is all of them.
fn named(names: Vec<String>) -> Option<Vec<String>> {
    if names.is_empty() {
        return None;
    }
    let all = names.iter().any(|name| name == ALL);
    Some(if all { Vec::new() } else { names })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_asks_for_nothing() {
        let none = Vec::<String>::new;
        let contract = |subscription: Subscription| {
            let types::Subscription { event_types, sources, metrics, .. } = subscription.into();
            (event_types, sources, metrics)
        };
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let check = |subscription, event_types, sources, metrics| {
            assert_eq!(contract(subscription), (event_types, sources, metrics));
        };
        let start = Subscription::none;
        check(start(), None, None, None);
        check(start().event_types(none()).metrics(none()), None, None, None);
        check(start().event_types(["A", "B*"]).metrics(["m"]), some(&["A", "B*"]), None, some(&["m"]));
        check(start().all_events().all_metrics(), some(&[]), None, some(&[]));
        check(start().metrics(none()).event_types(["A", "*"]), some(&[]), None, None);
        check(start().all_events().sources(["s"]), some(&[]), some(&["s"]), None);
        check(start().sources(none()).all_events().metrics(["m"]), None, None, some(&["m"]));
    }
}
