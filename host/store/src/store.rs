//! The store as the other crates see it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::aggregation::{Aggregation, KeptStates, StateIdentity};
use telemetry_core::{
    Clock, DeadLetter, EventIdGenerator, EventPage, EventQuery, MetricSelection, PendingDelivery, ScanBlock,
    ScanOptions, TimeRange, Timestamp,
};
use uuid::Uuid;

use crate::alert_rows::StoredAlert;
use crate::alerts::AlertChanges;
use crate::append::{Appended, RecordBatch};
use crate::checkpoint::Checkpoint;
use crate::chunks::ScanStats;
use crate::directory::DirectoryLock;
use crate::engine::Engine;
use crate::error::{OpenError, StoreError};
use crate::events::IdClaim;
use crate::families::Class;
use crate::find::StoredRecord;
use crate::inventory::{InventoryDepth, StoreInventory};
use crate::log::LogEntry;
use crate::maintenance::{Caretaker, Maintenance};
use crate::options::StoreOptions;
use crate::plugin_state::SavedCursor;
use crate::recovery;
use crate::rollups::{StateBuild, StateBuildError, StateRollup};
use crate::series::SeriesRef;
use crate::stats::StoreStats;
use crate::verify::VerifyReport;

/// An open store. All methods take `&self` and may be called from any thread; the ones that write wait for the
/// write-ahead log. Dropping it closes the store.
#[derive(Debug)]
pub struct Store {
    // In this order: the threads stop before the engine closes, and the directory is free last.
    caretaker: Option<Caretaker>,
    pub(crate) engine: Arc<Engine>,
    _lock: DirectoryLock,
}

impl Store {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// Names the cause and the remedy: open elsewhere, no permission, a newer format, damage.
    pub fn open(options: StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let background = options.background;
        let (wake, nudges) = crossbeam_channel::bounded(1);
        let (engine, lock) = recovery::open(options, clock, wake)?;
        let engine = Arc::new(engine);
        let caretaker = if background {
            let failed = |error| OpenError::Failed { directory: "threads".into(), source: Box::new(error) };
            Some(Caretaker::start(&engine, nudges).map_err(failed)?)
        } else {
            None
        };
        Ok(Self { caretaker, engine, _lock: lock })
    }

    /// Makes the ids of events; the store finds them without an index.
    pub fn event_ids(&self) -> &EventIdGenerator {
        &self.engine.ids
    }

    /// Claims ids that callers gave: until the claim is dropped, no other claim of one of them is granted. The claim tells
    /// which ids are known already.
    pub fn claim(&self, ids: &[Uuid]) -> Result<IdClaim<'_>, StoreError> {
        self.engine.claim(ids)
    }

    /// Which of `ids` are those of stored events, and when those happened; nothing is claimed.
    pub fn known_events(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Timestamp>, StoreError> {
        self.engine.known_events(ids)
    }

    /// Stores records, all or none. When it returns, they are durable as configured and every reader sees them.
    pub fn append(&self, records: &RecordBatch) -> Result<Appended, StoreError> {
        self.engine.append(records)
    }

    /// Puts a tick into the log; it takes a sequence number of its own.
    pub fn append_tick(&self, time: Timestamp) -> Result<u64, StoreError> {
        self.engine.append_tick(time)
    }

    /// The last sequence number of which it and all before it are stored; 0 in a new store.
    pub fn last_sequence(&self) -> u64 {
        self.engine.ledger.published()
    }

    /// Bytes of the log's rows above `sequence`, to a megabyte or so.
    pub fn log_bytes_after(&self, sequence: u64) -> u64 {
        self.engine.log_size.bytes_after(sequence)
    }

    /// Bytes at which the log forgets records, whoever has not read them.
    pub fn log_limit(&self) -> u64 {
        self.engine.log_limit()
    }

    /// Waits until `sequence` is stored; whether it is after `timeout`.
    pub fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        self.engine.wait_for(sequence, timeout)
    }

    /// The records from `from_sequence` on, in order, at most `max_records`. Nothing when all were read. Numbers of calls
    /// that failed were never used and are passed over without a gap.
    pub fn read_log(&self, from_sequence: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.engine.read_log(from_sequence, max_records)
    }

    /// The last checkpoint of a monitor.
    pub fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError> {
        self.engine.load_cursor(monitor)
    }

    /// All monitors that have a checkpoint, with the next sequence number each reads.
    pub fn cursors(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.engine.cursors()
    }

    /// Stores a monitor's checkpoint, whole or not at all.
    pub fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.engine.commit_checkpoint(checkpoint)
    }

    /// Forgets a monitor's checkpoint, so that it no longer holds the log back, and changes its alerts.
    pub fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError> {
        self.engine.remove_monitor(monitor, changes)
    }

    /// Changes alerts and their deliveries, all or nothing.
    pub fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError> {
        self.engine.commit_alerts(changes)
    }

    /// All alerts.
    pub fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        self.engine.alerts()
    }

    /// Deliveries due at `now`, the most overdue first.
    pub fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        self.engine.due_deliveries(now, limit)
    }

    /// When the next delivery is due.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.engine.next_due()
    }

    /// Deliveries in the outbox, by the time they are due.
    pub fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        self.engine.pending_deliveries(limit)
    }

    /// Deliveries that were given up, oldest first.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.engine.dead_letters(limit)
    }

    /// The committed value of a plugin's key.
    pub fn plugin_get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.plugin_get(plugin, key)
    }

    /// Stores or (with `None`) deletes a plugin's key.
    pub fn plugin_write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        self.engine.plugin_write(plugin, key, value)
    }

    /// Limits the bytes of a plugin's keys and values from now on. What it keeps beyond them already stays, and may shrink.
    pub fn limit_plugin_space(&self, plugin: &str, bytes: u64) {
        self.engine.usage.limit(plugin, bytes);
    }

    /// Bytes of a plugin's keys and values.
    pub fn plugin_usage(&self, plugin: &str) -> Result<u64, StoreError> {
        self.engine.plugin_usage(plugin)
    }

    /// The series that were selected and have samples in a partition that `range` touches, by id.
    pub fn select_series(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SeriesRef>, StoreError> {
        let partitions = self.engine.catalogue.covering(Class::Metrics, &range);
        self.engine.index.select(&self.engine.database, &partitions, selection)
    }

    /// The names of all metrics, sorted.
    pub fn metric_names(&self) -> Result<Vec<Arc<str>>, StoreError> {
        self.engine.index.metric_names(&self.engine.database, &self.engine.catalogue.all(Class::Metrics))
    }

    /// Shows the samples of `series` within `range` to `visit`, with the index into `series`. Each series is seen as of
    /// one moment, what is not sealed yet included. `visit` ends the scan with a break.
    pub fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<ScanStats, StoreError> {
        self.engine.scan(series, range, options, visit)
    }

    /// Has these states kept from now on, where [`Store::build_states`] is called; older samples' states are built as well.
    /// May be repeated.
    pub fn register_states(&self, rollup: &StateRollup) -> Result<KeptStates, StateBuildError> {
        self.engine.register_states(rollup)
    }

    /// Builds registered states of closed buckets, of at most `most_series` series, on the calling thread. The function is
    /// called outside of all locks, so that neither writers nor readers wait for it.
    pub fn build_states(
        &self,
        states: KeptStates,
        function: &dyn Aggregation,
        most_series: usize,
    ) -> Result<StateBuild, StateBuildError> {
        self.engine.build_states(states, function, most_series)
    }

    /// Every kind of states of which there may be some, registered or not.
    pub fn kept_states(&self) -> Vec<(StateIdentity, KeptStates)> {
        self.engine.states.identities()
    }

    /// Removes all states of a kind.
    pub fn remove_states(&self, states: KeptStates) -> Result<(), StoreError> {
        self.engine.remove_states(states.fingerprint)
    }

    /// The record with this id.
    pub fn find(&self, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
        self.engine.find(id)
    }

    /// One page of events.
    pub fn query_events(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let partitions = self.engine.catalogue.covering(Class::Events, &query.range);
        self.engine.events.query(&self.engine.database, &partitions, query)
    }

    /// Does all that is due: sealing, merging, expiring, syncing. For stores without a maintenance thread, and tests.
    pub fn maintain(&self) -> Result<Maintenance, StoreError> {
        self.engine.maintain()
    }

    /// Seals all heads into chunks, however small they are.
    pub fn seal(&self) -> Result<(), StoreError> {
        let mut sealing = self.engine.sealing.lock();
        self.engine.seal_all(&mut sealing)?;
        self.engine.advance(&mut sealing)
    }

    /// Makes everything durable that was stored before the call; answers its last sequence number.
    pub fn sync(&self) -> Result<u64, StoreError> {
        self.engine.sync()
    }

    /// Believes the wall clock after a jump: an operator found it right. Expiry goes on by it. Answers the time that is
    /// believed now.
    pub fn accept_clock(&self) -> Result<Timestamp, StoreError> {
        self.engine.accept_clock()
    }

    /// The oldest instant that is kept of a class; older records are refused.
    pub fn oldest_kept(&self, class: Class) -> Timestamp {
        self.engine.oldest_kept(class)
    }

    /// Reads every row of every table, and checks checksums and structure, while the store goes on. What the store keeps in
    /// its cache is taken from there: only after an opening is everything read from the disk.
    ///
    /// # Errors
    /// The file system failed. Damage is no error: the report tells of it.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        self.engine.verify()
    }

    /// The store's state, its partitions and its families of rows.
    ///
    /// # Errors
    /// A partition could not be read.
    pub fn inventory(&self, depth: InventoryDepth) -> Result<StoreInventory, StoreError> {
        self.engine.inventory(depth)
    }

    /// The store's state.
    pub fn stats(&self) -> StoreStats {
        self.engine.stats()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.caretaker.take();
        if self.engine.database.poison().is_some() {
            return;
        }
        let partitions = self.engine.catalogue.all(Class::Metrics);
        let closed = self
            .engine
            .index
            .checkpoint(&self.engine.database, &partitions, true)
            .and_then(|_| self.engine.keep_time())
            .and_then(|()| self.engine.sync());
        if let Err(error) = closed {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store could not be closed cleanly"
            );
        }
    }
}
