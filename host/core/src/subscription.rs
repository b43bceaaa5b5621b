//! What a plugin wants to see.

use std::time::Duration;

/// A plugin's subscription. `None` means nothing of that class, an empty list everything of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Event types; a trailing `*` matches a prefix.
    pub event_types: Option<Vec<String>>,
    /// Event sources; narrows the events further. `None` here means any source.
    pub sources: Option<Vec<String>>,
    /// Metric names; a trailing `*` matches a prefix.
    pub metrics: Option<Vec<String>>,
    /// How often `tick` is called; never when absent.
    pub tick: Option<Duration>,
}

impl Subscription {
    /// Whether any event is wanted.
    pub fn wants_events(&self) -> bool {
        self.event_types.is_some()
    }

    /// Whether any sample is wanted.
    pub fn wants_samples(&self) -> bool {
        self.metrics.is_some()
    }

    /// Whether an event of this type and source is wanted.
    pub fn wants_event(&self, event_type: &str, source: &str) -> bool {
        self.event_types.as_deref().is_some_and(|patterns| matches_any(patterns, event_type))
            && self.sources.as_deref().is_none_or(|patterns| matches_any(patterns, source))
    }

    /// Whether samples of this metric are wanted.
    pub fn wants_metric(&self, name: &str) -> bool {
        self.metrics.as_deref().is_some_and(|patterns| matches_any(patterns, name))
    }
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.is_empty()
        || patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == name,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        let subscription = Subscription {
            event_types: list(&["COMMAND_*", "ERROR"]),
            sources: list(&["bridge_injector"]),
            metrics: list(&[]),
            tick: None,
        };
        assert!(subscription.wants_event("COMMAND_RECEIVED", "bridge_injector"));
        assert!(!subscription.wants_event("COMMAND_RECEIVED", "other"));
        assert!(!subscription.wants_event("ERRORS", "bridge_injector"));
        assert!(subscription.wants_metric("anything"));
        assert!(!Subscription::default().wants_metric("anything"));
    }
}
