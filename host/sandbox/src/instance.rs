//! A live copy of a plugin: one store, its typed exports, and the rules of entering it.
//!
//! Invariant: a deadline is set before every entry, and an instance whose call failed by force is never entered again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry_core::batch::EventBatch;
use telemetry_core::extension::{FailureReason, SavedState};
use telemetry_core::{Timestamp, limits};
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::lifecycle::Info;
use crate::bindings::types::{PluginError, StateParam};
use crate::convert::time_of;
use crate::engine::Execution;
use crate::failure;
use crate::guest::{Export, Lifecycle};
use crate::http::HttpClient;
use crate::key_value::KeyValueSpace;
use crate::plugin::PluginShared;
use crate::state::{Allowance, HostState, InstancePorts};
use crate::world::{Contract, PluginKind};

/// All that is needed to make an instance of a plugin.
pub(crate) struct Template<G: Export> {
    pub(crate) plugin: Arc<PluginShared>,
    kind: PluginKind,
    pre: InstancePre<HostState>,
    lifecycle: <Lifecycle as Export>::Indices,
    guest: G::Indices,
    config: String,
    http: Option<Arc<HttpClient>>,
}

/// An instance could not be made.
pub(crate) enum BirthError {
    /// Functions have other types than the contract's.
    Types(String),
    /// It failed.
    Failure(FailureReason),
}

/// A live copy of a plugin.
pub(crate) struct Instance<G> {
    store: Store<HostState>,
    lifecycle: Lifecycle,
    guest: G,
    high_water: usize,
}

impl<G: Export> Template<G> {
    pub(crate) fn new(
        plugin: Arc<PluginShared>,
        (kind, contract): (PluginKind, Contract),
        pre: InstancePre<HostState>,
        config: String,
        http: Option<Arc<HttpClient>>,
    ) -> wasmtime::Result<Self> {
        let lifecycle = Lifecycle::indices(&pre, contract)?;
        let guest = G::indices(&pre, contract)?;
        Ok(Self { plugin, kind, pre, lifecycle, guest, config, http })
    }

    /// A ready instance.
    pub(crate) fn start(&self, restored: Option<&SavedState>) -> Result<Instance<G>, FailureReason> {
        let mut instance = self.born().map_err(|error| match error {
            BirthError::Types(reason) => FailureReason::Output(reason),
            BirthError::Failure(reason) => reason,
        })?;
        self.init(&mut instance, restored)?;
        Ok(instance)
    }

    /// An instance that is not initialised.
    pub(crate) fn born(&self) -> Result<Instance<G>, BirthError> {
        let mut store = self.store();
        let deadline = self.plugin.runtime.options.init_deadline;
        let entry = enter(&mut store, deadline.into(), self.plugin.runtime.clock.now());
        let instance = match self.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => {
                return Err(BirthError::Failure(failure::of_birth(&error, store.data_mut(), deadline)));
            }
        };
        entry.left(&store);
        let types = |error: wasmtime::Error| BirthError::Types(format!("{error:#}"));
        let lifecycle = Lifecycle::load(&self.lifecycle, &mut store, &instance).map_err(types)?;
        let guest = G::load(&self.guest, &mut store, &instance).map_err(types)?;
        Ok(Instance { store, lifecycle, guest, high_water: usize::MAX })
    }

    /// Initialises an instance.
    pub(crate) fn init(
        &self,
        instance: &mut Instance<G>,
        restored: Option<&SavedState>,
    ) -> Result<(), FailureReason> {
        let restored = restored.map(|state| StateParam { version: state.version, bytes: &state.bytes });
        instance.run_early(|lifecycle, _, store| lifecycle.call_init(store, &self.config, restored))?;
        instance.high_water = self.plugin.limits.high_water(instance.memory());
        Ok(())
    }

    fn store(&self) -> Store<HostState> {
        let runtime = &self.plugin.runtime;
        let state = HostState::new(Arc::clone(&self.plugin), self.ports());
        let mut store = Store::new(&runtime.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.plugin.limits.output());
        store.set_max_component_handles(limits::MAX_PLUGIN_HANDLES);
        // Time spent in ports moved the deadline: an epoch that ends too early looks again at the time that is left.
        store.epoch_deadline_callback(|store| {
            let state = store.data();
            let left = state.own_time_left();
            Ok(if left.is_zero() {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Continue(state.plugin.runtime.ticker.ticks(left))
            })
        });
        store
    }

    fn ports(&self) -> InstancePorts {
        let ports = &self.plugin.ports;
        let name = || Arc::clone(&self.plugin.name);
        let key_value = match self.kind {
            PluginKind::Monitor => Some(KeyValueSpace::buffered(name(), Arc::clone(&ports.key_value))),
            PluginKind::Sink => Some(KeyValueSpace::written_through(name(), Arc::clone(&ports.key_value))),
            PluginKind::Validator | PluginKind::Aggregator => None,
        };
        let query = (self.kind == PluginKind::Monitor).then(|| Arc::clone(&ports.query));
        InstancePorts { key_value, query, http: self.http.clone() }
    }
}

impl<G> Instance<G> {
    /// Calls the plugin for at most `allowance`, at the time `now` of the records that it sees.
    pub(crate) fn call<R>(
        &mut self,
        allowance: impl Into<Allowance>,
        now: Timestamp,
        call: impl FnOnce(&G, &mut Store<HostState>) -> wasmtime::Result<Result<R, PluginError>>,
    ) -> Result<R, FailureReason> {
        self.run(allowance.into(), now, |_, guest, store| call(guest, store))
    }

    /// Calls the plugin with events, whose values it may read.
    pub(crate) fn call_with<R>(
        &mut self,
        allowance: impl Into<Allowance>,
        batch: &EventBatch,
        call: impl FnOnce(&G, &mut Store<HostState>) -> wasmtime::Result<Result<R, PluginError>>,
    ) -> Result<R, FailureReason> {
        self.store.data_mut().events = Some(batch.texts());
        let answer = self.call(allowance, time_of(batch.timestamps()), call);
        self.store.data_mut().events = None;
        answer
    }

    /// Asks the plugin once for something that does not change.
    pub(crate) fn ask<R>(
        &mut self,
        call: impl FnOnce(&G, &mut Store<HostState>) -> wasmtime::Result<R>,
    ) -> Result<R, FailureReason> {
        self.run_early(|_, guest, store| call(guest, store).map(Ok))
    }

    /// What the plugin says about itself.
    pub(crate) fn describe(&mut self) -> Result<Info, FailureReason> {
        self.run_early(|lifecycle, _, store| lifecycle.call_describe(store).map(Ok))
    }

    /// The plugin's state, as it is handed over once.
    pub(crate) fn snapshot(&mut self) -> Result<Option<SavedState>, FailureReason> {
        self.snapshot_within(self.store.data().plugin.runtime.options.init_deadline)
    }

    /// The plugin's state.
    pub(crate) fn snapshot_within(&mut self, time: Duration) -> Result<Option<SavedState>, FailureReason> {
        let now = self.store.data().plugin.runtime.clock.now();
        let state = self.run(time.into(), now, |lifecycle, _, store| lifecycle.call_snapshot(store))?;
        Ok(state.map(|state| SavedState { version: state.version, bytes: state.bytes }))
    }

    /// Drops a resource that the plugin made.
    pub(crate) fn drop_resource(
        &mut self,
        allowance: Duration,
        now: Timestamp,
        resource: ResourceAny,
    ) -> Result<(), FailureReason> {
        self.run(allowance.into(), now, |_, _, store| resource.resource_drop(store).map(Ok))
    }

    /// Bytes of all its linear memories, and of what the host keeps for it.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().limiter.memory()
    }

    /// Whether its memory grew so large that a fresh instance is better.
    pub(crate) fn is_worn(&self) -> bool {
        self.memory() > self.high_water
    }

    /// The instance's key-value space.
    pub(crate) fn key_value(&mut self) -> Option<&mut KeyValueSpace> {
        self.store.data_mut().ports.key_value.as_mut()
    }

    /// Runs a call of the lifecycle, at the host's own time.
    fn run_early<R>(
        &mut self,
        call: impl FnOnce(&Lifecycle, &G, &mut Store<HostState>) -> wasmtime::Result<Result<R, PluginError>>,
    ) -> Result<R, FailureReason> {
        let runtime = Arc::clone(&self.store.data().plugin.runtime);
        self.run(runtime.options.init_deadline.into(), runtime.clock.now(), call)
    }

    fn run<R>(
        &mut self,
        allowance: Allowance,
        now: Timestamp,
        call: impl FnOnce(&Lifecycle, &G, &mut Store<HostState>) -> wasmtime::Result<Result<R, PluginError>>,
    ) -> Result<R, FailureReason> {
        let entry = enter(&mut self.store, allowance, now);
        let answer = call(&self.lifecycle, &self.guest, &mut self.store);
        let state = self.store.data();
        state.plugin.meters.called(entry.start.elapsed(), state.waited());
        entry.left(&self.store);
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure::of_plugin(error)),
            Err(error) => {
                let state = self.store.data_mut();
                let had = state.time_it_had(allowance.whole);
                Err(failure::of_call(&error, state, had))
            }
        }
    }
}

/// An entry into guest code.
struct Entry {
    start: Instant,
    /// What it may burn, where fuel is counted.
    fuel: Option<u64>,
}

impl Entry {
    /// Counts the fuel that was burnt.
    fn left(&self, store: &Store<HostState>) {
        if let Some(fuel) = self.fuel {
            let rest = store.get_fuel().unwrap_or(0);
            store.data().plugin.meters.burnt(fuel.saturating_sub(rest));
        }
    }
}

/// Sets the deadline of the entry that follows: in fuel where guests run repeatably, else by the clock.
fn enter(store: &mut Store<HostState>, allowance: Allowance, now: Timestamp) -> Entry {
    let start = Instant::now();
    let state = store.data_mut();
    state.begin(start, allowance, now);
    let allowance = allowance.own.unwrap_or(allowance.whole).min(allowance.whole);
    let ticks = state.plugin.runtime.ticker.ticks(allowance);
    if state.plugin.runtime.options.execution == Execution::Fast {
        store.set_epoch_deadline(ticks);
        return Entry { start, fuel: None };
    }
    let millis = u64::try_from(allowance.as_millis()).unwrap_or(u64::MAX);
    let fuel = millis.saturating_mul(limits::FUEL_PER_MILLISECOND);
    // An engine that counts no fuel is impossible here; were it one, the call would end at once.
    let _ = store.set_fuel(fuel);
    Entry { start, fuel: Some(fuel) }
}
