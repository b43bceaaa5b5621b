//! A new version that fails is taken back by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};
use telemetry_core::limits::{MAX_ROLLBACK_TRIES, RELOAD_FAILURES};
use telemetry_sandbox::{Plugin, PluginKind};

use super::error::handover_may_pass;
use super::probation::{Probation, Probations};
use super::report::{PluginVersion, ReloadOutcome, ReloadReport, ReloadTrigger, StateHandover};
use super::swap::started;
use super::{Reloader, Work};
use crate::envelope::cause_chain;
use crate::monitors::{HandoverError, StartedFrom, Successor};

/// Why the version before did not take its place again.
#[derive(Debug, thiserror::Error)]
enum RollbackError {
    #[error(transparent)]
    Monitor(#[from] HandoverError),
    #[error("its receiver is gone")]
    NoReceiver,
}

impl RollbackError {
    /// Whether it may take its place the next time. What the version before refuses for now it may take later, and its tries have pauses
    /// and an end; a new version that refuses would be tried anew at each look at the files.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Monitor(HandoverError::Refused(failure)) => matches!(
                failure.reason,
                FailureReason::Quarantined { .. } | FailureReason::Busy(_) | FailureReason::Transient(_)
            ),
            Self::Monitor(error) => handover_may_pass(error),
            Self::NoReceiver => false,
        }
    }

    /// Before that time is over no try can succeed.
    const fn wait(&self) -> Duration {
        match self {
            Self::Monitor(HandoverError::Refused(PluginFailure {
                reason: FailureReason::Quarantined { retry_in },
                ..
            })) => *retry_in,
            _ => Duration::ZERO,
        }
    }
}

impl Reloader {
    /// Takes back versions that failed too often since they took their place, and lets those before the others go.
    pub(crate) fn settle(&self) {
        // Who replaces a plugin just now looks at them afterwards.
        let mut work = self.work.lock();
        self.settle_with(&mut work);
        if !self.parts.config.plugins.reload.watch {
            // Nobody looks at the files, and what did not stop in time is to stop all the same.
            self.stop_what_leaves(&mut work);
        }
    }

    /// The same while a plugin may be replaced; and notes of versions what could not be noted before.
    pub(super) fn settle_with(&self, work: &mut Work) {
        if self.parts.live.read(|live| live.version_fault.is_some()) {
            self.note_versions(work);
        }
        for probation in work.probations.failed(self.parts.clock.monotonic()) {
            let report = match self.take_back(&probation, work) {
                Ok(report) => report,
                Err(error) => self.not_taken_back(probation, &error, &mut work.probations),
            };
            self.remember(&report);
        }
    }

    fn take_back(&self, probation: &Probation, work: &mut Work) -> Result<ReloadReport, RollbackError> {
        let Probation { source, current, previous, .. } = probation;
        let report = self.report_of(probation, ReloadOutcome::RolledBack { reason: why(current) });
        let (pause, state) = match current.info().kind {
            PluginKind::Validator | PluginKind::Aggregator => {
                (self.put(source, previous), StateHandover::None)
            }
            PluginKind::Monitor => self.take_monitor_back(probation)?,
            PluginKind::Sink => self.take_sink_back(probation)?,
        };
        if let Some(package) = probation.previous_package.clone() {
            let back = package.version.clone();
            let failed = self.put_package(&source.name, package).and_then(|failed| failed.running());
            if let (Some(failed), Some(back)) = (failed, back) {
                work.taken_back.insert(source.name.clone(), (failed, back));
            }
            self.note_versions(work);
        }
        let to = Some(PluginVersion::of(previous, self.count(&source.name, true)));
        Ok(ReloadReport { to, state, pause, ..report })
    }

    /// What there is to say of a version that stays, for now or for good.
    fn not_taken_back(
        &self,
        probation: Probation,
        error: &RollbackError,
        probations: &mut Probations,
    ) -> ReloadReport {
        let reason = format!(
            "{}; the version before could not take its place again: {}",
            why(&probation.current),
            cause_chain(error)
        );
        let report = self.report_of(&probation, ReloadOutcome::RollbackFailed { reason: reason.clone() });
        if !error.may_pass() {
            return report;
        }
        let reason = match probations.try_again(probation, self.parts.clock.monotonic(), error.wait()) {
            Some(pause) => format!("{reason}; it is tried again in {pause:?}"),
            None => format!("{reason}; that was the last of {MAX_ROLLBACK_TRIES} tries"),
        };
        ReloadReport { outcome: ReloadOutcome::RollbackFailed { reason }, ..report }
    }

    fn report_of(&self, probation: &Probation, outcome: ReloadOutcome) -> ReloadReport {
        let Probation { source, current, .. } = probation;
        let (kind, from) = (Some(current.info().kind), Some(self.version(&source.name, current)));
        ReloadReport { kind, from, ..self.report(source, ReloadTrigger::Failures, outcome) }
    }

    fn take_monitor_back(&self, probation: &Probation) -> Result<(Duration, StateHandover), RollbackError> {
        let Probation { source, previous, left_state, .. } = probation;
        let (before, left) = (Arc::clone(previous), left_state.clone());
        let start = move |state: Option<SavedState>| successor(&before, state, left);
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let start = Box::new(move |state: Option<SavedState>| -> Result<Successor, PluginFailure> {
            let successor = start(state)?;
            // Nobody waits when the handover was given up.
            let _ = sender.send(successor.from != StartedFrom::Handed);
            Ok(successor)
        });
        let handover = self.parts.watch.replace_monitor(&source.name, start)?;
        self.put(source, previous);
        let state = match (receiver.try_recv(), handover.state) {
            (Ok(true), _) => StateHandover::Former,
            (_, Some(_)) => StateHandover::HandedOver,
            (_, None) => StateHandover::None,
        };
        Ok((handover.pause, state))
    }

    fn take_sink_back(&self, probation: &Probation) -> Result<(Duration, StateHandover), RollbackError> {
        let Probation { source, previous, .. } = probation;
        let began = Instant::now();
        let attached = self.parts.watch.hand_over_sink(&source.name, |current| {
            let sink = previous.sink();
            let attached = sink.is_some();
            (sink.or(current), attached)
        });
        match attached {
            Some(true) => {
                self.put(source, previous);
                Ok((began.elapsed(), StateHandover::Former))
            }
            _ => Err(RollbackError::NoReceiver),
        }
    }
}

/// Why a version is taken back.
fn why(current: &Plugin) -> String {
    let failure = current.status().last_failure.unwrap_or_default();
    let faults = current.faults();
    if faults < RELOAD_FAILURES {
        return format!(
            "it is in quarantine after {faults} failures since it had taken its place: {failure}"
        );
    }
    format!("it failed {RELOAD_FAILURES} times after it had taken its place: {failure}")
}

/// The version before goes on from the state of the new one if it can read that, else from the state that it had left itself:
/// better than none, and no record is looked at twice.
fn successor(
    previous: &Plugin,
    state: Option<SavedState>,
    left: Option<SavedState>,
) -> Result<Successor, PluginFailure> {
    match started(previous, state.clone()) {
        Ok(monitor) => Ok(Successor { monitor, from: StartedFrom::Handed, on_probation: false }),
        Err(failure) if state == left => Err(failure),
        Err(_) => {
            let monitor = started(previous, left.clone())?;
            Ok(Successor { monitor, from: StartedFrom::Other(left), on_probation: false })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_version_before_refuses_for_now_is_tried_again() {
        let retry_in = Duration::from_secs(600);
        let of = |reason: FailureReason| {
            let refused = HandoverError::Refused(PluginFailure { plugin: "watcher".to_owned(), reason });
            let error = RollbackError::from(refused);
            (error.may_pass(), error.wait())
        };
        let text = || "so it is".to_owned();
        assert_eq!(of(FailureReason::Quarantined { retry_in }), (true, retry_in));
        for passing in [FailureReason::Busy(retry_in), FailureReason::Transient(text())] {
            assert_eq!(of(passing), (true, Duration::ZERO));
        }
        let deadline = FailureReason::Deadline(retry_in);
        for lasting in [deadline, FailureReason::Trap(text()), FailureReason::Unsupported(text())] {
            assert_eq!(of(lasting), (false, Duration::ZERO));
        }
        let busy = HandoverError::Busy { monitor: text(), waited: retry_in };
        assert!(RollbackError::from(busy).may_pass() && !RollbackError::NoReceiver.may_pass());
    }
}
