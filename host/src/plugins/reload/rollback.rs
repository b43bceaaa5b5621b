//! A new version that fails is taken back by itself.

use std::sync::Arc;

use telemetry_core::extension::{PluginFailure, SavedState};
use telemetry_core::limits::RELOAD_FAILURES;
use telemetry_sandbox::{Plugin, PluginKind};

use super::probation::Probation;
use super::report::{PluginVersion, ReloadOutcome, ReloadReport, ReloadTrigger, StateHandover};
use super::swap::started;
use super::{Reloader, Work};
use crate::envelope::cause_chain;
use crate::monitors::{StartedFrom, Successor};

impl Reloader {
    /// Takes back versions that failed too often since they took their place, and lets those before the others go.
    pub(crate) fn settle(&self) {
        // Who replaces a plugin just now looks at them afterwards.
        self.settle_with(&mut self.work.lock());
    }

    pub(super) fn settle_with(&self, work: &mut Work) {
        for probation in work.probations.failed(self.parts.clock.monotonic()) {
            let report = self.take_back(&probation);
            self.remember(&report);
        }
    }

    fn take_back(&self, probation: &Probation) -> ReloadReport {
        let Probation { source, current, previous, .. } = probation;
        let failure = current.status().last_failure.unwrap_or_default();
        let reason = format!("it failed {RELOAD_FAILURES} times after it had taken its place: {failure}");
        let from = Some(self.version(&source.name, current));
        let taken = match current.info().kind {
            PluginKind::Validator | PluginKind::Aggregator => {
                Ok((self.put(source, previous), StateHandover::None))
            }
            PluginKind::Monitor => self.take_monitor_back(probation),
            PluginKind::Sink => self.take_sink_back(probation),
        };
        let kind = Some(current.info().kind);
        match taken {
            Ok((pause, state)) => {
                if let Some(package) = probation.previous_package.clone() {
                    self.put_package(&source.name, package);
                }
                let to = Some(PluginVersion::of(previous, self.count(&source.name, true)));
                let outcome = ReloadOutcome::RolledBack { reason };
                let report = self.report(source, ReloadTrigger::Failures, outcome);
                ReloadReport { kind, from, to, state, pause, ..report }
            }
            Err(why) => {
                let reason = format!("{reason}; the version before could not take its place again: {why}");
                let outcome = ReloadOutcome::RollbackFailed { reason };
                ReloadReport { kind, from, ..self.report(source, ReloadTrigger::Failures, outcome) }
            }
        }
    }

    fn take_monitor_back(
        &self,
        probation: &Probation,
    ) -> Result<(std::time::Duration, StateHandover), String> {
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
        let handover =
            self.parts.watch.replace_monitor(&source.name, start).map_err(|error| cause_chain(&error))?;
        self.put(source, previous);
        let state = match (receiver.try_recv(), handover.state) {
            (Ok(true), _) => StateHandover::Former,
            (_, Some(_)) => StateHandover::HandedOver,
            (_, None) => StateHandover::None,
        };
        Ok((handover.pause, state))
    }

    fn take_sink_back(&self, probation: &Probation) -> Result<(std::time::Duration, StateHandover), String> {
        let Probation { source, previous, .. } = probation;
        let began = std::time::Instant::now();
        let attached = self.parts.watch.hand_over_sink(&source.name, |current| {
            drop(current);
            let sink = previous.sink();
            let attached = sink.is_some();
            (sink, attached)
        });
        match attached {
            Some(true) => {
                self.put(source, previous);
                Ok((began.elapsed(), StateHandover::Former))
            }
            _ => Err("its receiver is gone".to_owned()),
        }
    }
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
