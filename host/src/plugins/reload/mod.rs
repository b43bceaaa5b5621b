//! Replaces plugins of a running host: asked for, when a file changes, and back again when a new version fails. Stops those that are
//! disabled or removed by command, and starts them again.
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

mod absence;
mod bell;
mod error;
mod files;
mod look;
mod outcomes;
mod probation;
mod report;
mod rollback;
mod stopping;
mod swap;
mod switch;
mod thread;
mod trial;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use semver::Version;
use telemetry_core::Clock;
use telemetry_sandbox::{ComponentOutline, Plugin, PluginKind, Sandbox};
use telemetry_store::Store;

pub use error::{ReloadError, ReloadStage};
pub use report::{PluginVersion, ReloadOutcome, ReloadReport, ReloadTrigger, StateHandover};
pub use switch::{PluginSwitch, SwitchError};
pub use trial::{TrialFailure, TrialSummary};

use bell::Bell;
use files::FileWatch;
use look::plugins_by_place;
use probation::{Probation, Probations};
use stopping::Stop;
use swap::Swapped;
use trial::Trial;

use super::loaded::{Absence, LivePlugins};
use super::package::{PluginPackages, RunningVersion, VerifiedPackage};
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
    /// What is to be stopped and did not stop in time.
    leaving: BTreeMap<PluginSource, Stop>,
    /// Versions that were taken back, with those that run again, by plugin or receiver, until that is noted.
    taken_back: BTreeMap<String, (RunningVersion, Version)>,
    /// When plugins were removed that were stopped for it.
    gone: BTreeMap<String, String>,
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
        let mut work = self.work.lock();
        let sources = self.sources(name)?;
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

    /// What a name stands for: all that is made of the component of that name, and the receiver of that name.
    fn sources(&self, name: &str) -> Result<Vec<PluginSource>, ReloadError> {
        let mut sources = self.wanted(name);
        let receivers = self.parts.config.alerting.all_receivers();
        if let Some(receiver) = receivers.get(name).filter(|receiver| receiver.plugin != name) {
            let source = PluginSource::receiver(name, &receiver.plugin);
            sources.extend(self.is_wanted(&source).then_some(source));
        }
        if sources.is_empty() { Err(ReloadError::Unknown { name: name.to_owned() }) } else { Ok(sources) }
    }

    /// What is to run of a component: each receiver's copy of a sink, or the plugin of its name.
    fn wanted(&self, component: &str) -> Vec<PluginSource> {
        let (mut wanted, plugin): (Vec<_>, Vec<_>) =
            self.copies(component).into_iter().partition(|copy| copy.is_receiver);
        wanted.retain(|copy| self.is_wanted(copy));
        let is_there = || PluginPackages::of(&self.parts.config.plugins).is_there(component);
        let stands_alone = wanted.is_empty() && is_there();
        wanted.extend(plugin.into_iter().filter(|plugin| stands_alone || self.running(plugin).is_some()));
        wanted
    }

    /// The console is always among the receivers, and there where its plugin is.
    fn is_wanted(&self, receiver: &PluginSource) -> bool {
        let config = &self.parts.config;
        config.alerting.receivers.contains_key(&receiver.name)
            || PluginPackages::of(&config.plugins).is_there(&receiver.component)
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
            Ok(report) => {
                self.remember(report);
                if matches!(report.outcome, ReloadOutcome::Loaded | ReloadOutcome::Reloaded) {
                    self.note_versions(work);
                }
            }
            Err(error) => {
                if error.may_pass() {
                    work.tried.remove(&source.name);
                    work.files.look_again(&source.place(&self.parts.config));
                }
                if let Some(stage) = error.stage() {
                    let reason = cause_chain(error);
                    if self.running(source).is_none() {
                        let kind = source.is_receiver.then_some(PluginKind::Sink);
                        self.parts.live.change(|live| live.fail(&source.name, kind, reason.clone()));
                    }
                    let outcome = ReloadOutcome::Refused { stage, reason };
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
        self.parts.live.change(|live| {
            live.absent.retain(|name, absence| *name != source.component || *absence != Absence::Disabled);
        });
        self.finish_stopping(source, trigger, work)?;
        let old = self.running(source);
        let opened = source.open(config)?;
        self.check_not_older(source, &opened)?;
        let content = opened.content();
        let tried = work.tried.insert(source.name.clone(), content.clone());
        let again = trigger == ReloadTrigger::File && tried.as_ref() == Some(&content);
        let same = old.as_deref().filter(|old| self.is_the_same(source, old, &opened, trigger));
        if again || same.is_some() {
            let to = same.map(|old| self.version(&source.name, old));
            return Ok(ReloadReport { to, ..self.report(source, trigger, ReloadOutcome::Unchanged) });
        }
        let outline = source.outline(&opened, &self.parts.sandbox)?;
        if let Some(done) = self.settled_early(source, trigger, &outline, old.as_deref())? {
            return Ok(done);
        }
        let (prepared, package) = source.prepare(config, opened, outline.kind, &self.parts.sandbox)?;
        let (restored, state) = old.as_deref().map(swap::saved_state).unwrap_or_default();
        let (rollups, name) = (&*self.parts.config.rollups, source.name.as_str());
        let trial = Trial { store: &self.parts.store, clock: &*self.parts.clock, name, rollups };
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

    /// The answer where nothing is to be replaced, before anything is compiled.
    fn settled_early(
        &self,
        source: &PluginSource,
        trigger: ReloadTrigger,
        outline: &ComponentOutline,
        old: Option<&Plugin>,
    ) -> Result<Option<ReloadReport>, ReloadError> {
        let kind = outline.kind;
        if old.is_none() && !source.is_receiver && kind != PluginKind::Monitor {
            // The name may have been that of a monitor which could not be started.
            self.parts.watch.forget_failed(&source.name);
        }
        if let Some(old) = old {
            let is = old.info().kind;
            if is != kind {
                return Err(ReloadError::Kind { plugin: source.name.clone(), is, becomes: kind });
            }
        } else if kind == PluginKind::Sink && !source.is_receiver {
            let unused = Absence::Unused { sha256: outline.sha256.clone() };
            let (name, now) = (source.name.clone(), unused.clone());
            let before = self.parts.live.change(|live| live.absent.insert(name, now));
            let is_known = trigger == ReloadTrigger::File && before == Some(unused);
            let outcome = if is_known { ReloadOutcome::Unchanged } else { ReloadOutcome::Unused };
            return Ok(Some(self.report(source, trigger, outcome)));
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

    /// Whether a package is the one that runs, which may be trusted for another reason by now. One that fails, or is a monitor that could
    /// not be started, is started anew by request, though it be the same.
    fn is_the_same(
        &self,
        source: &PluginSource,
        old: &Plugin,
        opened: &VerifiedPackage,
        trigger: ReloadTrigger,
    ) -> bool {
        let is_unstarted =
            || old.info().kind == PluginKind::Monitor && self.parts.watch.has_failed(&source.name);
        if trigger != ReloadTrigger::File && (!old.status().state.is_active() || is_unstarted()) {
            return false;
        }
        self.parts.live.change(|live| {
            let running = live.packages.get_mut(&source.name);
            match running.filter(|package| package.content == opened.content()) {
                Some(package) => {
                    package.trust = opened.trust.clone();
                    package.entry = opened.entry.clone();
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
