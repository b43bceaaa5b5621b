//! The parts of an open store, together. Each module adds what it does with them.
//!
//! Locks are taken in this order: `expiring`, the building of kept states, `sealing`, the catalogue's pass,
//! the registry, the ledger's books, `view`, a series' head, the list of open heads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use telemetry_core::{Clock, EventIdGenerator};

use crate::catalogue::Catalogue;
use crate::chunks::ChunkCache;
use crate::database::Database;
use crate::error::StoreError;
use crate::events::{Claims, EventIndex};
use crate::head::{Ledger, OpenHeads, Registry, Sealing};
use crate::log::LogSize;
use crate::options::StoreOptions;
use crate::plugin_state::PluginUsage;
use crate::retention_clock::RetentionClock;
use crate::rollups::StateBook;
use crate::series::SeriesIndex;
use crate::space::Space;
use crate::synced::SyncedMark;

/// An open store.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) options: StoreOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: EventIdGenerator,
    pub(crate) catalogue: Catalogue,
    pub(crate) index: SeriesIndex,
    pub(crate) events: EventIndex,
    pub(crate) claims: Claims,
    pub(crate) registry: Registry,
    pub(crate) ledger: Ledger,
    /// Held for reading while chunks and heads are looked at together, for writing while samples move between them and while
    /// chunks are replaced by merged ones.
    pub(crate) view: RwLock<()>,
    /// What scans learnt of chunks.
    pub(crate) chunk_cache: ChunkCache,
    pub(crate) sealing: Mutex<Sealing>,
    /// Bytes of samples in all heads.
    pub(crate) buffered: AtomicUsize,
    /// Heads that hold samples.
    pub(crate) open_heads: OpenHeads,
    /// Every sample up to here is in a chunk.
    pub(crate) watermark: AtomicU64,
    /// The log begins after this sequence number.
    pub(crate) trimmed: AtomicU64,
    pub(crate) log_size: LogSize,
    pub(crate) overflowed: AtomicU64,
    pub(crate) usage: PluginUsage,
    pub(crate) states: StateBook,
    pub(crate) space: Space,
    pub(crate) retention: Mutex<RetentionClock>,
    /// Held while partitions expire, by age or by size: one at a time.
    pub(crate) expiring: Mutex<()>,
    /// Held while a backup is brought together: one at a time.
    pub(crate) backing_up: Mutex<()>,
    pub(crate) synced: SyncedMark,
    /// Asks the maintenance thread for a round before its time.
    pub(crate) wake: crossbeam_channel::Sender<()>,
    // Last: everything above may refer to it.
    pub(crate) database: Database,
}

impl Engine {
    /// The store's tag in ids.
    pub(crate) fn tag(&self) -> u16 {
        self.ids.tag()
    }

    /// Whole seconds on the monotonic clock.
    pub(crate) fn seconds(&self) -> u64 {
        self.clock.monotonic().as_secs()
    }

    /// Makes everything durable that was published before the call; answers the last such sequence number.
    pub(crate) fn sync(&self) -> Result<u64, StoreError> {
        let published = self.ledger.published();
        self.database.sync()?;
        if let Err(error) = self.synced.advance(published) {
            self.database.reports().add(format!("the last synced record could not be noted: {error}"));
        }
        Ok(published)
    }

    /// Waits until `sequence` is published; whether it is after `timeout`.
    pub(crate) fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        self.ledger.wait_for(sequence, timeout)
    }

    /// Asks the maintenance thread to work now; without one, nothing happens.
    pub(crate) fn nudge(&self) {
        // A full channel has a nudge in it already, a closed one no thread.
        let _ = self.wake.try_send(());
    }
}
