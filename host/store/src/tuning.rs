//! RocksDB's options: those of the database, and those of each kind of column family.
//!
//! Everything that takes memory is a share of `memory_bytes`: see `budget`.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Env, LogLevel, Options,
};

use crate::budget::MemoryBudget;
use crate::families::{EVENTS_PREFIX, LOG, METRICS_PREFIX};
use crate::options::{Location, StoreOptions};

/// Write-ahead log at which RocksDB flushes the family that holds back its oldest part: bounds replay to about a second.
const MAX_WAL_BYTES: u64 = 64 << 20;
/// Of a size limit, the share that the write-ahead log may take, and a write buffer and a table file: what is on its way may
/// take a small part of the limit only.
const WAL_SHARE: u64 = 64;
const FILE_SHARE: u64 = 256;
/// Write buffer of the log and of a partition.
const LARGE_BUFFER_BYTES: u64 = 16 << 20;
/// Table file of RocksDB.
const TABLE_FILE_BYTES: u64 = 64 << 20;
/// Write buffer of the small families.
const SMALL_BUFFER_BYTES: usize = 2 << 20;
/// Memory that a write buffer takes at a time: small, because most families of a store are idle.
const ARENA_BYTES: usize = 64 << 10;
/// Packed chunks hardly compress, and larger blocks mean fewer index entries.
const CHUNK_BLOCK_BYTES: usize = 16 << 10;
/// Smallest write buffer and table file under a size limit.
const MIN_FILE_BYTES: u64 = 512 << 10;
/// Bytes of a part of a table's filter or index.
const FILTER_PART_BYTES: usize = 8 << 10;
/// Bits a key of the bloom filters: 1 % false positives.
const BLOOM_BITS: f64 = 10.0;
/// Open table files: bounds descriptors and the memory of their readers.
const MAX_OPEN_FILES: i32 = 512;

/// Closed events are compressed with a dictionary that is trained on a sample of them.
const EVENTS_FOR_GOOD: [(&str, &str); 1] = [(
    "bottommost_compression_opts",
    "{enabled=true;max_dict_bytes=16384;zstd_max_train_bytes=1638400;max_dict_buffer_bytes=8388608}",
)];
/// Chunks of slow series are small, and their keys and headers alike: blocks are compressed where that saves a fortieth; RocksDB
/// would ask for an eighth. Blocks of large chunks never save so much, and stay as they are, quick to read.
const METRICS_FOR_GOOD: [(&str, &str); 1] =
    [("bottommost_compression_opts", "{enabled=true;max_compressed_bytes_per_kb=1000}")];

/// Of a partition that RocksDB may compact by itself: not a table alone because no snapshot needs its sequence numbers any more, which
/// every scan that ends would bring about, and each table would be written twice; only after an hour, for the room of what was
/// deleted. The binding has no function for it. The log is better off without: its tables go below, where cutting drops them.
pub(crate) const COMPACTING: [(&str, &str); 2] =
    [("disable_auto_compactions", "false"), ("bottommost_file_compaction_delay", "3600")];
/// Of a partition at rest.
pub(crate) const RESTING: [(&str, &str); 1] = [("disable_auto_compactions", "true")];

/// Makes RocksDB's options; holds what they share.
pub(crate) struct Tuning {
    cache: Cache,
    env: Option<Env>,
    buffer_bytes: usize,
    max_bytes: Option<u64>,
}

impl Tuning {
    /// The options' shared parts for a store.
    pub(crate) fn new(options: &StoreOptions) -> Result<Self, rocksdb::Error> {
        let budget = MemoryBudget::of(options.memory_bytes);
        let bytes = |share: u64| usize::try_from(share).unwrap_or(usize::MAX);
        let env = match options.location {
            Location::Memory => Some(Env::mem_env()?),
            Location::Directory(_) => None,
        };
        Ok(Self {
            cache: Cache::new_lru_cache(bytes(budget.block_cache(0))),
            env,
            buffer_bytes: bytes(budget.write_buffers()),
            max_bytes: options.max_bytes,
        })
    }

    /// Bytes in the block cache.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.get_usage() as u64
    }

    /// Lets the block cache take so many bytes.
    pub(crate) fn limit_cache(&self, bytes: u64) {
        // A handle on the one cache.
        self.cache.clone().set_capacity(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// The options of the database, for opening. With `follow_logs` each write-ahead log names the end of the one before, and
    /// recovery stops where that is not reached: power that fails may take the end of one log and leave the next one, and what
    /// is recovered must be all commits up to some moment. RocksDB refuses a database that has no log at all then, which is
    /// what power that fails while the first log is created leaves: the caller says whether there is one.
    pub(crate) fn opening(&self, follow_logs: bool) -> Result<Options, rocksdb::Error> {
        // Its own setter is not among those that the binding has.
        self.general().get_options_from_string(format!("track_and_verify_wals={follow_logs}"))
    }

    /// The options of the database.
    fn general(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_max_total_wal_size(self.share(MAX_WAL_BYTES, WAL_SHARE));
        options.set_db_write_buffer_size(self.buffer_bytes);
        options.set_max_background_jobs(2);
        options.set_max_open_files(MAX_OPEN_FILES);
        options.set_log_level(LogLevel::Warn);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_skip_stats_update_on_db_open(true);
        if let Some(env) = &self.env {
            options.set_env(env);
        }
        options
    }

    /// The usual size, or the share of the size limit where that is less.
    fn share(&self, usual: u64, share: u64) -> u64 {
        self.max_bytes.map_or(usual, |limit| usual.min((limit / share).max(MIN_FILE_BYTES)))
    }

    /// The options of a family at opening. Partitions rest until the catalogue says which are still open: compaction
    /// must not read a closed one again, where damage to a table would stop all writes.
    pub(crate) fn at_opening(&self, name: &str) -> Options {
        let is_partition = name.starts_with(METRICS_PREFIX) || name.starts_with(EVENTS_PREFIX);
        if is_partition { self.at_rest(name) } else { self.family(name) }
    }

    /// The options of a family that nothing compacts.
    pub(crate) fn at_rest(&self, name: &str) -> Options {
        let mut options = self.family(name);
        options.set_disable_auto_compactions(true);
        options
    }

    /// What changes in the options of a partition that is brought into its final form.
    pub(crate) fn for_good(name: &str) -> &'static [(&'static str, &'static str)] {
        if name.starts_with(EVENTS_PREFIX) { &EVENTS_FOR_GOOD } else { &METRICS_FOR_GOOD }
    }

    /// The options of the family with this name.
    pub(crate) fn family(&self, name: &str) -> Options {
        let mut options = self.general();
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_bloom_filter(BLOOM_BITS, false);
        // In parts: where the index of many series leaves the cache little room, a lookup would read the whole filter of a large
        // table anew each time.
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(FILTER_PART_BYTES);
        table.set_pin_top_level_index_and_filter(true);
        table.set_format_version(6);
        options.set_arena_block_size(ARENA_BYTES);
        let large = usize::try_from(self.share(LARGE_BUFFER_BYTES, FILE_SHARE)).unwrap_or(usize::MAX);
        options.set_write_buffer_size(SMALL_BUFFER_BYTES.min(large));
        if self.max_bytes.is_some() {
            options.set_target_file_size_base(self.share(TABLE_FILE_BYTES, FILE_SHARE));
            options.set_max_bytes_for_level_base(self.share(TABLE_FILE_BYTES, FILE_SHARE).saturating_mul(4));
            options.set_max_compaction_bytes(self.share(TABLE_FILE_BYTES, FILE_SHARE).saturating_mul(4));
        }
        options.set_compression_type(DBCompressionType::Lz4);
        if name == LOG {
            options.set_write_buffer_size(large);
        } else if name.starts_with(METRICS_PREFIX) {
            options.set_write_buffer_size(large);
            table.set_block_size(CHUNK_BLOCK_BYTES);
            // For definitions and postings, which are alike; blocks of chunks hardly shrink and stay as they are.
            options.set_bottommost_compression_type(DBCompressionType::Zstd);
        } else if name.starts_with(EVENTS_PREFIX) {
            options.set_write_buffer_size(large);
            options.set_bottommost_compression_type(DBCompressionType::Zstd);
        }
        options.set_block_based_table_factory(&table);
        options
    }
}
