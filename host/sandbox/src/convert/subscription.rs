//! What plugins want to see.

use std::time::Duration;

use telemetry_core::Subscription;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

use super::unusable;
use crate::bindings::types;

/// Checks a subscription.
pub(crate) fn subscription(given: types::Subscription) -> Result<Subscription, FailureReason> {
    for (what, patterns) in
        [("event types", &given.event_types), ("sources", &given.sources), ("metrics", &given.metrics)]
    {
        check_patterns(what, patterns.as_deref().unwrap_or_default())?;
    }
    let tick = given.tick_milliseconds.map(|millis| Duration::from_millis(millis.into()));
    if let Some(tick) = tick.filter(|tick| *tick < limits::MIN_TICK) {
        return Err(unusable(format!(
            "it asks for a tick every {tick:?}, the shortest is {:?}",
            limits::MIN_TICK
        )));
    }
    Ok(Subscription { event_types: given.event_types, sources: given.sources, metrics: given.metrics, tick })
}

fn check_patterns(what: &str, patterns: &[String]) -> Result<(), FailureReason> {
    if patterns.len() > limits::MAX_SUBSCRIPTION_PATTERNS {
        return Err(unusable(format!(
            "it subscribes to {} {what}, the limit is {}",
            patterns.len(),
            limits::MAX_SUBSCRIPTION_PATTERNS
        )));
    }
    match patterns.iter().find(|pattern| pattern.len() > limits::MAX_NAME_BYTES) {
        None => Ok(()),
        Some(pattern) => Err(unusable(format!(
            "a pattern of its {what} has {} bytes, the limit is {}",
            pattern.len(),
            limits::MAX_NAME_BYTES
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        let given = |metrics: Option<Vec<String>>, tick| types::Subscription {
            event_types: None,
            sources: None,
            metrics,
            tick_milliseconds: tick,
        };
        assert_eq!(subscription(given(None, Some(1000))).unwrap().tick, Some(Duration::from_secs(1)));
        assert!(subscription(given(None, Some(0))).is_err());
        assert!(subscription(given(Some(vec!["x".repeat(limits::MAX_NAME_BYTES + 1)]), None)).is_err());
        assert!(
            subscription(given(Some(vec![String::new(); limits::MAX_SUBSCRIPTION_PATTERNS + 1]), None))
                .is_err()
        );
    }
}
