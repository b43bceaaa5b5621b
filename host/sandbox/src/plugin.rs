//! A loaded plugin: what it is, how it does, and the core traits through which the host uses it.

use std::sync::Arc;

use telemetry_core::aggregation::AggregationSource;
use telemetry_core::extension::{FailureReason, Monitor, PluginFailure, SavedState, Sink, Validator};

use crate::aggregation::PluginAggregations;
use crate::inspect::PluginInfo;
use crate::limits::PluginLimits;
use crate::log::PluginLog;
use crate::meters::Meters;
use crate::monitor::MonitorRole;
use crate::runtime::Runtime;
use crate::sink::SinkRole;
use crate::status::PluginStatus;
use crate::supervisor::{Standing, Supervisor};
use crate::validator::PluginValidator;

/// What all instances of one plugin share.
pub(crate) struct PluginShared {
    pub(crate) name: Arc<str>,
    pub(crate) limits: PluginLimits,
    pub(crate) log: PluginLog,
    pub(crate) meters: Arc<Meters>,
    pub(crate) supervisor: Supervisor,
    pub(crate) runtime: Arc<Runtime>,
}

impl PluginShared {
    pub(crate) fn new(name: &str, limits: PluginLimits, runtime: Arc<Runtime>) -> Self {
        let name: Arc<str> = name.into();
        let clock = &runtime.clock;
        Self {
            log: PluginLog::new(Arc::clone(&name), limits.log_lines_per_second, Arc::clone(clock)),
            supervisor: Supervisor::new(runtime.options.supervision.clone(), Arc::clone(clock)),
            meters: Arc::new(Meters::default()),
            name,
            limits,
            runtime,
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
        self.failure(reason)
    }

    /// An instance was lost, or could not be made.
    pub(crate) fn lost(&self, reason: FailureReason) -> PluginFailure {
        self.meters.failed(&reason);
        self.supervisor.failed();
        let plugin = &*self.name;
        match self.supervisor.standing() {
            Standing::Quarantined(retry_in) => {
                tracing::error!(plugin, kind = reason.kind(), %reason, ?retry_in, "a plugin is in quarantine");
            }
            _ => tracing::warn!(plugin, kind = reason.kind(), %reason, "a plugin lost an instance"),
        }
        self.failure(reason)
    }
}

/// A loaded plugin. Cloning shares it.
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
        PluginStatus::of(&self.inner.shared)
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
