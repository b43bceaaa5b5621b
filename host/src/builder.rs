//! Opens a host: store, plugins, queries, recording and the watchers, in this order.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use telemetry_core::{Clock, ErrorCode, SystemClock, limits};
use telemetry_sandbox::{Ports, Sandbox, SandboxError, SandboxOptions};
use telemetry_store::{Location, OpenError, RepairError, RepairMode, RepairReport, Store, StoreOptions};
use uuid::Uuid;

use crate::aggregation::{AggregationRegistry, Engine};
use crate::alerts::Absent;
use crate::config::{Backend, Config, ConfigError, Durability};
use crate::faults::{Faults, REBOOT_EVENT_TYPE};
use crate::guards::{LoopGuard, RecursionDepth};
use crate::host::{Host, Services};
use crate::logging::{LogHandle, RefusalLog};
use crate::plugins::{
    LateQueryPort, LivePlugins, OpenProgress, PluginLoadError, Progress, Reloader, ReloaderParts,
    RuntimeMetrics, StoreKeyValuePort, load_plugins, watched_files,
};
use crate::recording::{Recorder, RecorderParts, ValidatorChain};
use crate::rollups::{RollupBuilder, RollupSet};
use crate::timer::Timer;
use crate::watch::{Watch, WatchBase, WatchError, backlog_gate};

/// Why a host could not be opened; the message names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The configuration is unusable.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// The store could not be opened.
    #[error("the store could not be opened")]
    Store(#[from] OpenError),
    /// The plugin runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// A required plugin, or the plugin folder, could not be loaded.
    #[error("the plugins could not be loaded")]
    Plugins(#[from] PluginLoadError),
    /// The listener of [`HostBuilder::on_progress`] did not want it.
    #[error("the host was not opened: it was interrupted")]
    Interrupted,
    /// Monitors or deliveries could not be started.
    #[error("monitors and alerts could not be started")]
    Watch(#[from] WatchError),
    /// The thread that builds rollups could not be started.
    #[error("rollups could not be started")]
    Rollups(#[source] std::io::Error),
    /// The operating system gives no thread.
    #[error("no thread for what the host does by itself")]
    Thread(#[source] std::io::Error),
}

/// Sets up a [`Host`].
pub struct HostBuilder {
    config: Config,
    clock: Arc<dyn Clock>,
    log: LogHandle,
    reboot_request: Option<Box<crate::faults::RebootRequest>>,
    progress: Progress,
    background: bool,
    absent: Absent,
    handover_wait: Duration,
}

impl HostBuilder {
    /// A host with this configuration, the system's clock and no log of its own.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clock: Arc::new(SystemClock::default()),
            log: LogHandle::default(),
            reboot_request: None,
            progress: Progress::default(),
            background: true,
            absent: Absent::Removed,
            handover_wait: limits::HANDOVER_WAIT,
        }
    }

    /// With another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With the log that was set up by [`crate::logging`], so that health shows its state and closing flushes it.
    #[must_use]
    pub fn log(mut self, log: LogHandle) -> Self {
        self.log = log;
        self
    }

    /// What the embedding program does when one of the host's own errors keeps coming (AUTO_REBOOT_TRIGGERED). The
    /// host itself never ends the process.
    #[must_use]
    pub fn on_reboot_request(mut self, request: impl Fn(ErrorCode) + Send + Sync + 'static) -> Self {
        self.reboot_request = Some(Box::new(request));
        self
    }

    /// Is told what takes time while the host is opened; with [`ControlFlow::Break`] the host is not opened, nothing is
    /// recorded and the store is closed again.
    #[must_use]
    pub fn on_progress(
        mut self,
        listener: impl FnMut(OpenProgress<'_>) -> ControlFlow<()> + Send + 'static,
    ) -> Self {
        self.progress.listener = Some(Box::new(listener));
        self
    }

    /// Without threads of its own: monitors and deliveries move in [`Host::drain`] only, and samples are sealed and records
    /// expire in [`Host::maintain`]. For tests with a manual clock.
    #[must_use]
    pub fn without_background(mut self) -> Self {
        self.background = false;
        self
    }

    /// For one command on the data of a host that may be configured otherwise: monitors and receivers that this configuration
    /// does not name keep their state, their alerts and their deliveries. Else they count as removed.
    #[must_use]
    pub fn as_visitor(mut self) -> Self {
        self.absent = Absent::Kept;
        self
    }

    /// How long a monitor that is replaced, disabled or removed is waited for, to come to the end of what it is at;
    /// [`HANDOVER_WAIT`](telemetry_core::limits::HANDOVER_WAIT) otherwise. One that takes longer is not replaced, or is stopped later.
    #[must_use]
    pub fn handover_wait(mut self, wait: Duration) -> Self {
        self.handover_wait = wait;
        self
    }

    /// Opens it.
    pub fn open(self) -> Result<Host, HostError> {
        let Self { config, clock, log, reboot_request, mut progress, background, absent, handover_wait } =
            self;
        config.validate()?;
        let store = Arc::new(Store::open(store_options(&config, background), Arc::clone(&clock))?);
        let query_port = Arc::new(LateQueryPort::default());
        let sandbox = sandbox(&config, &store, &query_port, &clock)?;
        let files = watched_files(&config);
        let loaded = load_plugins(&config, &sandbox, &store, &mut progress)?;
        progress.tell(OpenProgress::Starting)?;
        let set = Arc::new(RollupSet::new(&config.rollups));
        let services = Arc::new(Services {
            store: Arc::clone(&store),
            engine: Engine::new(Arc::clone(&clock)),
            registry: ArcSwap::from_pointee(
                AggregationRegistry::new(loaded.aggregations()).with_rollups(Arc::clone(&set)),
            ),
        });
        query_port.connect(&services);
        let faults = Arc::new(Faults::new(Arc::clone(&clock)));
        let backlog = Arc::new(backlog_gate(&config));
        let parts = RecorderParts {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            loop_guard: LoopGuard::new(&config.loops, Arc::clone(&clock)),
            recursion: RecursionDepth::new(config.max_recursion_depth),
            refusals: RefusalLog::new(Arc::clone(&clock)),
            faults: Arc::clone(&faults),
            events_retention: config.retention_policy.events.duration(),
            metrics_retention: config.retention_policy.metrics.duration(),
            backlog: Arc::clone(&backlog),
        };
        let recorder = Arc::new(Recorder::new(parts, ValidatorChain::new(loaded.validators())));
        faults.on_reboot_request(reboot_trigger(&recorder, reboot_request));
        let base = WatchBase {
            store: &store,
            clock: &clock,
            faults: &faults,
            backlog: &backlog,
            absent,
            handover_wait,
        };
        let watch = Arc::new(Watch::start(&config, &base, &loaded, background)?);
        let rollups = RollupBuilder::new(Arc::clone(&services), set, Arc::clone(&clock));
        let plugins = Arc::new(LivePlugins::new(loaded));
        let reloader = Arc::new(Reloader::new(ReloaderParts {
            config: config.clone(),
            sandbox,
            clock: Arc::clone(&clock),
            store,
            live: Arc::clone(&plugins),
            recorder: Arc::clone(&recorder),
            services: Arc::clone(&services),
            watch: Arc::clone(&watch),
            files,
        }));
        let (live, recording) = (Arc::clone(&plugins), Arc::clone(&recorder));
        let metrics = Arc::new(RuntimeMetrics { recorder: recording, live, watch: Arc::clone(&watch) });
        if background && rollups.has_work() {
            rollups.start().map_err(HostError::Rollups)?;
        }
        let timer = if background { start_background(&config, &reloader, &metrics)? } else { None };
        let (started, instance) = (clock.monotonic(), Uuid::new_v4());
        let (watch, timer) = (Mutex::new(Some(watch)), Mutex::new(timer));
        let host = Host {
            config,
            clock,
            started,
            instance,
            services,
            recorder,
            plugins,
            reloader,
            metrics,
            timer,
            faults,
            log,
            backlog,
            background,
            watch,
            rollups,
        };
        Ok(host)
    }
}

/// Starts what minds the plugins, and the timer that records their figures.
fn start_background(
    config: &Config,
    reloader: &Arc<Reloader>,
    metrics: &Arc<RuntimeMetrics>,
) -> Result<Option<Timer>, HostError> {
    reloader.start().map_err(HostError::Thread)?;
    let recorded = config.plugins.runtime_metrics;
    if !recorded.enabled {
        return Ok(None);
    }
    let metrics = Arc::clone(metrics);
    let record = move || {
        metrics.record();
    };
    Timer::start("plugin-metrics", recorded.interval.duration(), record).map(Some).map_err(HostError::Thread)
}

/// Repairs the store of a configuration, which no host may have open: see [`telemetry_store::repair`].
///
/// # Errors
/// A host has it open, too little of it can be read, or the file system failed. Then it is as it was.
pub fn repair_store(
    config: &Config,
    clock: Arc<dyn Clock>,
    mode: RepairMode,
) -> Result<RepairReport, RepairError> {
    telemetry_store::repair(&store_options(config, false), clock, mode)
}

fn store_options(config: &Config, background: bool) -> StoreOptions {
    let storage = &config.storage_config;
    StoreOptions {
        location: match storage.backend {
            Backend::TimeseriesDb => Location::Directory(storage.connection_string.clone()),
            Backend::Memory => Location::Memory,
        },
        durability: match storage.durability {
            Durability::Process => telemetry_store::Durability::Process,
            Durability::Power => telemetry_store::Durability::Power,
        },
        events_retention: config.retention_policy.events.duration(),
        metrics_retention: config.retention_policy.metrics.duration(),
        max_bytes: storage.max_bytes.map(|bytes| bytes.0),
        memory_bytes: storage.memory_bytes.0,
        max_series_per_metric: storage.max_series_per_metric,
        max_series: storage.max_series,
        max_log_bytes: storage.max_log_bytes.0,
        min_free_bytes: storage.min_free_bytes.0,
        background,
    }
}

fn sandbox(
    config: &Config,
    store: &Arc<Store>,
    query: &Arc<LateQueryPort>,
    clock: &Arc<dyn Clock>,
) -> Result<Sandbox, SandboxError> {
    let storage = &config.storage_config;
    let beside_the_data = || match storage.backend {
        Backend::TimeseriesDb => Some(storage.connection_string.join("plugin_cache")),
        Backend::Memory => None,
    };
    let cache_directory = config.plugins.cache_directory.clone().or_else(beside_the_data);
    let options = SandboxOptions { cache_directory, ..SandboxOptions::default() };
    let ports = Ports {
        key_value: Arc::new(StoreKeyValuePort { store: Arc::clone(store) }),
        query: Arc::clone(query) as Arc<dyn telemetry_core::extension::QueryPort>,
    };
    Sandbox::new(options, ports, Arc::clone(clock))
}

/// Records AUTO_REBOOT_TRIGGERED and asks the embedding program.
fn reboot_trigger(
    recorder: &Arc<Recorder>,
    request: Option<Box<crate::faults::RebootRequest>>,
) -> Box<crate::faults::RebootRequest> {
    let recorder = Arc::downgrade(recorder);
    Box::new(move |code| {
        if let Some(recorder) = recorder.upgrade() {
            let data = serde_json::Map::from_iter([("error_code".to_owned(), code.as_str().into())]);
            let event = telemetry_core::EventDraft::new(REBOOT_EVENT_TYPE, "Bridge_Telemetry")
                .with_data(telemetry_core::JsonObject::from(&data));
            // With a failing store the event cannot be kept: that is logged, and the request below still goes out.
            let _ = recorder.record_own_event(event);
        }
        if let Some(request) = &request {
            request(code);
        }
    })
}
