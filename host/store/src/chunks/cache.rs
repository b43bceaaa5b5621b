//! A bounded cache of what scans learnt of chunks: the headers of a series' chunks in a partition, and decoded pages.
//!
//! Dashboards ask for the same recent hours again and again: what is at hand needs no row, no checksum and no decoding.
//! Invariant: an entry is used only where no chunk of its series and partition was sealed or merged between the moment that
//! it is of and the moment of the scan. Merging changes no sample, but of a series' chunks before and after it some samples
//! are in two and others in none: what is known of different moments is never joined. Chunks that are the same are shared.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lru::LruCache;
use parking_lot::Mutex;

use crate::chunks::known::KnownSeries;
use crate::families::Partition;
use crate::head::NumberHasher;

/// Parts with a lock of their own, so that the threads of queries seldom wait for each other.
const SHARDS: usize = 16;
/// Places of the table of marks. Series that share one only make each other's entries outdated too early.
const MARKS: usize = 1 << 15;
/// What an entry takes beside what it is made of: its place in the list and in the table.
const ENTRY_BYTES: usize = 96;

/// See the module.
pub(crate) struct ChunkCache {
    shards: [Mutex<Shard>; SHARDS],
    /// The moment at which chunks were last sealed or merged for any of the series that have this place.
    marks: Box<[AtomicU64]>,
    moment: AtomicU64,
    /// Bytes that each shard may hold.
    shard_budget: usize,
    bytes: AtomicUsize,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

/// What a cache did since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounts {
    /// Times that a series' part of a scan was answered without reading a row.
    pub(crate) hits: u64,
    /// Times that rows were read.
    pub(crate) misses: u64,
    /// Entries that had to make room.
    pub(crate) evictions: u64,
}

/// Entries and the bytes that they take in all.
struct Shard {
    entries: LruCache<Place, Entry, BuildHasherDefault<NumberHasher>>,
    bytes: usize,
}

struct Entry {
    known: Arc<KnownSeries>,
    bytes: usize,
}

/// What is known of a series in a partition.
pub(super) enum Known {
    Nothing,
    /// All of it is so at the moment of the scan.
    Now(Arc<KnownSeries>),
    /// Chunks were sealed or merged since, or were not yet.
    Before(Arc<KnownSeries>),
}

/// The partition's first instant and the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    partition: i64,
    series: u32,
}

impl ChunkCache {
    /// An empty cache that keeps within `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let budget = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new())),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            moment: AtomicU64::new(0),
            shard_budget: budget / SHARDS,
            bytes: AtomicUsize::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// The moment now. It must be read under the engine's `view`, with the heads and the snapshot that it goes with.
    pub(crate) fn moment(&self) -> u64 {
        self.moment.load(Ordering::Acquire)
    }

    /// Notes that chunks of series are being sealed or merged, each given with the first instant of its partition. The engine's
    /// `view` must be held for writing from before they are committed until after this.
    pub(crate) fn note_written(&self, written: impl Iterator<Item = (i64, u32)>) {
        let moment = self.moment().saturating_add(1);
        for (partition, series) in written {
            if let Some(mark) = self.mark(Place { partition, series }) {
                mark.store(moment, Ordering::Release);
            }
        }
        self.moment.store(moment, Ordering::Release);
    }

    /// What is known of a series in a partition as of `moment`.
    pub(super) fn find(&self, partition: &Partition, series: u32, moment: u64) -> Known {
        let place = Place { partition: partition.start, series };
        let found = self.shard(place).lock().entries.get(&place).map(|entry| Arc::clone(&entry.known));
        let Some(known) = found else { return Known::Nothing };
        let written = self.mark(place).map_or(u64::MAX, |mark| mark.load(Ordering::Acquire));
        if written <= moment.min(known.moment) { Known::Now(known) } else { Known::Before(known) }
    }

    /// Keeps what is known of a series in a partition, unless something later is known. When room gets scarce, only the pages
    /// of the samples within are kept: who looks at the last hour again and again leaves the hours before behind.
    pub(super) fn keep(
        &self,
        partition: &Partition,
        series: u32,
        mut known: KnownSeries,
        within: (i64, i64),
    ) {
        let place = Place { partition: partition.start, series };
        let mut shard = self.shard(place).lock();
        if shard.entries.peek(&place).is_some_and(|entry| entry.known.moment > known.moment) {
            return;
        }
        if shard.bytes > self.shard_budget / 4 * 3 {
            known.shed(within);
        }
        let bytes = known.bytes().saturating_add(ENTRY_BYTES);
        if bytes > self.shard_budget {
            return;
        }
        let before = shard.bytes;
        shard.put(place, Entry { known: Arc::new(known), bytes });
        let evicted = shard.shrink(self.shard_budget);
        let (more, less) = (shard.bytes.saturating_sub(before), before.saturating_sub(shard.bytes));
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.bytes.fetch_sub(less, Ordering::Relaxed);
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
    }

    /// Counts what a scan found and missed.
    pub(super) fn count(&self, hits: u64, misses: u64) {
        self.hits.fetch_add(hits, Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
    }

    /// Lets go of what is known of a partition that was dropped.
    pub(crate) fn forget(&self, partition: &Partition) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let places = shard.entries.iter().map(|(place, _)| *place);
            let gone: Vec<Place> = places.filter(|place| place.partition == partition.start).collect();
            let before = shard.bytes;
            gone.iter().for_each(|place| shard.remove(place));
            self.bytes.fetch_sub(before.saturating_sub(shard.bytes), Ordering::Relaxed);
        }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).saturating_add(size_of_val::<[AtomicU64]>(&self.marks))
    }

    /// What it did so far.
    pub(crate) fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    #[allow(clippy::indexing_slicing, reason = "the remainder of the number of shards")]
    fn shard(&self, place: Place) -> &Mutex<Shard> {
        &self.shards[(place.spread() >> 32) as usize % SHARDS]
    }

    fn mark(&self, place: Place) -> Option<&AtomicU64> {
        self.marks.get((place.spread() >> 40) as usize % MARKS)
    }
}

impl Shard {
    fn new() -> Self {
        Self { entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()), bytes: 0 }
    }

    fn put(&mut self, place: Place, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.bytes);
        if let Some(before) = self.entries.put(place, entry) {
            self.bytes = self.bytes.saturating_sub(before.bytes);
        }
    }

    fn remove(&mut self, place: &Place) {
        if let Some(entry) = self.entries.pop(place) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// Lets go of what was not used for longest until the rest keeps within `budget`; answers how many entries.
    fn shrink(&mut self, budget: usize) -> u64 {
        let mut evicted = 0_u64;
        while self.bytes > budget
            && let Some((_, entry)) = self.entries.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            evicted = evicted.saturating_add(1);
        }
        evicted
    }
}

impl Place {
    /// A number with its bits spread, so that any of them may choose.
    fn spread(self) -> u64 {
        // Partitions are whole days of nanoseconds apart.
        let mixed = self.partition.cast_unsigned().rotate_left(20) ^ u64::from(self.series);
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.spread());
    }
}

impl std::fmt::Debug for ChunkCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkCache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::known::tests::{chunk, decoded};
    use crate::codec::Effort;
    use crate::families::Class;

    const DAY: i64 = 86_400_000_000_000;

    fn day(number: i64) -> Partition {
        Partition::new(Class::Metrics, number * DAY, (number + 1) * DAY)
    }

    fn known(moment: u64, pages: bool) -> KnownSeries {
        let times: Vec<i64> = (0..512).collect();
        let (header, value) = chunk(&times, Effort::Seal);
        let chunk = if pages { decoded(&header, &value, (0, 511)) } else { header };
        KnownSeries { moment, until: i64::MAX, chunks: vec![Arc::new(chunk)] }
    }

    fn is_current(cache: &ChunkCache, day: &Partition, series: u32, moment: u64) -> Option<bool> {
        match cache.find(day, series, moment) {
            Known::Nothing => None,
            Known::Now(_) => Some(true),
            Known::Before(_) => Some(false),
        }
    }

    #[test]
    fn what_was_sealed_since_or_before_makes_entries_outdated() {
        let (cache, today) = (ChunkCache::new(4 << 20), day(1));
        let before = cache.moment();
        assert_eq!(is_current(&cache, &today, 1, before), None);
        cache.keep(&today, 1, known(before, false), (0, 9));
        assert_eq!(is_current(&cache, &today, 1, before), Some(true));
        cache.note_written([(today.start, 2), (day(2).start, 1)].into_iter());
        let between = cache.moment();
        assert!(between > before);
        assert_eq!(is_current(&cache, &today, 1, between), Some(true), "others were written");
        cache.note_written([(today.start, 1)].into_iter());
        let after = cache.moment();
        for moment in [before, between, after] {
            assert_eq!(is_current(&cache, &today, 1, moment), Some(false));
        }
        cache.keep(&today, 1, known(after, false), (0, 9));
        assert_eq!(is_current(&cache, &today, 1, after), Some(true));
        assert_eq!(is_current(&cache, &today, 1, before), Some(false), "of another snapshot");
        // A late scan does not put back what is older.
        cache.keep(&today, 1, known(before, false), (0, 9));
        assert_eq!(is_current(&cache, &today, 1, after), Some(true));
    }

    #[test]
    fn it_keeps_within_its_share_and_leaves_old_pages_behind_first() {
        let cache = ChunkCache::new(1 << 20);
        let today = day(1);
        for series in 0..1000 {
            cache.keep(&today, series, known(0, true), (0, 511));
        }
        let held = cache.bytes() - size_of_val::<[AtomicU64]>(&cache.marks);
        assert!(held <= 1 << 20, "{held}");
        assert!(cache.counts().evictions > 500);
        assert_eq!(is_current(&cache, &today, 999, 0), Some(true));
        assert_eq!(is_current(&cache, &today, 0, 0), None, "it was not used for longest");
        let evicted = cache.counts().evictions;
        for series in 0..1000 {
            cache.keep(&today, series, known(0, true), (600, 700));
        }
        assert!(cache.counts().evictions < evicted + 300, "headers alone need little room");
    }

    #[test]
    fn a_dropped_partition_leaves_nothing() {
        let cache = ChunkCache::new(4 << 20);
        for (day, series) in [(day(1), 1), (day(1), 2), (day(2), 1)] {
            cache.keep(&day, series, known(0, true), (0, 511));
        }
        cache.forget(&day(1));
        assert_eq!(is_current(&cache, &day(1), 1, 0), None);
        assert_eq!(is_current(&cache, &day(2), 1, 0), Some(true));
        cache.forget(&day(2));
        assert_eq!(cache.bytes(), size_of_val::<[AtomicU64]>(&cache.marks));
    }
}
