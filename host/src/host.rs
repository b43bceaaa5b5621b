//! The host: everything wired together, behind one handle that all threads share.
//!
//! Invariant: what is watched was stored before; closing stops the watchers first and the store last.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use telemetry_core::aggregation::AggregationSource;
use telemetry_core::{
    Alert, Clock, DeadLetter, ErrorCode, EventDraft, EventPage, EventQuery, MetricDraft, Subscription,
    Timestamp,
};
use telemetry_store::{
    BackupError, BackupSummary, InventoryDepth, Maintenance, Store, StoreError, StoreInventory, StoredRecord,
    VerifyReport,
};
use uuid::Uuid;

use crate::aggregation::{AggregationRegistry, Engine, MetricsAnswer};
use crate::alerts::{AlertFilter, ReplayError};
use crate::builder::{HostBuilder, HostError};
use crate::config::Config;
use crate::envelope::EnvelopeError;
use crate::faults::Faults;
use crate::health::Health;
use crate::logging::LogHandle;
use crate::monitors::BacklogGate;
use crate::plugins::{Lags, LivePlugins, PluginListing, Reloader, RuntimeMetrics, plugin_listings};
use crate::query::{MetricQuery, QueryError};
use crate::recording::{ImportBatch, ImportOutcome, Receipt, RecordError, RecordRef, Recorder, SubscriberId};
use crate::rollups::RollupBuilder;
use crate::timer::Timer;
use crate::watch::Watch;

/// What queries need; shared with the port through which monitors ask.
pub(crate) struct Services {
    pub(crate) store: Arc<Store>,
    pub(crate) engine: Engine,
    pub(crate) registry: ArcSwap<AggregationRegistry>,
}

impl Services {
    /// From now on queries find these functions; those that are under way finish with the ones that they began with.
    pub(crate) fn set_aggregations(&self, plugins: Vec<Arc<dyn AggregationSource>>) {
        let registry = self.registry.load().with_plugins(plugins);
        self.registry.store(Arc::new(registry));
    }

    /// Answers a query; with `as_of`, as if nothing later had been recorded.
    pub(crate) fn run_query(
        &self,
        query: &MetricQuery,
        as_of: Option<Timestamp>,
    ) -> Result<MetricsAnswer, QueryError> {
        self.engine.run(query, self.store.as_ref(), &self.registry.load_full(), as_of)
    }
}

/// A telemetry host. All calls take `&self` and may come from any thread; calls block for one write-ahead record at
/// most, so that async callers wrap them in `spawn_blocking`.
///
/// ```no_run
/// use bridge_telemetry::{Config, Context, Host, MetricDraft, MetricQuery};
///
/// let host = Host::open(Config::default())?;
/// let context = Context::from_labels([("status", "ok")]);
/// host.record_metric(MetricDraft::new("command_processing_time_ms", 12.5).with_context(context))?;
/// println!("{}", host.get_metrics(&MetricQuery::default())?.to_json());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Host {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started: Duration,
    pub(crate) instance: Uuid,
    pub(crate) services: Arc<Services>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) plugins: Arc<LivePlugins>,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    pub(crate) timer: Mutex<Option<Timer>>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) log: LogHandle,
    pub(crate) backlog: Arc<BacklogGate>,
    pub(crate) background: bool,
    pub(crate) watch: Mutex<Option<Arc<Watch>>>,
    pub(crate) rollups: Arc<RollupBuilder>,
}

impl Host {
    /// Opens a host with the system's clock.
    pub fn open(config: Config) -> Result<Self, HostError> {
        HostBuilder::new(config).open()
    }

    /// Names this run of this host; another run has another name.
    pub fn instance(&self) -> Uuid {
        self.instance
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Stores one event. With an id that is known, answers the first time and stores nothing.
    pub fn record_event(&self, event: EventDraft) -> Result<Receipt, RecordError> {
        self.recorder.record_event(event)
    }

    /// Stores events in one write; one result per event, in order. What is good is stored, whatever the others are.
    pub fn record_events(&self, events: Vec<EventDraft>) -> Vec<Result<Receipt, RecordError>> {
        self.recorder.record_events(events)
    }

    /// Stores one sample.
    pub fn record_metric(&self, metric: MetricDraft) -> Result<Receipt, RecordError> {
        self.recorder.record_metric(metric)
    }

    /// Stores samples in one write; one result per sample, in order. What is good is stored, whatever the others are.
    pub fn record_metrics(&self, metrics: Vec<MetricDraft>) -> Vec<Result<Receipt, RecordError>> {
        self.recorder.record_metrics(metrics)
    }

    /// Stores a batch once, however often it is sent: an interrupted import can be sent again from its start.
    pub fn import(&self, batch: ImportBatch) -> Result<ImportOutcome, RecordError> {
        self.recorder.import(batch)
    }

    /// Aggregates samples.
    pub fn get_metrics(&self, query: &MetricQuery) -> Result<MetricsAnswer, QueryError> {
        self.noted(self.services.run_query(query, None))
    }

    /// An event or sample by its id.
    pub fn get_event(&self, id: Uuid) -> Result<Option<StoredRecord>, QueryError> {
        self.noted(self.services.store.find(id).map_err(QueryError::from))
    }

    /// One page of events.
    pub fn query_events(&self, query: &EventQuery) -> Result<EventPage, QueryError> {
        self.noted(self.services.store.query_events(query).map_err(QueryError::from))
    }

    /// Calls back on the recording thread after each record that the subscription wants was stored. The callback may
    /// record; nesting is limited by `max_recursion_depth`.
    pub fn subscribe(
        &self,
        subscription: Subscription,
        callback: impl Fn(RecordRef<'_>) + Send + Sync + 'static,
    ) -> SubscriberId {
        self.recorder.subscribers.add(subscription, callback)
    }

    /// Ends a subscription; false when there was none.
    pub fn unsubscribe(&self, id: SubscriberId) -> bool {
        self.recorder.subscribers.remove(id)
    }

    /// How the host does.
    pub fn health_check(&self) -> Health {
        Health::of(self)
    }

    /// The alerts that are kept: those that fire first.
    pub fn alerts(&self, filter: AlertFilter) -> Result<Vec<Alert>, QueryError> {
        let alerts = crate::alerts::list_alerts(self.services.store.as_ref(), filter);
        self.noted(alerts.map_err(QueryError::from))
    }

    /// Deliveries that were given up; none after [`Host::close`].
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, QueryError> {
        let letters = match &*self.watch.lock() {
            Some(watch) => watch.dead_letters().map_err(QueryError::from),
            None => Ok(Vec::new()),
        };
        self.noted(letters)
    }

    /// Reports a fault of a layer that answers in the host's name, such as the server: it is logged and counted like the
    /// host's own. Codes that are a caller's fault are not.
    pub fn report_fault(&self, code: ErrorCode, error: &(dyn std::error::Error + 'static)) {
        self.faults.report(code, error);
        self.faults.settle();
    }

    /// Reports a query's failure, where it is not the caller's.
    fn noted<T>(&self, answer: Result<T, QueryError>) -> Result<T, QueryError> {
        match &answer {
            Err(QueryError::Cancelled) | Ok(_) => {}
            Err(error) => self.report_fault(error.code(), error),
        }
        answer
    }

    /// Sends what was given up for one receiver on its way again, of one alert or (with `None`) of all; answers how many
    /// deliveries that are. What the outbox has no room for stays a dead letter.
    pub fn replay_dead_letters(
        &self,
        alert_id: impl Into<Option<Uuid>>,
        receiver: &str,
    ) -> Result<usize, ReplayError> {
        let replayed =
            self.watch.lock().as_ref().map_or(Ok(0), |watch| watch.replay(alert_id.into(), receiver));
        if let Err(ReplayError::Store(error)) = &replayed {
            self.report_fault(EnvelopeError::code(error), error);
        }
        replayed
    }

    /// Does at once what the host's threads do from time to time: seals and merges samples, drops what is too old or too much,
    /// syncs, and builds the states of rollups. For a host without a background, and before a copy is made.
    pub fn maintain(&self) -> Result<Maintenance, StoreError> {
        let done = self.services.store.maintain().and_then(|done| self.rollups.catch_up().map(|()| done));
        if let Err(error) = &done {
            self.report_fault(EnvelopeError::code(error), error);
        }
        done
    }

    /// Believes the clock after it jumped, because an operator found it right: from now on records expire by it, and what
    /// it makes too old is gone for good. Answers the time that is believed now.
    pub fn accept_clock(&self) -> Result<Timestamp, StoreError> {
        let accepted = self.services.store.accept_clock();
        match &accepted {
            Ok(now) => tracing::warn!(source = "Bridge_Telemetry", %now, "an operator accepted the clock"),
            Err(error) => self.report_fault(EnvelopeError::code(error), error),
        }
        accepted
    }

    /// Makes a backup in `target`, which must be absent or an empty directory, while the host goes on: see
    /// [`telemetry_store::Store::backup`].
    pub fn backup(&self, target: &Path) -> Result<BackupSummary, BackupError> {
        let made = self.services.store.backup(target);
        match &made {
            // The caller's: another directory would do.
            Err(error) if EnvelopeError::code(error) != ErrorCode::InvalidQuery => {
                self.report_fault(EnvelopeError::code(error), error);
            }
            _ => {}
        }
        made
    }

    /// Reads the whole store and checks it, while the host goes on: see [`telemetry_store::Store::verify`].
    pub fn verify_store(&self) -> Result<VerifyReport, StoreError> {
        let checked = self.services.store.verify();
        if let Err(error) = &checked {
            self.report_fault(EnvelopeError::code(error), error);
        }
        checked
    }

    /// What the store holds and where: see [`telemetry_store::Store::inventory`].
    pub fn store_inventory(&self, depth: InventoryDepth) -> Result<StoreInventory, StoreError> {
        let shown = self.services.store.inventory(depth);
        if let Err(error) = &shown {
            self.report_fault(EnvelopeError::code(error), error);
        }
        shown
    }

    /// Returns when everything that was recorded before has gone through the monitors, ticks that are due included, and
    /// every delivery that is due now was attempted. Waits for the host's threads, or without a background does their work
    /// on the calling thread. Failed deliveries are due again later, and those whose sink could not be loaded go on waiting.
    /// False when the time is over before, a monitor pauses after a failure, or the store refuses.
    pub fn drain(&self, timeout: Duration) -> bool {
        // Not under the lock: health must answer meanwhile.
        let watch = self.watch.lock().clone();
        let drained = watch.is_none_or(|watch| watch.drain(timeout));
        if !self.background {
            self.reloader.settle();
        }
        drained
    }

    /// Every plugin with its state.
    pub fn plugins(&self) -> Vec<PluginListing> {
        // Not under the lock of the plugins: the watchers have locks of their own.
        let lags = self.watch.lock().as_deref().map(Lags::of).unwrap_or_default();
        self.plugins.read(|plugins| plugin_listings(plugins, &lags))
    }

    /// Stops monitors and deliveries at a checkpoint, and makes everything durable. Later calls do nothing.
    pub fn close(&self) {
        self.reloader.stop();
        let timer = self.timer.lock().take();
        timer.into_iter().for_each(Timer::stop);
        // Not in the condition: the lock would be held to the end of the block.
        let watch = self.watch.lock().take();
        if let Some(watch) = watch {
            watch.stop();
            self.rollups.stop();
            if let Err(error) = self.services.store.sync() {
                self.report_fault(ErrorCode::StorageFailure, &error);
            }
        }
        self.recorder.tell_left_out();
        self.faults.tell_left_out();
        self.log.flush();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.close();
    }
}
