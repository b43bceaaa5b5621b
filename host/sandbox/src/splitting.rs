//! Whether queries of a function are split among instances: not while its states do not get from one to another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use telemetry_core::aggregation::AggregationError;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use telemetry_core::time::saturating_nanos;

/// Until when queries of a function are not split.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// Nanoseconds of the monotonic clock.
    until: AtomicU64,
}

/// How long queries are not split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// As long as this version is loaded.
    ForGood,
    /// For a while.
    For(Duration),
}

impl Whole {
    /// Whether queries are not split now, on the monotonic clock.
    pub(crate) fn is_whole(&self, now: Duration) -> bool {
        nanos(now) < self.until.load(Ordering::Relaxed)
    }

    /// Notes that states did not get from one instance to another; how long queries are not split, where that is news.
    pub(crate) fn note(&self, error: &AggregationError, now: Duration) -> Option<Pause> {
        let (pause, until) = if is_of_the_function(error) {
            (Pause::ForGood, u64::MAX)
        } else {
            let pause = limits::UNSPLIT_PAUSE;
            (Pause::For(pause), nanos(now.saturating_add(pause)))
        };
        let before = self.until.fetch_max(until, Ordering::Relaxed);
        let is_news = before <= nanos(now) || (pause == Pause::ForGood && before != u64::MAX);
        is_news.then_some(pause)
    }
}

/// Whether an error says something of the function, and not only of one query's states or of a slow moment.
fn is_of_the_function(error: &AggregationError) -> bool {
    match error {
        AggregationError::SavedState { .. } | AggregationError::Unsupported { .. } => true,
        AggregationError::Plugin(failure) => matches!(
            failure.reason,
            FailureReason::Unsupported(_) | FailureReason::Other(_) | FailureReason::Trap(_)
        ),
        _ => false,
    }
}

fn nanos(time: Duration) -> u64 {
    saturating_nanos(time).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::extension::PluginFailure;

    fn failure(reason: FailureReason) -> AggregationError {
        PluginFailure { plugin: "few".to_owned(), reason }.into()
    }

    #[test]
    fn what_may_pass_ends_splitting_for_a_while() {
        let (whole, pause) = (Whole::default(), limits::UNSPLIT_PAUSE);
        let slow = failure(FailureReason::Deadline(Duration::from_millis(500)));
        assert!(!whole.is_whole(Duration::ZERO));
        assert_eq!(whole.note(&slow, Duration::ZERO), Some(Pause::For(pause)));
        assert_eq!(whole.note(&slow, Duration::ZERO), None, "several threads tell the same");
        assert!(whole.is_whole(pause - Duration::from_nanos(1)) && !whole.is_whole(pause));
        assert_eq!(whole.note(&slow, pause), Some(Pause::For(pause)));
    }

    #[test]
    fn what_the_function_is_ends_it_for_good() {
        let saved = AggregationError::SavedState { name: String::new(), reason: String::new() };
        let said = |reason: fn(String) -> FailureReason| failure(reason(String::new()));
        let reasons =
            [saved, said(FailureReason::Trap), said(FailureReason::Other), said(FailureReason::Unsupported)];
        for error in reasons {
            let whole = Whole::default();
            let large = failure(FailureReason::Output("17 MiB".to_owned()));
            assert_eq!(whole.note(&large, Duration::ZERO), Some(Pause::For(limits::UNSPLIT_PAUSE)));
            assert_eq!(whole.note(&error, Duration::ZERO), Some(Pause::ForGood), "{error}");
            assert_eq!(whole.note(&error, Duration::ZERO), None, "{error}");
            assert_eq!(whole.note(&large, Duration::from_secs(1)), None, "{error}");
            assert!(whole.is_whole(Duration::from_secs(1 << 30)), "{error}");
        }
    }
}
