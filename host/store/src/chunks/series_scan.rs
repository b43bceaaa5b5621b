//! One partition's samples, series by series: chunks by their headers where that is enough, else decoded and cut to the
//! range, together with what the head holds.
//!
//! Chunks that overlap in time form a group. Without order a group's chunks are shown one after the other in the order
//! in which they were sealed; with order a group of several, or one that the head reaches into, is merged by time.
//! What memory knows of a series is used where it answers a stretch as a whole; else its rows are read.

use std::ops::ControlFlow;
use std::sync::Arc;

use telemetry_core::{ScanBlock, ScanOptions};

use crate::chunks::cache::{ChunkCache, Known};
use crate::chunks::head_run::HeadRun;
use crate::chunks::known::{KnownChunk, KnownSeries};
use crate::chunks::locate::{report, report_block};
use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::chunks::scan::ScanStats;
use crate::codec::ChunkHeader;
use crate::database::{Database, Family, Rows, Snapshot};
use crate::error::StoreError;
use crate::families::Partition;
use crate::rollups::{RollupScan, StateScan};

/// Takes the blocks of one series.
pub(crate) type Visit<'v> = dyn FnMut(ScanBlock<'_>) -> ControlFlow<()> + 'v;

/// A chunk of a group.
pub(super) struct Chunk {
    pub(super) known: Arc<KnownChunk>,
    /// Its row; empty where what is known of it will do.
    pub(super) value: Vec<u8>,
    /// Its place among the chunks that the stretch has seen.
    pub(super) place: usize,
}

/// Chunks that overlap, and the head beside them.
pub(super) struct Group<'h> {
    pub(super) chunks: Vec<Chunk>,
    end: i64,
    pub(super) head: &'h HeadRun,
    /// The head was shown up to here.
    pub(super) head_from: i64,
}

/// Decoded columns, kept between chunks.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) text_times: Vec<i64>,
}

/// What a stretch learnt of its series' chunks from their rows.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) chunks: Vec<Arc<KnownChunk>>,
    /// Whether anything of it was not known before.
    pub(super) news: bool,
    /// Whether a chunk is missing because it is damaged.
    pub(super) damaged: bool,
}

/// What a scan sees: the rows as of a moment, and what memory knows of them.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) database: &'a Database,
    pub(crate) snapshot: &'a Snapshot<'a>,
    pub(crate) cache: &'a ChunkCache,
    /// The cache's moment of the snapshot.
    pub(crate) moment: u64,
}

/// Reads one partition for one scan.
pub(crate) struct PartitionScan<'a> {
    pub(super) sight: Sight<'a>,
    pub(super) partition: &'a Partition,
    family: Family<'a>,
    rows: Option<Rows<'a>>,
    pub(super) rollups: Option<RollupScan<'a>>,
    pub(super) states: Option<StateScan<'a>>,
    /// Whether the rows were told where to go.
    pub(super) started: bool,
    pub(super) first: i64,
    pub(super) last: i64,
    /// Nanoseconds of the whole range that is asked for.
    pub(super) asked: i128,
    pub(super) options: ScanOptions,
    pub(super) scratch: Scratch,
    pub(super) learnt: Learnt,
    /// Empty buffers for rows.
    pub(super) spare: Vec<Vec<u8>>,
    hits: u64,
    misses: u64,
}

impl<'a> PartitionScan<'a> {
    /// The part of a scan over `first..=last` that falls into `partition`; `None` when it was dropped.
    pub(crate) fn new(
        sight: Sight<'a>,
        partition: &'a Partition,
        (first, last): (i64, i64),
        options: ScanOptions,
    ) -> Option<Self> {
        let family = sight.database.find_family(&partition.family)?;
        let step = options.bucket.filter(|_| options.digests);
        let rollups = step.and_then(|step| RollupScan::new(sight.database, sight.snapshot, partition, step));
        let kept = options.states.filter(|_| !options.ordered && !options.digests);
        let states = kept
            .and_then(|kept| StateScan::new(sight.database, sight.snapshot, partition, kept, options.bucket));
        Some(Self {
            sight,
            partition,
            family,
            rows: None,
            rollups,
            states,
            started: false,
            first: first.max(partition.start),
            last: last.min(partition.end.saturating_sub(1)),
            asked: i128::from(last) - i128::from(first),
            options,
            scratch: Scratch::default(),
            learnt: Learnt::default(),
            spare: Vec::new(),
            hits: 0,
            misses: 0,
        })
    }

    /// Shows what chunks and head hold of one series from `self.first` to `self.last`. Series must be asked in ascending order.
    pub(super) fn stretch(
        &mut self,
        series: u32,
        head: &HeadRun,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut group = Group { chunks: Vec::new(), end: i64::MIN, head, head_from: self.first };
        let (before, is_current) = match self.sight.cache.find(self.partition, series, self.sight.moment) {
            Known::Now(known) => (Some(known), true),
            Known::Before(known) => (Some(known), false),
            Known::Nothing => (None, false),
        };
        if let Some(known) = before.as_deref().filter(|known| is_current && self.is_answered_by(known, head))
        {
            self.hits = self.hits.saturating_add(1);
            let shown = self.show_known(known, &mut group, stats, visit).is_continue()
                && self.show_rest(&mut group, stats, visit).is_continue();
            return Ok(if shown { ControlFlow::Continue(()) } else { ControlFlow::Break(()) });
        }
        self.misses = self.misses.saturating_add(1);
        self.learnt.clear();
        if self.read(series, before.as_deref(), &mut group, stats, visit)?.is_break()
            || self.show_rest(&mut group, stats, visit).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        self.keep(series, before.as_deref().filter(|_| is_current));
        Ok(ControlFlow::Continue(()))
    }

    /// Whether what is known of a series answers the stretch without a row.
    fn is_answered_by(&self, known: &KnownSeries, head: &HeadRun) -> bool {
        if known.until < self.last {
            return false;
        }
        let within = (self.first, self.last);
        // With order a digest must stand alone in its time.
        let digests_do = !self.options.ordered || head.part(self.first, self.last).is_empty();
        let (mut end, mut by_digest) = (i64::MIN, false);
        for chunk in known.chunks.iter().take_while(|chunk| chunk.key.first_time <= self.last) {
            if !chunk.meets(within) {
                continue;
            }
            let overlaps = chunk.header.first_time <= end;
            end = end.max(chunk.header.last_time);
            let needs_digest = !chunk.holds(within);
            if needs_digest && !(digests_do && self.stands_for_samples(&chunk.header)) {
                return false;
            }
            by_digest = needs_digest || overlaps && by_digest;
            if self.options.ordered && overlaps && by_digest {
                return false;
            }
        }
        true
    }

    fn show_known(
        &mut self,
        known: &KnownSeries,
        group: &mut Group<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let within = (self.first, self.last);
        for chunk in known.chunks.iter().take_while(|chunk| chunk.key.first_time <= within.1) {
            if chunk.meets(within) {
                stats.chunks = stats.chunks.saturating_add(1);
                let chunk = Chunk { known: Arc::clone(chunk), value: Vec::new(), place: 0 };
                self.take(chunk, group, stats, visit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads the rows of a series, and shows all but the last group.
    fn read(
        &mut self,
        series: u32,
        before: Option<&KnownSeries>,
        group: &mut Group<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        self.go_to(series);
        let within = (self.first, self.last);
        while let Some((key, value)) = self.rows.as_ref().and_then(|rows| chunk_at(rows, series, within.1)) {
            match read_header(key, value) {
                Ok(header) => {
                    let same = before.and_then(|before| before.same(key, &header, value));
                    self.learnt.news |= same.is_none();
                    let known =
                        same.map_or_else(|| Arc::new(KnownChunk::new(key, header, value)), Arc::clone);
                    let place = self.learnt.chunks.len();
                    self.learnt.chunks.push(Arc::clone(&known));
                    if known.meets(within) {
                        stats.chunks = stats.chunks.saturating_add(1);
                        let is_needed = !known.holds(within)
                            && (self.options.ordered || !self.stands_for_samples(&known.header));
                        // Showing needs what the rows lie in.
                        let mut copy = Vec::new();
                        if is_needed {
                            copy = self.spare.pop().unwrap_or_default();
                            copy.extend_from_slice(value);
                        }
                        if self.take(Chunk { known, value: copy, place }, group, stats, visit).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
                Err(damage) => {
                    self.learnt.damaged = true;
                    stats.damaged = stats.damaged.saturating_add(1);
                    report(self.sight.database, self.partition, key, &damage);
                }
            }
            self.rows.iter_mut().for_each(Rows::forward);
        }
        self.check_rows(stats).map(ControlFlow::Continue)
    }

    /// Adds a chunk to the group that it overlaps, else shows the group and begins another.
    fn take(
        &mut self,
        chunk: Chunk,
        group: &mut Group<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if chunk.known.header.first_time > group.end && !group.chunks.is_empty() {
            self.flush(group, stats, visit)?;
            group.end = i64::MIN;
        }
        group.end = group.end.max(chunk.known.header.last_time);
        group.chunks.push(chunk);
        ControlFlow::Continue(())
    }

    /// Shows the last group, and what the head holds after it.
    fn show_rest(
        &mut self,
        group: &mut Group<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if !group.chunks.is_empty() {
            self.flush(group, stats, visit)?;
        }
        self.show_head(group.head.part(group.head_from, self.last), stats, visit)
    }

    /// Hands on what was learnt of a series; `current` is what was known of it and still is so.
    fn keep(&mut self, series: u32, current: Option<&KnownSeries>) {
        let Learnt { chunks, news, damaged } = std::mem::take(&mut self.learnt);
        let row = self.rows.as_ref().and_then(Rows::row).and_then(|(key, _)| ChunkKey::decode(key).ok());
        let mut known = KnownSeries { moment: self.sight.moment, until: i64::MAX, chunks };
        if row.is_some_and(|row| row.series == series) {
            known.until = self.last;
        }
        if let Some(current) = current
            && current.until > known.until
        {
            let later = |chunk: &&Arc<KnownChunk>| chunk.key.first_time > self.last;
            known.chunks.extend(current.chunks.iter().filter(later).map(Arc::clone));
            known.until = current.until;
        }
        let more = current.is_none_or(|current| current.until < known.until);
        if !damaged && (news || more) {
            known.chunks.shrink_to_fit();
            self.sight.cache.keep(self.partition, series, known, (self.first, self.last));
        }
    }

    /// Goes to the first chunk of a series, with a seek only where the rows do not stand right already.
    fn go_to(&mut self, series: u32) {
        let Sight { database, snapshot, .. } = self.sight;
        let rows = self.rows.get_or_insert_with(|| {
            database.rows_at(snapshot, &self.family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec())
        });
        if self.started {
            match rows.row().and_then(|(key, _)| ChunkKey::decode(key).ok()) {
                // Rows are only ever left at the first chunk of a later series, or within an earlier one.
                Some(key) if key.series > series => return,
                Some(key) if key.series < series => {}
                Some(_) => return,
                None => {}
            }
        }
        self.started = true;
        rows.seek(&ChunkKey::first_of(series).encode());
    }

    /// A damaged block of the table ends the series here, not the scan; what else goes wrong is an error.
    fn check_rows(&mut self, stats: &mut ScanStats) -> Result<(), StoreError> {
        let Some(Err(error)) = self.rows.as_ref().map(|rows| rows.check("chunks")) else { return Ok(()) };
        let StoreError::Read { source, .. } = &error else { return Err(error) };
        if !source.is_damage() {
            return Err(error);
        }
        self.learnt.damaged = true;
        stats.damaged = stats.damaged.saturating_add(1);
        report_block(self.sight.database, self.partition, source);
        Ok(())
    }
}

impl Learnt {
    fn clear(&mut self) {
        self.chunks.clear();
        (self.news, self.damaged) = (false, false);
    }
}

impl Drop for PartitionScan<'_> {
    fn drop(&mut self) {
        self.sight.cache.count(self.hits, self.misses);
    }
}

fn read_header(key: ChunkKey, value: &[u8]) -> Result<ChunkHeader, crate::error::Damage> {
    let header = ChunkHeader::read(value)?;
    if header.first_time == key.first_time {
        Ok(header)
    } else {
        Err(crate::error::Damage::new("chunk", "its first time is not its key's"))
    }
}
