//! A loaded plugin: what it is, how it does, and the core traits through which the host uses it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use telemetry_core::aggregation::AggregationSource;
use telemetry_core::extension::{Door, FailureReason, Monitor, PluginFailure, SavedState, Sink, Validator};
use telemetry_core::limits;

use crate::aggregation::PluginAggregations;
use crate::failure::loses_instance;
use crate::faults::{Faults, Mark, OpenFault, OpenFaults, User};
use crate::inspect::PluginInfo;
use crate::limits::PluginLimits;
use crate::log::PluginLog;
use crate::log_ring::LogRing;
use crate::meters::Meters;
use crate::monitor::MonitorRole;
use crate::runtime::Runtime;
use crate::sink::SinkRole;
use crate::spec::Ports;
use crate::status::PluginStatus;
use crate::supervisor::{Standing, Supervisor};
use crate::validator::PluginValidator;

/// What all versions of one plugin share.
#[derive(Clone, Default)]
pub(crate) struct Lineage {
    pub(crate) log: Arc<LogRing>,
    pub(crate) meters: Arc<Meters>,
}

/// Is told when a version of a plugin failed.
type Alarm = Box<dyn Fn() + Send + Sync>;

/// What all instances of one version of a plugin share.
pub(crate) struct PluginShared {
    pub(crate) name: Arc<str>,
    pub(crate) limits: PluginLimits,
    pub(crate) log: PluginLog,
    pub(crate) meters: Arc<Meters>,
    pub(crate) supervisor: Supervisor,
    pub(crate) ports: Ports,
    pub(crate) runtime: Arc<Runtime>,
    /// Failures that are this version's own fault.
    pub(crate) faults: Faults,
    /// Calls whose time was over before the host had judged all their events by a schema.
    pub(crate) left_untold: AtomicU64,
    /// Failures to save or to merge states that are not charged yet.
    open: OpenFaults,
    alarm: OnceLock<Alarm>,
}

impl PluginShared {
    /// A version that counts in `meters` and whose log's last lines go to `kept`; without it there is no log.
    pub(crate) fn new(
        name: &str,
        limits: PluginLimits,
        ports: Ports,
        runtime: Arc<Runtime>,
        meters: Arc<Meters>,
        kept: Option<Arc<LogRing>>,
    ) -> Self {
        let name: Arc<str> = name.into();
        let clock = &runtime.clock;
        Self {
            log: PluginLog::new(Arc::clone(&name), limits.log_lines_per_second, Arc::clone(clock), kept),
            supervisor: Supervisor::new(
                runtime.options.supervision.clone(),
                Arc::clone(clock),
                Door::counting_in(meters.turned_away()),
            ),
            meters,
            name,
            limits,
            ports,
            runtime,
            faults: Faults::default(),
            left_untold: AtomicU64::new(0),
            open: OpenFaults::default(),
            alarm: OnceLock::new(),
        }
    }

    /// A fault was counted.
    fn raise_alarm(&self) {
        if let Some(alarm) = self.alarm.get() {
            alarm();
        }
    }

    /// A failure of this plugin that was counted already, or is not to be counted.
    pub(crate) fn failure(&self, reason: FailureReason) -> PluginFailure {
        PluginFailure { plugin: self.name.to_string(), reason }
    }

    /// A call was not made.
    pub(crate) fn refused(&self, reason: FailureReason) -> PluginFailure {
        self.meters.refused(&reason);
        self.failure(reason)
    }

    /// The plugin itself answered an error.
    pub(crate) fn answered(&self, reason: FailureReason) -> PluginFailure {
        self.meters.failed(&reason);
        self.charge_answer(&reason, || self.faults.note(self.faults.mark(User::Asker)));
        self.failure(reason)
    }

    /// An instance was lost.
    pub(crate) fn lost(&self, reason: FailureReason) -> PluginFailure {
        self.lost_for(1, reason)
    }

    /// Somebody who got an instance at the mark lost it, or was answered an error.
    pub(crate) fn failed_since(&self, mark: Mark, reason: FailureReason) -> PluginFailure {
        self.meters.failed(&reason);
        self.charge(&reason, || self.faults.note(mark));
        self.failure(reason)
    }

    /// The same of a call that saves or merges states. What it is charged with is left open, until it is known whether the states were
    /// on their way from one instance to another; the failure's number says which is to be settled.
    pub(crate) fn left_open_since(&self, mark: Mark, reason: FailureReason) -> (PluginFailure, u64) {
        self.meters.failed(&reason);
        let number = self.open.leave(mark, reason.clone());
        (self.failure(reason), number)
    }

    /// Charges a failure that was left open as any other; nothing where it is settled.
    pub(crate) fn settle(&self, number: u64) {
        if let Some(OpenFault { mark, reason, .. }) = self.open.take(number) {
            self.charge(&reason, || self.faults.note(mark));
        }
    }

    /// Charges the last failure that this thread left open: the states were on their way from one instance to another.
    pub(crate) fn settle_handing_over(&self) {
        if let Some(OpenFault { mark, reason, .. }) = self.open.take_own() {
            let now = self.runtime.clock.monotonic();
            self.charge(&reason, || self.faults.note_handing_over(mark, now));
        }
    }

    /// An instance could not be made since a moment: it may have had as much time for that as many calls, and whoever asked waited.
    pub(crate) fn unmade_since(&self, begun: Instant, reason: FailureReason) -> PluginFailure {
        let call = self.limits.deadline().max(limits::PLUGIN_CALL_DEADLINE);
        let calls = begun.elapsed().as_nanos() / call.as_nanos().max(1);
        self.lost_for(u32::try_from(calls).unwrap_or(u32::MAX), reason)
    }

    fn lost_for(&self, calls: u32, reason: FailureReason) -> PluginFailure {
        self.meters.failed(&reason);
        self.charge_loss(calls, &reason, || self.faults.note(self.faults.mark(User::Asker)));
        self.failure(reason)
    }

    fn charge(&self, reason: &FailureReason, is_counted: impl FnOnce() -> bool) {
        if loses_instance(reason) {
            self.charge_loss(1, reason, is_counted);
        } else {
            self.charge_answer(reason, is_counted);
        }
    }

    /// The other errors are about what it was asked, or pass.
    fn charge_answer(&self, reason: &FailureReason, is_counted: impl FnOnce() -> bool) {
        if matches!(reason, FailureReason::Other(_)) && is_counted() {
            self.raise_alarm();
        }
    }

    fn charge_loss(&self, calls: u32, reason: &FailureReason, is_counted: impl FnOnce() -> bool) {
        if !is_counted() {
            return;
        }
        self.supervisor.failed(calls);
        self.raise_alarm();
        let plugin = &*self.name;
        if self.log.is_silent() {
            // A trial says itself what became of it.
            return;
        }
        self.log.remark(tracing::Level::WARN, &format!("it lost an instance: {reason}"));
        match self.supervisor.standing() {
            Standing::Quarantined(retry_in) => {
                tracing::error!(plugin, kind = reason.kind(), %reason, ?retry_in, "a plugin is in quarantine");
            }
            _ => tracing::warn!(plugin, kind = reason.kind(), %reason, "a plugin lost an instance"),
        }
    }
}

/// A version of a plugin that is loaded. Cloning shares it.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<PluginShared>,
    info: PluginInfo,
    role: Role,
}

/// What a plugin does, by its kind.
pub(crate) enum Role {
    Validator(Arc<PluginValidator>),
    Aggregator(Arc<PluginAggregations>),
    Monitor(Arc<MonitorRole>),
    Sink(Arc<SinkRole>),
}

impl Plugin {
    pub(crate) fn new(shared: Arc<PluginShared>, info: PluginInfo, role: Role) -> Self {
        Self { inner: Arc::new(Inner { shared, info, role }) }
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.inner.shared.name
    }

    /// What the plugin is.
    pub fn info(&self) -> &PluginInfo {
        &self.inner.info
    }

    /// How the plugin does.
    pub fn status(&self) -> PluginStatus {
        let unsplit = match &self.inner.role {
            Role::Aggregator(aggregations) => aggregations.unsplit(),
            _ => Vec::new(),
        };
        PluginStatus::of(&self.inner.shared, unsplit)
    }

    pub(crate) fn lineage(&self) -> Lineage {
        let shared = &self.inner.shared;
        Lineage { log: self.log(), meters: Arc::clone(&shared.meters) }
    }

    /// The last lines of its log, over all versions.
    pub fn log(&self) -> Arc<LogRing> {
        self.inner.shared.log.kept()
    }

    /// Keeps what the host has to say of it among the lines of its log.
    pub fn remark(&self, level: tracing::Level, text: &str) {
        self.inner.shared.log.remark(level, text);
    }

    /// How often this version failed by its own fault: it trapped, took too long or too much, answered what cannot be used,
    /// or an error that does not pass. What several threads of one query meet counts once.
    pub fn faults(&self) -> u64 {
        self.inner.shared.faults.count()
    }

    /// How often this version had no time left to have all events of a call judged by its schemas: slow ones took it, which is no fault of
    /// its own.
    pub fn left_untold(&self) -> u64 {
        self.inner.shared.left_untold.load(Ordering::Relaxed)
    }

    /// Calls back at each of these failures, on the thread that met it, which may hold locks. The first callback stays.
    pub fn on_fault(&self, alarm: impl Fn() + Send + Sync + 'static) {
        let _ = self.inner.shared.alarm.set(Box::new(alarm));
    }

    /// The state that it would hand over to another version. A monitor's stands in its checkpoint, and a sink's is to be had
    /// while nobody holds the sink.
    pub fn snapshot(&self) -> Result<Option<SavedState>, PluginFailure> {
        match &self.inner.role {
            Role::Validator(validator) => validator.snapshot(),
            Role::Aggregator(aggregations) => aggregations.snapshot(),
            Role::Monitor(_) => Ok(None),
            Role::Sink(sink) => sink.snapshot(),
        }
    }

    /// The validator; `None` for another kind.
    pub fn validator(&self) -> Option<Arc<dyn Validator>> {
        match &self.inner.role {
            Role::Validator(validator) => Some(Arc::clone(validator) as Arc<dyn Validator>),
            _ => None,
        }
    }

    /// The aggregate functions; `None` for another kind.
    pub fn aggregations(&self) -> Option<Arc<dyn AggregationSource>> {
        match &self.inner.role {
            Role::Aggregator(aggregations) => Some(Arc::clone(aggregations) as Arc<dyn AggregationSource>),
            _ => None,
        }
    }

    /// The monitor, started from `restored`; `None` for another kind. There is one at a time: while it lives, a second one
    /// is refused.
    pub fn monitor(&self, restored: Option<SavedState>) -> Option<Result<Box<dyn Monitor>, PluginFailure>> {
        match &self.inner.role {
            Role::Monitor(role) => {
                Some(role.start(restored).map(|monitor| Box::new(monitor) as Box<dyn Monitor>))
            }
            _ => None,
        }
    }

    /// The sink; `None` for another kind, and while the one there is lives.
    pub fn sink(&self) -> Option<Box<dyn Sink>> {
        match &self.inner.role {
            Role::Sink(role) => role.open().map(|sink| Box::new(sink) as Box<dyn Sink>),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}
