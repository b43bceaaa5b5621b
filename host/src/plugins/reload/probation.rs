//! Versions that took another's place lately, and those that would take it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::extension::SavedState;
use telemetry_core::limits::{
    MAX_ROLLBACK_PAUSE, MAX_ROLLBACK_TRIES, MIN_ROLLBACK_PAUSE, RELOAD_FAILURES, RELOAD_PROBATION,
};
use telemetry_sandbox::{Plugin, PluginState};

use crate::alerts::Backoff;
use crate::plugins::prepared::PackageReport;
use crate::plugins::source::PluginSource;

const BACKOFF: Backoff = Backoff { min: MIN_ROLLBACK_PAUSE, max: MAX_ROLLBACK_PAUSE };

/// A version that took another's place.
pub(super) struct Probation {
    pub(super) source: PluginSource,
    pub(super) current: Arc<Plugin>,
    /// The version before, kept ready.
    pub(super) previous: Arc<Plugin>,
    pub(super) previous_package: Option<PackageReport>,
    /// The state that a monitor left when it was replaced.
    pub(super) left_state: Option<SavedState>,
    until: Duration,
    tries: Tries,
}

impl Probation {
    pub(super) fn new(
        source: PluginSource,
        current: Arc<Plugin>,
        (previous, previous_package): (Arc<Plugin>, Option<PackageReport>),
        left_state: Option<SavedState>,
        now: Duration,
    ) -> Self {
        let until = now.saturating_add(RELOAD_PROBATION);
        Self { source, current, previous, previous_package, left_state, until, tries: Tries::default() }
    }
}

/// Tries to take a version back that failed for reasons that may pass.
#[derive(Debug, Default)]
struct Tries {
    failed: u32,
    /// Not before this instant of the monotonic clock.
    next: Duration,
}

impl Tries {
    fn is_due(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// Counts one; answers the pause before the next, `wait` at least, `None` after the last.
    fn failed(&mut self, now: Duration, wait: Duration) -> Option<Duration> {
        self.failed = self.failed.saturating_add(1);
        if self.failed >= MAX_ROLLBACK_TRIES {
            return None;
        }
        let pause = BACKOFF.pause(self.failed).max(wait);
        self.next = now.saturating_add(pause);
        Some(pause)
    }
}

/// All versions on probation, by name.
#[derive(Default)]
pub(super) struct Probations(BTreeMap<String, Probation>);

impl Probations {
    /// Puts a version on probation; one of the same name that was on it is not any more.
    pub(super) fn begin(&mut self, probation: Probation) {
        self.0.insert(probation.source.name.clone(), probation);
    }

    /// A plugin was stopped: nothing takes its place back.
    pub(super) fn end(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Takes out those that failed too often and are to be taken back now, and lets go those that held out.
    pub(super) fn failed(&mut self, now: Duration) -> Vec<Probation> {
        let failed = |_: &String, probation: &mut Probation| {
            // Starts that take long bring it into quarantine sooner than so many failures do.
            let has_failed = || {
                probation.current.faults() >= RELOAD_FAILURES
                    || matches!(probation.current.status().state, PluginState::Quarantined { .. })
            };
            probation.tries.is_due(now) && has_failed()
        };
        let failed: Vec<Probation> = self.0.extract_if(.., failed).map(|(_, probation)| probation).collect();
        // One that could not be taken back yet did not hold out.
        self.0.retain(|_, probation| now < probation.until || probation.tries.failed > 0);
        failed
    }

    /// Keeps one that could not be taken back for another try, which cannot succeed before `wait` is over; answers the pause before it,
    /// `None` when that was the last.
    pub(super) fn try_again(
        &mut self,
        mut probation: Probation,
        now: Duration,
        wait: Duration,
    ) -> Option<Duration> {
        let pause = probation.tries.failed(now, wait)?;
        self.begin(probation);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_have_growing_pauses_and_an_end() {
        let (mut tries, mut now, mut pauses) = (Tries::default(), Duration::from_secs(7), Vec::new());
        assert!(tries.is_due(Duration::ZERO), "the first does not wait");
        while let Some(pause) = tries.failed(now, Duration::ZERO) {
            assert!(!tries.is_due(now) && tries.is_due(now + pause));
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses.len() + 1, usize::try_from(MAX_ROLLBACK_TRIES).unwrap());
        assert_eq!((pauses.first(), pauses.last()), (Some(&MIN_ROLLBACK_PAUSE), Some(&MAX_ROLLBACK_PAUSE)));
        assert!(pauses.is_sorted());
        assert_eq!(tries.failed(now, Duration::ZERO), None, "no more after the last");
    }

    #[test]
    fn a_try_that_cannot_succeed_is_not_made() {
        let (mut tries, now) = (Tries::default(), Duration::from_secs(7));
        let wait = MAX_ROLLBACK_PAUSE * 10;
        assert_eq!(tries.failed(now, wait), Some(wait));
        assert!(!tries.is_due(now + MAX_ROLLBACK_PAUSE) && tries.is_due(now + wait));
        assert_eq!(tries.failed(now, MIN_ROLLBACK_PAUSE), Some(MIN_ROLLBACK_PAUSE * 2), "they grow");
    }
}
