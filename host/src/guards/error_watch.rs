//! A fault of the host's own that keeps coming asks for a restart (spec §2).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::{Clock, ErrorCode, limits};

/// Counts the host's own faults by code. [`limits::REPEATED_ERRORS`] of one code within
/// [`limits::REPEATED_ERROR_PERIOD`] fire once; then that code is counted from nought. Memory is bounded: at most that
/// many instants for each of the contract's codes.
#[derive(Debug)]
pub struct ErrorWatch {
    clock: Arc<dyn Clock>,
    seen: Mutex<HashMap<ErrorCode, VecDeque<Duration>>>,
}

impl ErrorWatch {
    /// A watch that has seen nothing.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, seen: Mutex::new(HashMap::new()) }
    }

    /// Sees an error of grade ERROR or FATAL; true when a restart should be asked for now. Codes that are a caller's
    /// fault never do.
    pub fn record(&self, code: ErrorCode) -> bool {
        if !code.is_host_fault() {
            return false;
        }
        let mut seen = self.seen.lock();
        let now = self.clock.monotonic();
        let instants = seen.entry(code).or_default();
        instants.retain(|earlier| now.saturating_sub(*earlier) <= limits::REPEATED_ERROR_PERIOD);
        instants.push_back(now);
        let fires = instants.len() >= limits::REPEATED_ERRORS;
        if fires {
            instants.clear();
        }
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::{ManualClock, Timestamp};

    fn watch() -> (ErrorWatch, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        (ErrorWatch::new(clock.clone()), clock)
    }

    #[test]
    fn the_third_within_ten_minutes_fires_once() {
        let (watch, clock) = watch();
        let minutes = |n: u64| clock.advance(Duration::from_secs(60 * n));
        let record = || watch.record(ErrorCode::StorageFailure);
        assert!(!record());
        minutes(5);
        assert!(!record());
        minutes(5);
        assert!(record());
        // Counted from nought.
        assert!(!record());
        assert!(!record());
        assert!(record());
    }

    #[test]
    fn old_errors_do_not_count() {
        let (watch, clock) = watch();
        for _ in 0..20 {
            assert!(!watch.record(ErrorCode::StorageFailure));
            clock.advance(Duration::from_secs(301));
        }
    }

    #[test]
    fn codes_are_counted_apart_and_callers_never() {
        let (watch, _) = watch();
        assert!(!watch.record(ErrorCode::StorageFailure));
        assert!(!watch.record(ErrorCode::PluginFailure));
        assert!(!watch.record(ErrorCode::StorageFailure));
        assert!(!watch.record(ErrorCode::PluginFailure));
        for code in ErrorCode::ALL.into_iter().filter(|code| code.http_status() < 500) {
            assert!((0..10).all(|_| !watch.record(code)), "{code}");
        }
        assert!(watch.record(ErrorCode::PluginFailure));
    }
}
