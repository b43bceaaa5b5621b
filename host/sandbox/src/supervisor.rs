//! The supervisor decides when a plugin that failed may run again: restarts with growing waits, quarantine after
//! repeated failures, and one probe when a quarantine ends.
//!
//! Invariant: while all is well a call costs one atomic load here; time comes from the host's clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::Clock;
use telemetry_core::extension::{Door, FailureReason};
use telemetry_core::limits;

/// When failures lead to what.
#[derive(Clone, Debug)]
pub struct SupervisionPolicy {
    /// Failures within `window` that bring a plugin into quarantine.
    pub failures: u32,
    /// The window in which failures are counted.
    pub window: Duration,
    /// Restarts that a plugin has until it was healthy for `healthy_after`.
    pub restart_budget: u32,
    /// Time without a failure after which budget and quarantine times are what they were at first.
    pub healthy_after: Duration,
    /// The wait before the second restart in a row; doubles with each further one.
    pub restart_backoff: Duration,
    /// The first quarantine; doubles with each further one.
    pub quarantine: Duration,
}

impl Default for SupervisionPolicy {
    fn default() -> Self {
        Self {
            failures: limits::PLUGIN_FAILURES_TO_QUARANTINE,
            window: limits::PLUGIN_FAILURE_WINDOW,
            restart_budget: limits::PLUGIN_RESTART_BUDGET,
            healthy_after: limits::PLUGIN_HEALTHY_AFTER,
            restart_backoff: limits::PLUGIN_RESTART_BACKOFF,
            quarantine: limits::PLUGIN_QUARANTINE,
        }
    }
}

/// Where a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Active,
    Waiting(Duration),
    Quarantined(Duration),
}

/// Supervises one plugin.
#[derive(Debug)]
pub(crate) struct Supervisor {
    policy: SupervisionPolicy,
    clock: Arc<dyn Clock>,
    /// No failure since the last success, and nothing to wait for: the lock need not be taken.
    calm: AtomicBool,
    /// Shut while calls are refused until a time that is known.
    door: Arc<Door>,
    history: Mutex<History>,
}

#[derive(Debug)]
struct History {
    phase: Phase,
    /// When the failures within the window happened.
    recent: VecDeque<Duration>,
    /// Failures since the last success.
    streak: u32,
    budget: u32,
    quarantines: u32,
    /// The last failure, or the end of the quarantine that followed it: health is counted from here.
    unwell: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    Waiting {
        until: Duration,
    },
    Quarantined {
        until: Duration,
    },
    /// The quarantine is over and one call tries; the others wait for its outcome.
    Probing {
        since: Duration,
    },
}

impl Supervisor {
    pub(crate) fn new(policy: SupervisionPolicy, clock: Arc<dyn Clock>, door: Door) -> Self {
        let history = History {
            phase: Phase::Running,
            recent: VecDeque::new(),
            streak: 0,
            budget: policy.restart_budget,
            quarantines: 0,
            unwell: None,
        };
        Self {
            policy,
            clock,
            calm: AtomicBool::new(true),
            door: Arc::new(door),
            history: Mutex::new(history),
        }
    }

    /// Whether a call may be made now. `sole` says that the caller is the only one there is, so that a probe that it
    /// began goes on with its next call.
    pub(crate) fn admit(&self, sole: bool) -> Result<(), FailureReason> {
        if self.is_calm() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let mut history = self.history.lock();
        match history.phase {
            Phase::Running => Ok(()),
            Phase::Probing { .. } if sole => Ok(()),
            Phase::Probing { since } => {
                // A probe that never reported back must not keep the plugin shut for ever.
                let until = since.saturating_add(self.policy.quarantine);
                if now < until {
                    return Err(FailureReason::Quarantined { retry_in: until - now });
                }
                history.phase = Phase::Probing { since: now };
                Ok(())
            }
            Phase::Waiting { until } | Phase::Quarantined { until } if now < until => {
                Err(FailureReason::Quarantined { retry_in: until - now })
            }
            Phase::Waiting { .. } => {
                history.phase = Phase::Running;
                Ok(())
            }
            Phase::Quarantined { .. } => {
                history.phase = Phase::Probing { since: now };
                Ok(())
            }
        }
    }

    /// Shut while a call would be refused for some time.
    pub(crate) fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Whether no failure is to be recovered from.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Acquire)
    }

    /// A call was answered.
    pub(crate) fn succeeded(&self) {
        if self.is_calm() {
            return;
        }
        let mut history = self.history.lock();
        history.streak = 0;
        if let Phase::Probing { .. } = history.phase {
            history.recent.clear();
            history.phase = Phase::Running;
            history.unwell = Some(self.clock.monotonic());
        }
        if let Phase::Running = history.phase {
            self.door.open();
            self.calm.store(true, Ordering::Release);
        }
    }

    /// A call was admitted and then not made.
    pub(crate) fn abandoned(&self) {
        let mut history = self.history.lock();
        if let Phase::Probing { .. } = history.phase {
            history.phase = Phase::Quarantined { until: self.clock.monotonic() };
        }
    }

    /// An instance was lost, or could not be made, in a time in which so many calls could have failed. It counts as that many, since
    /// somebody may have waited for it; never as so many that it alone brings a plugin into quarantine.
    pub(crate) fn failed(&self, calls: u32) {
        let weight = calls.min(self.policy.failures.div_ceil(2)).max(1);
        let now = self.clock.monotonic();
        let mut history = self.history.lock();
        self.calm.store(false, Ordering::Release);
        let probing = matches!(history.phase, Phase::Probing { .. });
        let healthy = |unwell: Duration| now.saturating_sub(unwell) >= self.policy.healthy_after;
        // A quarantine is no time of health: a probe that fails has recovered from nothing.
        if !probing && history.unwell.is_some_and(healthy) {
            history.budget = self.policy.restart_budget;
            history.quarantines = 0;
        }
        history.unwell = Some(now);
        history.streak = history.streak.saturating_add(1);
        history.budget = history.budget.saturating_sub(weight);
        history.recent.extend((0..weight).map(|_| now));
        while history.recent.front().is_some_and(|first| now.saturating_sub(*first) >= self.policy.window) {
            history.recent.pop_front();
        }
        let already = matches!(history.phase, Phase::Quarantined { until } if now < until);
        let often = history.recent.len() >= self.policy.failures as usize;
        if already {
            // Calls that had begun before the quarantine may still fail; they do not prolong it.
        } else if probing || often || history.budget == 0 {
            history.quarantine(now, &self.policy);
        } else if let Some(wait) = restart_wait(&self.policy, history.streak) {
            history.phase = Phase::Waiting { until: now.saturating_add(wait) };
        }
        if let Phase::Waiting { until } | Phase::Quarantined { until } = history.phase {
            self.door.shut_until(until);
        }
    }

    /// Where the plugin stands now.
    pub(crate) fn standing(&self) -> Standing {
        if self.is_calm() {
            return Standing::Active;
        }
        let now = self.clock.monotonic();
        match self.history.lock().phase {
            Phase::Running => Standing::Active,
            Phase::Waiting { until } if now < until => Standing::Waiting(until - now),
            Phase::Waiting { .. } => Standing::Active,
            Phase::Quarantined { until } => Standing::Quarantined(until.saturating_sub(now)),
            Phase::Probing { .. } => Standing::Quarantined(Duration::ZERO),
        }
    }
}

impl History {
    fn quarantine(&mut self, now: Duration, policy: &SupervisionPolicy) {
        let time = doubled(policy.quarantine, self.quarantines)
            .min(limits::MAX_PLUGIN_QUARANTINE.max(policy.quarantine));
        self.quarantines = self.quarantines.saturating_add(1);
        self.recent.clear();
        self.streak = 0;
        self.budget = policy.restart_budget;
        self.phase = Phase::Quarantined { until: now.saturating_add(time) };
    }
}

/// The wait before the next restart after `streak` failures in a row; the first restart does not wait.
fn restart_wait(policy: &SupervisionPolicy, streak: u32) -> Option<Duration> {
    let further = streak.checked_sub(2)?;
    Some(doubled(policy.restart_backoff, further).min(limits::MAX_PLUGIN_RESTART_BACKOFF))
}

fn doubled(duration: Duration, times: u32) -> Duration {
    duration.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::{ManualClock, Timestamp};

    fn supervisor() -> (Supervisor, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        (
            Supervisor::new(
                SupervisionPolicy::default(),
                Arc::clone(&clock) as Arc<dyn Clock>,
                Door::default(),
            ),
            clock,
        )
    }

    /// Fails until quarantined, waiting out the restarts' waits.
    fn into_quarantine(supervisor: &Supervisor, clock: &ManualClock) -> Duration {
        for _ in 0..100 {
            match supervisor.standing() {
                Standing::Active => supervisor.failed(1),
                Standing::Waiting(wait) => {
                    clock.advance(wait);
                    supervisor.admit(false).unwrap();
                }
                Standing::Quarantined(time) => return time,
            }
        }
        panic!("never quarantined");
    }

    #[test]
    fn the_first_restart_is_at_once_and_the_next_ones_wait() {
        let (supervisor, clock) = supervisor();
        supervisor.failed(1);
        assert!(supervisor.admit(false).is_ok());
        supervisor.failed(1);
        assert_eq!(
            supervisor.admit(false),
            Err(FailureReason::Quarantined { retry_in: limits::PLUGIN_RESTART_BACKOFF })
        );
        clock.advance(limits::PLUGIN_RESTART_BACKOFF);
        assert!(supervisor.admit(false).is_ok());
        supervisor.failed(1);
        assert_eq!(supervisor.standing(), Standing::Waiting(limits::PLUGIN_RESTART_BACKOFF * 2));
        clock.advance(limits::PLUGIN_RESTART_BACKOFF * 2);
        supervisor.admit(false).unwrap();
        supervisor.succeeded();
        supervisor.failed(1);
        assert!(supervisor.admit(false).is_ok(), "a success ends the row");
    }

    #[test]
    fn what_takes_long_counts_more_and_never_suffices_alone() {
        let (supervisor, _) = supervisor();
        supervisor.failed(u32::MAX);
        assert!(supervisor.admit(false).is_ok());
        supervisor.failed(u32::MAX);
        assert_eq!(supervisor.standing(), Standing::Quarantined(limits::PLUGIN_QUARANTINE));
    }

    #[test]
    fn the_door_is_shut_while_calls_are_refused_for_some_time() {
        let (supervisor, clock) = supervisor();
        let is_shut = || supervisor.door().is_shut(|| clock.monotonic());
        supervisor.failed(1);
        assert!(!is_shut(), "the first restart is at once");
        supervisor.failed(1);
        assert!(is_shut());
        clock.advance(limits::PLUGIN_RESTART_BACKOFF);
        assert!(!is_shut());
        clock.advance(into_quarantine(&supervisor, &clock) / 2);
        assert!(is_shut());
        clock.advance(limits::PLUGIN_QUARANTINE);
        assert!(!is_shut(), "one call may try it");
        supervisor.admit(false).unwrap();
        supervisor.failed(1);
        assert!(is_shut());
        clock.advance(limits::PLUGIN_QUARANTINE * 2);
        supervisor.admit(false).unwrap();
        supervisor.succeeded();
        assert!(!supervisor.door().is_shut(|| Duration::ZERO), "it is open");
    }

    #[test]
    fn a_quarantine_ends_with_one_probe() {
        let (supervisor, clock) = supervisor();
        let time = into_quarantine(&supervisor, &clock);
        assert_eq!(time, limits::PLUGIN_QUARANTINE);
        assert!(supervisor.admit(false).is_err());
        clock.advance(time);
        assert!(supervisor.admit(false).is_ok(), "the probe");
        assert!(supervisor.admit(false).is_err(), "one probe at a time");
        assert!(supervisor.admit(true).is_ok(), "a sole caller is the probe itself");
        supervisor.failed(1);
        assert_eq!(supervisor.standing(), Standing::Quarantined(time * 2));
        clock.advance(time * 2);
        supervisor.admit(false).unwrap();
        supervisor.succeeded();
        assert_eq!(supervisor.standing(), Standing::Active);
    }

    #[test]
    fn an_abandoned_probe_leaves_room_for_the_next() {
        let (supervisor, clock) = supervisor();
        clock.advance(into_quarantine(&supervisor, &clock));
        supervisor.admit(false).unwrap();
        supervisor.abandoned();
        assert!(supervisor.admit(false).is_ok());
        clock.advance(limits::PLUGIN_QUARANTINE);
        assert!(
            supervisor.admit(false).is_ok(),
            "a probe that was forgotten does not shut the plugin for ever"
        );
    }

    #[test]
    fn slow_failures_use_the_budget_up() {
        let (supervisor, clock) = supervisor();
        for _ in 1..limits::PLUGIN_RESTART_BUDGET {
            supervisor.admit(false).unwrap();
            supervisor.failed(1);
            supervisor.admit(false).unwrap();
            supervisor.succeeded();
            clock.advance(Duration::from_secs(30));
        }
        supervisor.failed(1);
        assert!(matches!(supervisor.standing(), Standing::Quarantined(_)));
    }

    /// A plugin that never answers costs its deadline each time: few seconds of an hour, whatever is asked of it.
    #[test]
    fn one_that_always_fails_is_tried_ever_more_seldom() {
        let (supervisor, clock) = supervisor();
        let (mut failures, mut quarantines) = (0_u64, Vec::new());
        while clock.monotonic() < Duration::from_secs(3_600) {
            match supervisor.standing() {
                Standing::Quarantined(time) if !time.is_zero() => {
                    quarantines.push(time);
                    clock.advance(time);
                }
                Standing::Waiting(time) => clock.advance(time),
                _ => {}
            }
            if supervisor.admit(false).is_ok() {
                failures += 1;
                supervisor.failed(1);
            }
        }
        let doubled = (0..).map(|times| doubled(limits::PLUGIN_QUARANTINE, times));
        let expected: Vec<_> =
            doubled.map(|time| time.min(limits::MAX_PLUGIN_QUARANTINE)).take(quarantines.len()).collect();
        assert_eq!(quarantines, expected);
        assert!(failures <= 16, "{failures} failures in an hour");
    }

    #[test]
    fn a_relapse_right_after_a_quarantine_prolongs_the_next() {
        let (supervisor, clock) = supervisor();
        let first = into_quarantine(&supervisor, &clock);
        clock.advance(first + limits::PLUGIN_HEALTHY_AFTER);
        supervisor.admit(false).unwrap();
        supervisor.succeeded();
        assert_eq!(into_quarantine(&supervisor, &clock), first * 2);
    }

    #[test]
    fn a_healthy_minute_refills_the_budget_and_shortens_the_quarantine() {
        let (supervisor, clock) = supervisor();
        for _ in 0..2 {
            clock.advance(into_quarantine(&supervisor, &clock));
            supervisor.admit(false).unwrap();
            supervisor.succeeded();
            clock.advance(limits::PLUGIN_HEALTHY_AFTER);
        }
        assert_eq!(into_quarantine(&supervisor, &clock), limits::PLUGIN_QUARANTINE);
        for _ in 0..1000 {
            clock.advance(limits::PLUGIN_QUARANTINE + limits::PLUGIN_HEALTHY_AFTER);
            supervisor.admit(false).unwrap();
            supervisor.succeeded();
            supervisor.failed(1);
            assert_eq!(supervisor.standing(), Standing::Active);
        }
    }
}
