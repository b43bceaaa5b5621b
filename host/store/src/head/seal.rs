//! Sealing: a series' buffered samples become chunks.
//!
//! Invariant: chunks and the note of what was taken out of the heads are one commit, and readers see samples in the
//! head or in a chunk, never in both and never in neither. What cannot be read of one series' chunks keeps no other from being
//! sealed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocksdb::WriteBatch;
use smallvec::SmallVec;

use crate::budget::MemoryBudget;
use crate::chunks::{ChunkKey, Generations, SMALL_CHUNK, cuts_between, encode_sorted, taken_generation};
use crate::codec::Effort;
use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, META, Partition};
use crate::head::{HeadSamples, Series};
use crate::meta::SealNote;
use crate::rollups::{self, RemovedStates};

/// Samples at which a buffer is worth a chunk.
pub(crate) const FULL_HEAD: usize = 1024;
/// Samples at which the appending call itself empties the buffer: sealing does not keep up.
pub(crate) const HARD_HEAD: usize = 4096;
/// Age at which a buffer is sealed however small it is: bounds what replay reads.
const MAX_HEAD_SECONDS: u64 = 20 * 60;
/// Bytes of the log above the watermark at which the series that hold it back are sealed: bounds what replay reads.
const MAX_UNSEALED_LOG_BYTES: u64 = 64 << 20;
/// What a buffer takes beside its samples: the least that its two lists allocate, their places in the heap, and its own place in
/// the list of open heads.
const OPEN_HEAD_BYTES: usize = 128;
/// How many times their share heads may take before appending calls seal themselves.
const FAR_OVER: u64 = 2;
/// Series sealed in one commit: bounds how long readers wait for it.
const SERIES_PER_COMMIT: usize = 128;
/// Small chunks of one series after which they are merged; overlapping ones of one seal count twice.
const RAGGED_CHUNKS: u16 = 8;

/// What sealing keeps in mind; holding it serialises sealing and merging.
#[derive(Debug, Default)]
pub(crate) struct Sealing {
    /// The running number of the next [`SealNote`].
    pub(crate) next_note: u64,
    /// Number and sequence of the notes in the store, oldest first.
    pub(crate) notes: VecDeque<(u64, u64)>,
    /// Series and partitions whose chunks are worth merging: the partition's first instant, the series.
    pub(crate) ragged: BTreeSet<(i64, u32)>,
}

/// What was sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Samples that went into chunks.
    pub(crate) samples: u64,
    /// Chunks written.
    pub(crate) chunks: u64,
}

/// One series' part of a sealing commit.
struct Harvest {
    series: Arc<Series>,
    /// The harvested samples are those up to here, all of them and no other.
    sequence: u64,
    count: usize,
    bytes: usize,
    span: (i64, i64),
    /// First instants of the partitions that get chunks.
    partitions: SmallVec<[i64; 1]>,
    /// Partitions with how many small or overlapping chunks they got.
    ragged: Vec<(i64, u16)>,
    /// Kept states that its samples made wrong.
    removed: Vec<RemovedStates>,
}

/// A commit that is ready.
#[derive(Default)]
struct Harvested {
    batch: WriteBatch,
    harvests: Vec<Harvest>,
    sealed: Sealed,
}

impl Engine {
    /// Bytes of all heads: their samples, and what a buffer takes however few it holds.
    pub(crate) fn head_bytes(&self) -> u64 {
        let open = self.open_heads.len().saturating_mul(OPEN_HEAD_BYTES);
        self.buffered.load(Ordering::Relaxed).saturating_add(open) as u64
    }

    /// Bytes that heads may take now, beside the index.
    pub(crate) fn head_limit(&self) -> u64 {
        MemoryBudget::of(self.options.memory_bytes).heads(self.index_bytes())
    }

    /// Bytes of active series, posting lists and definitions; of the latter two as last measured.
    pub(crate) fn index_bytes(&self) -> u64 {
        self.registry.bytes().saturating_add(self.index.measured())
    }

    /// Whether all heads together take more than their share of the memory.
    pub(crate) fn heads_over_budget(&self) -> bool {
        self.head_bytes() > self.head_limit()
    }

    /// Whether they take so much more that appending calls must seal themselves.
    pub(crate) fn heads_far_over_budget(&self) -> bool {
        self.head_bytes() / FAR_OVER > self.head_limit()
    }

    /// Measures the index, and lets what can be read again make room for what cannot.
    pub(crate) fn balance_memory(&self) {
        self.index.tell_others(self.registry.bytes());
        self.index.make_room();
        let budget = MemoryBudget::of(self.options.memory_bytes);
        self.database.tuning().limit_cache(budget.block_cache(self.index_bytes()));
    }

    /// Seals the buffers that are full or old, or hold back the log; under memory pressure the largest ones too.
    pub(crate) fn seal_due(&self, sealing: &mut Sealing) -> Result<Sealed, StoreError> {
        let now = self.seconds();
        // A log with a small limit can be cut there only as far as its records are sealed.
        let unsealed = MAX_UNSEALED_LOG_BYTES.min(self.log_limit() / 2);
        let held_back = self.log_size.cut_after(self.watermark.load(Ordering::Acquire), unsealed);
        let is_old = |series: &Series| {
            let head = series.head();
            head.opened().is_some_and(|opened| now.saturating_sub(opened) >= MAX_HEAD_SECONDS)
                || held_back.zip(head.first_sequence()).is_some_and(|(cut, first)| first <= cut)
        };
        let full = self.open_heads.take_full();
        let mut due: Vec<_> = self.with_lengths(full.iter().copied());
        due.retain(|(length, _)| *length >= FULL_HEAD);
        for page in self.open_pages() {
            let count = page.len();
            // Those behind one that is not old began later.
            let old = page.into_iter().take_while(|(_, series)| is_old(series));
            let before = due.len();
            due.extend(old);
            if due.len().saturating_sub(before) < count {
                break;
            }
        }
        // Each once: what one harvest takes the next one would take again.
        due.sort_unstable_by_key(|(_, series)| series.id);
        due.dedup_by_key(|(_, series)| series.id);
        let due: Vec<_> = due.into_iter().map(|(_, series)| series).collect();
        let mut sealed = self.seal(sealing, &due).inspect_err(|_| {
            full.iter().for_each(|series| self.open_heads.filled(*series));
        })?;
        sealed.add(self.relieve_heads(sealing)?);
        Ok(sealed)
    }

    /// The series with these ids that are active, with the lengths of their heads.
    fn with_lengths(&self, ids: impl Iterator<Item = u32>) -> Vec<(usize, Arc<Series>)> {
        let active = self.registry.read();
        let found = ids.filter_map(|id| active.by_id(id));
        found.map(|series| (series.head().len(), Arc::clone(series))).collect()
    }

    /// The open heads by the sequence numbers that they begin with, some at a time, with their lengths.
    fn open_pages(&self) -> impl Iterator<Item = Vec<(usize, Arc<Series>)>> + '_ {
        let mut after = None;
        std::iter::from_fn(move || {
            let page = self.open_heads.page(after);
            after = Some(*page.last()?);
            Some(self.with_lengths(page.iter().map(|(_, series)| *series)))
        })
    }

    /// Under memory pressure seals buffers, the largest first.
    pub(crate) fn relieve_heads(&self, sealing: &mut Sealing) -> Result<Sealed, StoreError> {
        let mut sealed = Sealed::default();
        if !self.heads_over_budget() {
            return Ok(sealed);
        }
        let mut open = Vec::with_capacity(self.open_heads.len());
        self.open_pages().for_each(|page| open.extend(page));
        open.sort_unstable_by_key(|(length, _)| std::cmp::Reverse(*length));
        for part in open.chunks(SERIES_PER_COMMIT) {
            let series: Vec<_> = part.iter().map(|(_, series)| Arc::clone(series)).collect();
            sealed.add(self.seal(sealing, &series)?);
            // Half of it, so that not every call has to seal again.
            if self.head_bytes() <= self.head_limit() / 2 {
                break;
            }
        }
        Ok(sealed)
    }

    /// Seals all that is visible of all buffers.
    pub(crate) fn seal_all(&self, sealing: &mut Sealing) -> Result<Sealed, StoreError> {
        let all: Vec<_> = self.registry.read().all().map(Arc::clone).collect();
        self.seal(sealing, &all)
    }

    /// Seals all that is visible of these series' buffers.
    pub(crate) fn seal(&self, sealing: &mut Sealing, series: &[Arc<Series>]) -> Result<Sealed, StoreError> {
        let mut sealed = Sealed::default();
        for part in series.chunks(SERIES_PER_COMMIT) {
            sealed.add(self.seal_part(sealing, part)?);
        }
        Ok(sealed)
    }

    fn seal_part(&self, sealing: &mut Sealing, part: &[Arc<Series>]) -> Result<Sealed, StoreError> {
        let _pass = self.catalogue.pass();
        let harvested = self.harvest_all(part).inspect_err(|_| self.keep_state_marks())?;
        let Harvested { mut batch, harvests, mut sealed } = harvested;
        if harvests.is_empty() {
            return Ok(sealed);
        }
        let mut ids: Vec<(u32, u64)> =
            harvests.iter().map(|harvest| (harvest.series.id, harvest.sequence)).collect();
        ids.sort_unstable();
        let note = SealNote { series: ids };
        let number = sealing.next_note;
        batch.put_cf(&self.database.family(META)?, SealNote::key(number), note.encode());
        let samples: usize = harvests.iter().map(|harvest| harvest.count).sum();
        {
            let _view = self.view.write();
            self.database.commit(batch, Promise::Derived)?;
            self.chunk_cache.note_written(harvests.iter().flat_map(Harvest::chunk_places));
            for harvest in &harvests {
                self.open_heads.change(&harvest.series, |head| {
                    head.drain_sealed(harvest.count, harvest.span, harvest.sequence);
                });
            }
        }
        self.buffered.fetch_sub(harvests.iter().map(|harvest| harvest.bytes).sum(), Ordering::Relaxed);
        sealing.next_note = number.saturating_add(1);
        sealing.notes.push_back((number, note.last()));
        sealed.samples = samples as u64;
        for harvest in harvests {
            harvest.removed.iter().for_each(|removed| self.note_sealed_states(&harvest.series, removed));
            for (partition, chunks) in harvest.ragged {
                if harvest.series.head().add_ragged(chunks) >= RAGGED_CHUNKS {
                    sealing.ragged.insert((partition, harvest.series.id));
                }
            }
        }
        Ok(sealed)
    }

    /// The chunks of these series' visible samples. A series is set aside where something that sealing it needs cannot be read,
    /// be it damaged or the disk failing: its samples stay in the head and in the log, and are tried again when it is due again.
    fn harvest_all(&self, part: &[Arc<Series>]) -> Result<Harvested, StoreError> {
        let mut aside: SmallVec<[u32; 4]> = SmallVec::new();
        'anew: loop {
            let mut harvested = Harvested::default();
            for series in part {
                if aside.contains(&series.id) {
                    continue;
                }
                match self.harvest(series, &mut harvested.batch, &mut harvested.sealed) {
                    Ok(harvest) => harvested.harvests.extend(harvest),
                    Err(error) if error.is_unread() => {
                        self.report_unsealed(series, &error);
                        aside.push(series.id);
                        // Some of its rows may be in the batch, from which none can be taken out.
                        self.keep_state_marks();
                        continue 'anew;
                    }
                    Err(error) => return Err(error),
                }
            }
            return Ok(harvested);
        }
    }

    fn report_unsealed(&self, series: &Series, error: &StoreError) {
        let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
        let text = format!("samples of series {} are not sealed: {error}{cause}", series.id);
        self.database.reports().add(text);
    }

    /// Puts the chunks of one series' visible samples into `batch`.
    fn harvest(
        &self,
        series: &Arc<Series>,
        batch: &mut WriteBatch,
        sealed: &mut Sealed,
    ) -> Result<Option<Harvest>, StoreError> {
        let (samples, sequence, vacancy) = {
            let head = series.head();
            let (samples, sequence) = head.copy_visible(&self.ledger);
            (samples, sequence, head.vacancy())
        };
        let (Some(first), Some(last)) =
            (samples.times.iter().min().copied(), samples.times.iter().max().copied())
        else {
            return Ok(None);
        };
        let (mut partitions, mut ragged, mut removed) = (SmallVec::new(), Vec::new(), Vec::new());
        for (partition, part) in self.by_partition(&samples, first, last) {
            let Some(family) = self.database.find_family(&partition.family) else { continue };
            partitions.push(partition.start);
            let mut generations = Generations::default();
            let mut all_alone = true;
            let cuts = cuts_between(&self.database, &family, series.id, &part.times, vacancy)?;
            for (start, end, chunk) in
                encode_sorted(&part.times, &part.values, &cuts, sequence, Effort::Seal)?
            {
                all_alone &= vacancy.holds(start) && vacancy.holds(end);
                let taken = if vacancy.holds(start) {
                    None
                } else {
                    taken_generation(&self.database, (&partition, &family), series.id, start, sequence)?
                };
                let generation = generations.next(start, taken)?;
                let key = ChunkKey { series: series.id, first_time: start, generation };
                batch.put_cf(&family, key.encode(), chunk);
                sealed.chunks = sealed.chunks.saturating_add(1);
            }
            rollups::add(&self.database, (&partition, &family), batch, series.id, &part, vacancy)?;
            removed.push(self.invalidate_states((&partition, &family), batch, series, &part, vacancy)?);
            // Once for all late chunks of a seal: many cuts are no reason to merge the day at each.
            let late = if all_alone { 0 } else { 2 };
            let small = u16::from(part.times.len() < SMALL_CHUNK as usize);
            let ragged_here = small.saturating_add(late);
            if ragged_here > 0 {
                ragged.push((partition.start, ragged_here));
            }
        }
        Ok(Some(Harvest {
            series: Arc::clone(series),
            sequence,
            count: samples.times.len(),
            bytes: samples.values.weight(),
            span: (first, last),
            partitions,
            ragged,
            removed,
        }))
    }

    /// Splits samples by partition. What lies in none was dropped by retention meanwhile.
    fn by_partition(
        &self,
        samples: &HeadSamples,
        first: i64,
        last: i64,
    ) -> Vec<(Arc<Partition>, HeadSamples)> {
        let range = telemetry_core::TimeRange::between(
            telemetry_core::Timestamp::from_nanos(first),
            telemetry_core::Timestamp::from_nanos(last),
        );
        let partitions = self.catalogue.covering(Class::Metrics, &range);
        if let [partition] = partitions.as_slice()
            && partition.holds(first)
            && partition.holds(last)
        {
            return vec![(Arc::clone(partition), samples.clone())];
        }
        let part_in = |partition: &Arc<Partition>| {
            let places = || {
                samples
                    .times
                    .iter()
                    .enumerate()
                    .filter(|(_, time)| partition.holds(**time))
                    .map(|(place, _)| place)
            };
            let times = places().filter_map(|place| samples.times.get(place).copied()).collect();
            (Arc::clone(partition), HeadSamples { times, values: samples.values.select(places()) })
        };
        partitions.iter().map(part_in).filter(|(_, part)| !part.times.is_empty()).collect()
    }
}

impl Harvest {
    /// The partitions that get chunks, each with the series.
    fn chunk_places(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.partitions.iter().map(|partition| (*partition, self.series.id))
    }
}

impl Sealed {
    fn add(&mut self, other: Sealed) {
        self.samples = self.samples.saturating_add(other.samples);
        self.chunks = self.chunks.saturating_add(other.chunks);
    }
}
