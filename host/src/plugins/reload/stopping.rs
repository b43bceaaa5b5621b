//! The end of a plugin on a running host: it was disabled or removed by command, and is from then on what it would be after the next
//! start. A further copy that settings make of a removed component goes on until then, as does one whose file is gone.
//!
//! Invariants:
//! - What is under way finishes: a validator judges the calls that began with it, a function answers the queries that found it.
//! - A monitor makes a last checkpoint; then its alerts are resolved, and its place in the log is forgotten. A sink ends between two
//!   deliveries, and those that wait for it stay stored.
//! - What did not stop in time is stopped at a later look, though it was enabled again meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use telemetry_sandbox::{Plugin, PluginKind};

use super::error::ReloadError;
use super::report::{ReloadOutcome, ReloadReport, ReloadTrigger};
use super::{Reloader, Work};
use crate::envelope::cause_chain;
use crate::plugins::LoadedPlugins;
use crate::plugins::loaded::Absence;
use crate::plugins::package::{PluginLock, PluginPackages};
use crate::plugins::source::PluginSource;

/// Why a plugin is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Disabled,
    Removed,
}

impl Stop {
    fn outcome(self) -> ReloadOutcome {
        match self {
            Self::Disabled => ReloadOutcome::Disabled,
            Self::Removed => ReloadOutcome::Removed,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

impl Reloader {
    /// Stops what was disabled or removed by command since the last look.
    pub(super) fn stop_what_is_off(&self, work: &mut Work) -> Vec<Result<ReloadReport, ReloadError>> {
        let names = self.known_components();
        self.stop_off_among(names, work)
    }

    /// Goes on stopping what did not stop in time.
    pub(super) fn stop_what_leaves(&self, work: &mut Work) -> Vec<Result<ReloadReport, ReloadError>> {
        let names: BTreeSet<String> = work.leaving.keys().map(|source| source.component.clone()).collect();
        if names.is_empty() { Vec::new() } else { self.stop_off_among(names, work) }
    }

    /// Stops what is off among these components, and starts what was enabled again before it had stopped.
    fn stop_off_among(
        &self,
        names: BTreeSet<String>,
        work: &mut Work,
    ) -> Vec<Result<ReloadReport, ReloadError>> {
        if self.closed.load(Ordering::Acquire) {
            return Vec::new();
        }
        // Pins that cannot be read switch nothing off.
        let Ok(lock) = PluginPackages::of(&self.parts.config.plugins).lock() else { return Vec::new() };
        let mut outcomes = Vec::new();
        for name in names {
            let Some(stop) = self.is_off(&lock, &name, work) else { continue };
            let stopped = self.stop_component(&name, stop, ReloadTrigger::File, work);
            let removed = lock.removed.get(&name).filter(|_| stop == Stop::Removed);
            if let Some(at) = removed
                && stopped.iter().all(Result::is_ok)
            {
                work.gone.insert(name, at.clone());
            }
            outcomes.extend(stopped);
        }
        let leaving: Vec<PluginSource> = work.leaving.keys().cloned().collect();
        for source in leaving {
            if self.is_off(&lock, &source.component, work).is_none() {
                outcomes.extend(self.start_again(&source, ReloadTrigger::File, work));
            }
        }
        outcomes
    }

    /// Names of all of which something may be stopped: what runs, what could not be loaded, what is not used.
    fn known_components(&self) -> BTreeSet<String> {
        let receivers = self.parts.config.alerting.all_receivers();
        self.parts.live.read(|live| {
            let plugins = live.plugins().map(|plugin| plugin.name().to_owned());
            let sinks = live.receivers.keys().filter_map(|name| Some(receivers.get(name)?.plugin.clone()));
            let listed = live
                .absent
                .iter()
                .filter(|(_, absence)| matches!(absence, Absence::Failed { .. } | Absence::Unused { .. }));
            let listed = listed.flat_map(|(name, _)| {
                let component = receivers.get(name).map(|receiver| receiver.plugin.clone());
                std::iter::once(name.clone()).chain(component)
            });
            plugins.chain(sinks).chain(listed).collect()
        })
    }

    /// Why a component is to be stopped, if it is.
    fn is_off(&self, lock: &PluginLock, name: &str, work: &Work) -> Option<Stop> {
        let stop = if lock.disabled.contains(name) {
            Stop::Disabled
        } else if self.is_removed(lock, name, work) {
            Stop::Removed
        } else {
            return None;
        };
        let settings = self.parts.config.plugins.settings.get(name);
        if settings.is_some_and(|settings| settings.required) {
            self.note_required(name, stop);
            return None;
        }
        Some(stop)
    }

    /// Whether a component was removed by command after what runs of it was put there. A file that is gone tells nothing.
    fn is_removed(&self, lock: &PluginLock, name: &str, work: &Work) -> bool {
        let Some(at) = lock.removed.get(name).filter(|at| work.gone.get(name) != Some(*at)) else {
            return false;
        };
        // What settings make of another component, or of a file elsewhere, was not removed with what lay here.
        let settings = self.parts.config.plugins.settings.get(name);
        if settings.is_some_and(|settings| settings.component.is_some()) {
            return false;
        }
        let copies = self.copies(name);
        let came_later = |live: &LoadedPlugins| {
            let mut packages = copies.iter().filter_map(|copy| live.packages.get(&copy.name));
            packages.any(|package| package.entry.removed.as_ref() == Some(at))
        };
        !PluginPackages::of(&self.parts.config.plugins).is_there(name) && !self.parts.live.read(came_later)
    }

    /// What can be made of a component: the plugin of its name, and each receiver's copy.
    pub(super) fn copies(&self, name: &str) -> Vec<PluginSource> {
        let receivers = self.parts.config.alerting.all_receivers();
        let of_name = receivers.iter().filter(|(_, settings)| settings.plugin == name);
        let copies = of_name.map(|(receiver, _)| PluginSource::receiver(receiver, name));
        std::iter::once(PluginSource::plugin(name)).chain(copies).collect()
    }

    /// Stops all that is made of a component; one outcome for each copy that ran.
    pub(super) fn stop_component(
        &self,
        name: &str,
        stop: Stop,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Vec<Result<ReloadReport, ReloadError>> {
        let mut outcomes = Vec::new();
        for source in self.copies(name) {
            if let Some(plugin) = self.running(&source) {
                outcomes.push(self.stop_copy(&source, &plugin, stop, trigger, work));
            }
        }
        if outcomes.iter().all(Result::is_ok)
            && let Err(error) = self.list_stopped(name, stop, work)
        {
            outcomes.push(Err(error));
        }
        outcomes
    }

    /// Stops one copy.
    fn stop_copy(
        &self,
        source: &PluginSource,
        plugin: &Arc<Plugin>,
        stop: Stop,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Result<ReloadReport, ReloadError> {
        let kind = plugin.info().kind;
        if let Err(error) = self.end_watcher(source, kind) {
            let note = format!("it was {}, and has not stopped yet: {}", stop.word(), cause_chain(&error));
            tracing::error!(source = "Bridge_Telemetry", plugin = source.name, "{note}");
            self.note_file(&source.name, Some(note));
            work.leaving.insert(source.clone(), stop);
            // No version is to take its place.
            work.probations.end(&source.name);
            return Err(error);
        }
        let from = self.version(&source.name, plugin);
        plugin.remark(tracing::Level::INFO, &stop.outcome().to_string());
        self.parts.live.change(|live| {
            live.let_go(&source.name, source.is_receiver);
            self.have_used(live, kind);
        });
        self.note_file(&source.name, None);
        work.probations.end(&source.name);
        // Enabled again, it is loaded, though its content was tried.
        work.tried.remove(&source.name);
        work.leaving.remove(source);
        let (kind, from) = (Some(kind), Some(from));
        let report = ReloadReport { kind, from, ..self.report(source, trigger, stop.outcome()) };
        self.remember(&report);
        Ok(report)
    }

    /// Ends a monitor's or a sink's work; others have none of their own.
    fn end_watcher(&self, source: &PluginSource, kind: PluginKind) -> Result<(), ReloadError> {
        match kind {
            PluginKind::Validator | PluginKind::Aggregator => {}
            PluginKind::Monitor => self.end_monitor(&source.name)?,
            PluginKind::Sink => {
                // Waits for a delivery that is under way.
                self.parts.watch.hand_over_sink(&source.name, |before| {
                    drop(before);
                    (None, ())
                });
            }
        }
        Ok(())
    }

    pub(super) fn end_monitor(&self, name: &str) -> Result<(), ReloadError> {
        let ended = self.parts.watch.end_monitor(name);
        ended.map_err(|source| ReloadError::Stop { plugin: name.to_owned(), source })
    }

    /// Loads a copy that does not run, once it has stopped if it was about to; `None` where it runs.
    pub(super) fn start_again(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Option<Result<ReloadReport, ReloadError>> {
        if self.running(source).is_some() && !work.leaving.contains_key(source) {
            return None;
        }
        Some(self.attempt(source, trigger, work))
    }

    /// Stops a copy that was about to stop when it was enabled again; nothing takes its place before.
    pub(super) fn finish_stopping(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Result<(), ReloadError> {
        if let Some(stop) = work.leaving.get(source).copied()
            && let Some(plugin) = self.running(source)
        {
            self.stop_copy(source, &plugin, stop, trigger, work)?;
        }
        work.leaving.remove(source);
        Ok(())
    }
}
