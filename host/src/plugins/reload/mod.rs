//! Replaces plugins of a running host: asked for, when a file changes, and back again when a new version fails.
//!
//! The steps: read and compile the new version beside the old one → check world, configuration, grants and limits → save the
//! state of the old one → try the new one with that state on recent records, where all it does is forgotten → let it take the
//! old one's place between two batches → keep the old one until the new one has proved itself, and let it come back when the
//! new one fails [`RELOAD_FAILURES`](telemetry_core::limits::RELOAD_FAILURES) times within
//! [`RELOAD_PROBATION`](telemetry_core::limits::RELOAD_PROBATION).
//!
//! Invariants:
//! - Until the last step nothing of the old version is touched, and where that step fails the old one goes on.
//! - Monitors and sinks never overlap. Calls of validators and aggregations that are under way finish in the version that they
//!   began in.
//! - One plugin is replaced at a time, and every outcome is logged, counted and shown by health and listings.

mod bell;
mod error;
mod files;
mod look;
mod probation;
mod report;
mod rollback;
mod swap;
mod thread;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use telemetry_core::Clock;
use telemetry_sandbox::{Plugin, PluginKind, PreparedPlugin, Sandbox};
use telemetry_store::Store;

pub use error::{ReloadError, ReloadStage};
pub use report::{PluginVersion, ReloadOutcome, ReloadReport, ReloadTrigger, StateHandover};
pub use trial::{TrialFailure, TrialSummary};

use bell::Bell;
use files::FileWatch;
use look::plugins_by_place;
use probation::{Probation, Probations};
use swap::Swapped;
use trial::Trial;

use super::loaded::LivePlugins;
use super::package::{PluginPackages, VerifiedPackage};
use super::prepared::PackageReport;
use super::source::PluginSource;
use crate::config::Config;
use crate::envelope::cause_chain;
use crate::host::Services;
use crate::recording::Recorder;
use crate::watch::Watch;

/// What a [`Reloader`] is made of.
pub(crate) struct ReloaderParts {
    pub(crate) config: Config,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<Store>,
    pub(crate) live: Arc<LivePlugins>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) services: Arc<Services>,
    pub(crate) watch: Arc<Watch>,
    /// The plugins' files as they were before they were loaded.
    pub(crate) files: WatchedFiles,
}

/// Replaces plugins.
pub(crate) struct Reloader {
    parts: ReloaderParts,
    /// Held while a plugin is replaced: one at a time.
    work: Mutex<Work>,
    /// A version on probation failed, or its time is over.
    bell: Arc<Bell>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The plugins' files as they were at one moment.
#[derive(Default)]
pub(crate) struct WatchedFiles(FileWatch);

#[derive(Default)]
struct Work {
    probations: Probations,
    files: FileWatch,
    /// The content that was tried last, by plugin: it is not tried twice because of its files' times.
    tried: BTreeMap<String, String>,
}

/// The files of all plugins as they are: to be taken before the plugins are loaded.
pub(crate) fn watched_files(config: &Config) -> WatchedFiles {
    // A folder that cannot be read is told by whoever loads.
    WatchedFiles(FileWatch::of(plugins_by_place(config).unwrap_or_default().into_keys()))
}

impl Reloader {
    pub(crate) fn new(mut parts: ReloaderParts) -> Self {
        let WatchedFiles(files) = std::mem::take(&mut parts.files);
        Self {
            parts,
            work: Mutex::new(Work { files, ..Work::default() }),
            bell: Arc::default(),
            closed: AtomicBool::new(false),
            thread: Mutex::default(),
        }
    }

    /// Reloads the plugin `name`, every copy of the sink `name`, or the copy of the receiver `name`. One report for each; the
    /// first refusal is the answer when there is one, and the others are replaced all the same.
    pub(crate) fn reload(&self, name: &str) -> Result<Vec<ReloadReport>, ReloadError> {
        let sources = self.sources(name)?;
        let mut work = self.work.lock();
        let (mut reports, mut refusal) = (Vec::new(), None);
        for source in sources {
            match self.attempt(&source, ReloadTrigger::Request, &mut work) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        refusal.map_or(Ok(reports), Err)
    }

    /// What a name stands for.
    fn sources(&self, name: &str) -> Result<Vec<PluginSource>, ReloadError> {
        let config = &self.parts.config;
        let receivers = config.alerting.all_receivers();
        let mut sources: Vec<PluginSource> = receivers
            .iter()
            .filter(|(receiver, settings)| receiver.as_str() == name || settings.plugin == name)
            .filter(|(receiver, settings)| self.is_wanted(receiver, &settings.plugin))
            .map(|(receiver, settings)| PluginSource::receiver(receiver, &settings.plugin))
            .collect();
        let running = self.parts.live.read(|live| live.plugin(name).is_some());
        let is_there = || config.plugins.component_of(name).is_some_and(|place| place.exists());
        if running || (sources.is_empty() && is_there()) {
            sources.push(PluginSource::plugin(name));
        }
        if sources.is_empty() { Err(ReloadError::Unknown { name: name.to_owned() }) } else { Ok(sources) }
    }

    /// The console is always among the receivers, and there where its plugin is.
    fn is_wanted(&self, receiver: &str, plugin: &str) -> bool {
        let config = &self.parts.config;
        config.alerting.receivers.contains_key(receiver)
            || config.plugins.component_of(plugin).is_some_and(|place| place.exists())
    }

    /// Replaces one plugin; the outcome is logged and remembered.
    fn attempt(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Result<ReloadReport, ReloadError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(ReloadError::Closed);
        }
        let outcome = self.try_replace(source, trigger, work);
        match &outcome {
            Ok(report) => self.remember(report),
            Err(error) => {
                if error.may_pass() {
                    work.tried.remove(&source.name);
                    work.files.look_again(&source.place(&self.parts.config));
                }
                if let Some(stage) = error.stage() {
                    let outcome = ReloadOutcome::Refused { stage, reason: cause_chain(error) };
                    self.remember(&self.report(source, trigger, outcome));
                }
            }
        }
        outcome
    }

    fn report(&self, source: &PluginSource, trigger: ReloadTrigger, outcome: ReloadOutcome) -> ReloadReport {
        ReloadReport::new(&source.name, trigger, self.parts.clock.now(), outcome)
    }

    fn try_replace(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        work: &mut Work,
    ) -> Result<ReloadReport, ReloadError> {
        let config = &self.parts.config;
        if !config.plugins.settings_of(&source.component).enabled {
            return Err(ReloadError::Disabled { plugin: source.component.clone() });
        }
        if is_switched_off(config, &source.component) {
            return Err(ReloadError::SwitchedOff { plugin: source.component.clone() });
        }
        let old = self.running(source);
        let opened = source.open(config)?;
        let content = opened.content();
        let tried = work.tried.insert(source.name.clone(), content.clone());
        let again = trigger == ReloadTrigger::File && tried.as_ref() == Some(&content);
        let same = old.as_deref().filter(|old| self.is_the_same(source, old, &opened, trigger));
        if again || same.is_some() {
            let to = same.map(|old| self.version(&source.name, old));
            return Ok(ReloadReport { to, ..self.report(source, trigger, ReloadOutcome::Unchanged) });
        }
        let (prepared, package) = source.prepare(config, opened, &self.parts.sandbox)?;
        if let Some(done) = self.settled_early(source, trigger, &prepared, old.as_deref())? {
            return Ok(done);
        }
        let (restored, state) = old.as_deref().map(swap::saved_state).unwrap_or_default();
        let trial = Trial { store: &self.parts.store, clock: &*self.parts.clock, name: &source.name };
        let summary = trial
            .run(&prepared, restored.clone())
            .map_err(|failure| ReloadError::Trial { plugin: source.name.clone(), source: failure })?;
        let from = old.as_deref().map(|old| self.version(&source.name, old));
        let swapped = self.swap(source, prepared, old.as_ref(), (restored, state))?;
        let Swapped { plugin, pause, state, left_state } = swapped;
        let package_before = self.put_package(&source.name, package);
        let generation = self.count(&source.name, old.is_some());
        let outcome = if old.is_some() { ReloadOutcome::Reloaded } else { ReloadOutcome::Loaded };
        let report = ReloadReport {
            kind: Some(plugin.info().kind),
            from,
            to: Some(PluginVersion::of(&plugin, generation)),
            trial: Some(summary),
            state,
            pause,
            ..self.report(source, trigger, outcome)
        };
        if let Some(old) = old {
            let now = self.parts.clock.monotonic();
            work.probations.begin(Probation::new(
                source.clone(),
                plugin,
                (old, package_before),
                left_state,
                now,
            ));
        }
        Ok(report)
    }

    /// The answer where nothing is to be replaced.
    fn settled_early(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        prepared: &PreparedPlugin,
        old: Option<&Plugin>,
    ) -> Result<Option<ReloadReport>, ReloadError> {
        let kind = prepared.kind();
        if let Some(old) = old {
            let is = old.info().kind;
            if is != kind {
                return Err(ReloadError::Kind { plugin: source.name.clone(), is, becomes: kind });
            }
        } else if kind == PluginKind::Sink && !source.is_receiver {
            let (name, sha256) = (source.name.clone(), prepared.sha256().to_owned());
            self.parts.live.change(|live| live.unused_sinks.insert(name, sha256));
            return Ok(Some(self.report(source, trigger, ReloadOutcome::Unused)));
        } else if kind != PluginKind::Sink && source.is_receiver {
            let (plugin, is, becomes) = (source.name.clone(), PluginKind::Sink, kind);
            return Err(ReloadError::Kind { plugin, is, becomes });
        }
        Ok(None)
    }

    /// The version that runs.
    fn running(&self, source: &PluginSource) -> Option<Arc<Plugin>> {
        self.parts.live.read(|live| match source.is_receiver {
            true => live.receivers.get(&source.name).cloned(),
            false => live.plugin(&source.name).cloned(),
        })
    }

    /// Whether a package is the one that runs, which may be trusted for another reason by now. One that fails is started anew by
    /// request, though it be the same.
    fn is_the_same(
        &self,
        source: &PluginSource,
        old: &Plugin,
        opened: &VerifiedPackage,
        trigger: ReloadTrigger,
    ) -> bool {
        if trigger != ReloadTrigger::File && !old.status().state.is_active() {
            return false;
        }
        self.parts.live.change(|live| {
            let running = live.packages.get_mut(&source.name);
            match running.filter(|package| package.content == opened.content()) {
                Some(package) => {
                    package.trust = opened.trust.clone();
                    true
                }
                None => false,
            }
        })
    }

    /// Lists the package of a version that took its place, which has the room that it may have; answers the one before.
    pub(super) fn put_package(&self, name: &str, package: PackageReport) -> Option<PackageReport> {
        if let Some(room) = &package.grants.key_value {
            self.parts.store.limit_plugin_space(name, room.effective);
        }
        self.parts.live.change(|live| live.packages.insert(name.to_owned(), package))
    }

    fn version(&self, name: &str, plugin: &Plugin) -> PluginVersion {
        let generation = self.parts.live.read(|live| live.history.get(name).map_or(1, |it| it.generation));
        PluginVersion::of(plugin, generation)
    }

    /// Counts a version that took its place; answers its number.
    fn count(&self, name: &str, replaced: bool) -> u64 {
        self.parts.live.change(|live| {
            let history = live.history.entry(name.to_owned()).or_default();
            if replaced {
                history.generation = history.generation.saturating_add(1);
            }
            history.generation
        })
    }

    /// Logs an outcome and keeps it for listings.
    fn remember(&self, report: &ReloadReport) {
        let plugin = report.plugin.as_str();
        match &report.outcome {
            ReloadOutcome::Refused { reason, .. } => {
                tracing::error!(source = "Bridge_Telemetry", plugin, "a new version was refused: {reason}");
            }
            ReloadOutcome::RolledBack { reason } | ReloadOutcome::RollbackFailed { reason } => {
                tracing::error!(source = "Bridge_Telemetry", plugin, outcome = ?report.outcome, "{reason}");
            }
            ReloadOutcome::Unchanged => {}
            outcome => {
                let version = report.to.as_ref().map(|to| to.version.as_str()).unwrap_or_default();
                tracing::info!(
                    source = "Bridge_Telemetry",
                    plugin,
                    version,
                    ?outcome,
                    "a plugin was taken over"
                );
            }
        }
        self.parts.live.change(|live| {
            if let Some(running) = live.running().find(|running| running.name() == plugin) {
                running.remark(report.outcome.level(), &report.outcome.to_string());
            }
            let history = live.history.entry(plugin.to_owned()).or_default();
            let counted = match report.outcome {
                ReloadOutcome::Reloaded => Some(&mut history.reloads),
                ReloadOutcome::Refused { .. } => Some(&mut history.reloads_refused),
                ReloadOutcome::RolledBack { .. } => Some(&mut history.rollbacks),
                _ => None,
            };
            counted.into_iter().for_each(|count| *count = count.saturating_add(1));
            // A refusal is settled when the file holds again what runs.
            let settles = report.to.is_some() && history.last_reload.as_ref().is_some_and(is_refused);
            if report.outcome != ReloadOutcome::Unchanged || settles {
                history.last_reload = Some(report.clone());
            }
        });
    }

    /// Ends: waits for a replacement that is under way, and starts none any more.
    pub(crate) fn stop(&self) {
        self.closed.store(true, Ordering::Release);
        self.bell.stop();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that minds the plugins panicked");
        }
        *self.work.lock() = Work::default();
    }
}

/// Whether a plugin was disabled by command.
fn is_switched_off(config: &Config, plugin: &str) -> bool {
    // Pins that cannot be read show when the plugin is verified.
    PluginPackages::of(&config.plugins).lock().is_ok_and(|lock| lock.disabled.contains(plugin))
}

fn is_refused(report: &ReloadReport) -> bool {
    matches!(report.outcome, ReloadOutcome::Refused { .. })
}
