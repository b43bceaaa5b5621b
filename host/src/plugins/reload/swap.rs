//! The last step: a new version takes the place of the one before.
//!
//! Invariant: where this fails, the version before goes on where it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry_core::extension::{PluginFailure, SavedState};
use telemetry_sandbox::{LoadError, Plugin, PluginKind, PreparedPlugin};

use super::Reloader;
use super::error::{ReloadError, not_of_kind};
use super::report::StateHandover;
use crate::monitors::{HandoverError, StartedFrom, Successor};
use crate::plugins::LoadedPlugins;
use crate::plugins::source::PluginSource;

/// A version took its place.
pub(super) struct Swapped {
    pub(super) plugin: Arc<Plugin>,
    /// For how long the plugin did nothing.
    pub(super) pause: Duration,
    pub(super) state: StateHandover,
    /// The state that a monitor left.
    pub(super) left_state: Option<SavedState>,
}

/// A saved state and what there is to say of it.
pub(super) type Restored = (Option<SavedState>, StateHandover);

/// The state of a version that is to be replaced. One that cannot save it is no reason to keep it.
pub(super) fn saved_state(old: &Plugin) -> Restored {
    // A sink's is to be had only when it is taken from its receiver.
    match old.snapshot() {
        Ok(Some(state)) => (Some(state), StateHandover::HandedOver),
        Ok(None) => (None, StateHandover::None),
        Err(failure) => (None, StateHandover::Lost(failure.to_string())),
    }
}

impl Reloader {
    /// Lets a new version take the place of `old`.
    pub(super) fn swap(
        &self,
        source: &PluginSource,
        prepared: PreparedPlugin,
        old: Option<&Arc<Plugin>>,
        restored: Restored,
    ) -> Result<Swapped, ReloadError> {
        match prepared.kind() {
            PluginKind::Validator | PluginKind::Aggregator => {
                let (restored, state) = restored;
                let plugin = self.born(source, self.bear(source, &prepared, old, restored))?;
                let pause = self.put(source, &plugin);
                Ok(Swapped { plugin, pause, state, left_state: None })
            }
            PluginKind::Monitor => {
                let plugin = self.born(source, self.bear(source, &prepared, old, None))?;
                self.swap_monitor(source, plugin)
            }
            PluginKind::Sink => self.swap_sink(source, &prepared, old),
        }
    }

    /// Initialises a version, which continues the log of the one before, though that was stopped.
    fn bear(
        &self,
        source: &PluginSource,
        prepared: &PreparedPlugin,
        old: Option<&Arc<Plugin>>,
        restored: Option<SavedState>,
    ) -> Result<Plugin, LoadError> {
        match old {
            Some(old) => prepared.succeed(old, restored),
            None => {
                let log = self.parts.live.read(|live| live.logs.get(&source.name).cloned());
                prepared.load_after(log.unwrap_or_default())
            }
        }
    }

    fn born(
        &self,
        source: &PluginSource,
        plugin: Result<Plugin, LoadError>,
    ) -> Result<Arc<Plugin>, ReloadError> {
        let plugin =
            plugin.map_err(|error| ReloadError::State { plugin: source.name.clone(), source: error })?;
        self.mind(&plugin);
        Ok(Arc::new(plugin))
    }

    /// Hears of the failures of a version.
    fn mind(&self, plugin: &Plugin) {
        let bell = Arc::clone(&self.bell);
        plugin.on_fault(move || bell.ring());
    }

    /// Lists a version in the place of the one before, and has recording and queries use it. What is under way finishes in
    /// the version that it began in. Answers how long that took.
    pub(super) fn put(&self, source: &PluginSource, plugin: &Arc<Plugin>) -> Duration {
        let settings = self.parts.config.plugins.settings_of(&source.component);
        let receivers = self.parts.config.alerting.all_receivers();
        let kind = plugin.info().kind;
        self.parts.live.change(|live| {
            match source.is_receiver {
                true => {
                    // Its component can be used again, whatever was wrong with that; a receiver of that name has a reason of its own.
                    live.absent.retain(|name, _| *name != source.component || receivers.contains_key(name));
                    live.take_receiver(Arc::clone(plugin));
                }
                false => live.take(Arc::clone(plugin), &settings),
            }
            let began = Instant::now();
            self.have_used(live, kind);
            began.elapsed()
        })
    }

    /// Has recording and queries use what is loaded of a kind now. What is under way goes on with what it began with.
    pub(super) fn have_used(&self, live: &LoadedPlugins, kind: PluginKind) {
        match kind {
            PluginKind::Validator => self.parts.recorder.set_validators(live.validators()),
            PluginKind::Aggregator => self.parts.services.set_aggregations(live.aggregations()),
            PluginKind::Monitor | PluginKind::Sink => {}
        }
    }

    fn swap_monitor(&self, source: &PluginSource, plugin: Arc<Plugin>) -> Result<Swapped, ReloadError> {
        let (name, watch) = (&source.name, &self.parts.watch);
        let successor = Arc::clone(&plugin);
        let start = move |state| {
            started(&successor, state).map(|monitor| Successor {
                monitor,
                from: StartedFrom::Handed,
                on_probation: true,
            })
        };
        match watch.replace_monitor(name, Box::new(start)) {
            Ok(handover) => {
                self.put(source, &plugin);
                let state = match handover.state {
                    Some(_) => StateHandover::HandedOver,
                    None => StateHandover::None,
                };
                Ok(Swapped { plugin, pause: handover.pause, state, left_state: handover.state })
            }
            Err(HandoverError::NotRunning { .. }) => {
                watch
                    .add_monitor(&plugin)
                    .map_err(|error| ReloadError::Monitor { plugin: name.clone(), source: error })?;
                self.put(source, &plugin);
                Ok(Swapped { plugin, pause: Duration::ZERO, state: StateHandover::None, left_state: None })
            }
            Err(error) => Err(ReloadError::Handover { plugin: name.clone(), source: error }),
        }
    }

    /// The old sink is put down before the new one is initialised: what a sink does while it starts has effects.
    fn swap_sink(
        &self,
        source: &PluginSource,
        prepared: &PreparedPlugin,
        old: Option<&Arc<Plugin>>,
    ) -> Result<Swapped, ReloadError> {
        let swapped = self.parts.watch.hand_over_sink(&source.name, |before| {
            let began = Instant::now();
            let was_held = before.is_some();
            drop(before);
            let (restored, state) = old.map(|old| saved_state(old)).unwrap_or_default();
            match self.born(source, self.bear(source, prepared, old, restored)) {
                Ok(plugin) => {
                    let sink = plugin.sink();
                    let pause = if was_held { began.elapsed() } else { Duration::ZERO };
                    (sink, Ok(Swapped { plugin, pause, state, left_state: None }))
                }
                Err(error) => (old.filter(|_| was_held).and_then(|old| old.sink()), Err(error)),
            }
        });
        let no_receiver = || ReloadError::NoReceiver { plugin: source.name.clone() };
        let swapped = swapped.ok_or_else(no_receiver)??;
        self.put(source, &swapped.plugin);
        Ok(swapped)
    }
}

/// The monitor of a plugin, started from a state.
pub(super) fn started(
    plugin: &Plugin,
    state: Option<SavedState>,
) -> Result<Box<dyn telemetry_core::extension::Monitor>, PluginFailure> {
    plugin.monitor(state).unwrap_or_else(|| Err(not_of_kind(plugin.name(), PluginKind::Monitor)))
}
