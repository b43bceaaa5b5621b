//! One partition's samples, series by series: chunks by their headers where that is enough, else decoded and cut to the
//! range, together with what the head holds.
//!
//! Chunks that overlap in time form a group. Without order a group's chunks are shown one after the other in the order
//! in which they were sealed; with order a group of several, or one that the head reaches into, is merged by time.

use std::ops::ControlFlow;

use telemetry_core::{ScanBlock, ScanOptions, Timestamp};

use crate::chunks::locate::report;
use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::chunks::scan::ScanStats;
use crate::codec::{self, ChunkHeader};
use crate::database::{Database, Rows, Snapshot};
use crate::error::StoreError;
use crate::families::Partition;
use crate::head::HeadSamples;
use crate::rollups::{RollupScan, StateScan};

/// Takes the blocks of one series.
pub(crate) type Visit<'v> = dyn FnMut(ScanBlock<'_>) -> ControlFlow<()> + 'v;

/// The head's samples of one series within the asked range, by time and then by arrival.
#[derive(Debug, Default)]
pub(crate) struct HeadRun {
    times: Vec<i64>,
    values: Vec<f64>,
    text_times: Vec<i64>,
}

impl HeadRun {
    /// Sorts what was copied from a head and keeps what lies within `first..=last`.
    pub(crate) fn new(samples: &HeadSamples, first: i64, last: i64) -> Self {
        let within = |time: &i64| first <= *time && *time <= last;
        let mut places: Vec<usize> = samples
            .times
            .iter()
            .enumerate()
            .filter(|(_, time)| within(time))
            .map(|(place, _)| place)
            .collect();
        let time_at = |place: &usize| samples.times.get(*place).copied().unwrap_or(i64::MAX);
        if !places.is_sorted_by_key(time_at) {
            places.sort_by_key(time_at);
        }
        let mut run = Self::default();
        for place in places {
            let time = time_at(&place);
            match samples.values.number(place) {
                Some(value) => {
                    run.times.push(time);
                    run.values.push(value);
                }
                None => run.text_times.push(time),
            }
        }
        run
    }

    /// The part within `first..=last`.
    pub(super) fn part(&self, first: i64, last: i64) -> HeadPart<'_> {
        fn bounds(times: &[i64], first: i64, last: i64) -> std::ops::Range<usize> {
            let start = times.partition_point(|time| *time < first);
            start..times.partition_point(|time| *time <= last).max(start)
        }
        let numbers = bounds(&self.times, first, last);
        HeadPart {
            times: self.times.get(numbers.clone()).unwrap_or_default(),
            values: self.values.get(numbers).unwrap_or_default(),
            text_times: self.text_times.get(bounds(&self.text_times, first, last)).unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HeadPart<'a> {
    times: &'a [i64],
    values: &'a [f64],
    text_times: &'a [i64],
}

impl HeadPart<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.text_times.is_empty()
    }
}

/// A chunk of a group. The value is empty when the header alone will do.
struct Chunk {
    key: ChunkKey,
    header: ChunkHeader,
    value: Vec<u8>,
}

/// Decoded columns, kept between chunks.
#[derive(Debug, Default)]
struct Scratch {
    times: Vec<i64>,
    values: Vec<f64>,
    text_times: Vec<i64>,
}

/// Reads one partition for one scan.
pub(crate) struct PartitionScan<'a> {
    pub(super) database: &'a Database,
    pub(super) partition: &'a Partition,
    rows: Rows<'a>,
    pub(super) rollups: Option<RollupScan<'a>>,
    pub(super) states: Option<StateScan<'a>>,
    /// Whether the rows were told where to go.
    pub(super) started: bool,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) options: ScanOptions,
    scratch: Scratch,
}

impl<'a> PartitionScan<'a> {
    /// The part of a scan over `first..=last` that falls into `partition`; `None` when it was dropped.
    pub(crate) fn new(
        database: &'a Database,
        snapshot: &'a Snapshot<'a>,
        partition: &'a Partition,
        (first, last): (i64, i64),
        options: ScanOptions,
    ) -> Option<Self> {
        let family = database.find_family(&partition.family)?;
        let rows = database.rows_at(snapshot, &family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
        let step = options.bucket.filter(|_| options.digests);
        let rollups = step.and_then(|step| RollupScan::new(database, snapshot, partition, step));
        let kept = options.states.filter(|_| !options.ordered && !options.digests);
        let states =
            kept.and_then(|kept| StateScan::new(database, snapshot, partition, kept, options.bucket));
        Some(Self {
            database,
            partition,
            rows,
            rollups,
            states,
            started: false,
            first: first.max(partition.start),
            last: last.min(partition.end.saturating_sub(1)),
            options,
            scratch: Scratch::default(),
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
        self.go_to(series);
        let mut head_from = self.first;
        let mut group: Vec<Chunk> = Vec::new();
        let mut group_end = i64::MIN;
        while let Some((key, value)) = chunk_at(&self.rows, series, self.last) {
            match read_header(key, value) {
                Ok(header) if header.last_time >= self.first => {
                    stats.chunks = stats.chunks.saturating_add(1);
                    if header.first_time > group_end && !group.is_empty() {
                        if self.flush(&mut group, head, &mut head_from, stats, visit).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                        group_end = i64::MIN;
                    }
                    group_end = group_end.max(header.last_time);
                    let header_alone = !self.options.ordered && self.stands_for_samples(&header);
                    // `flush` does not move the rows, so `value` could not be read again after this.
                    let value = match chunk_at(&self.rows, series, self.last) {
                        Some((_, value)) if !header_alone => value.to_vec(),
                        _ => Vec::new(),
                    };
                    group.push(Chunk { key, header, value });
                }
                Ok(_) => {}
                Err(damage) => {
                    stats.damaged = stats.damaged.saturating_add(1);
                    report(self.database, self.partition, key, &damage);
                }
            }
            self.rows.forward();
        }
        self.check_rows(stats)?;
        if !group.is_empty() && self.flush(&mut group, head, &mut head_from, stats, visit).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(self.show_head(head.part(head_from, self.last), stats, visit))
    }

    /// Goes to the first chunk of a series, with a seek only where the rows do not stand right already.
    fn go_to(&mut self, series: u32) {
        if self.started {
            match self.rows.row().and_then(|(key, _)| ChunkKey::decode(key).ok()) {
                // Rows are only ever left at the first chunk of a later series, or within an earlier one.
                Some(key) if key.series > series => return,
                Some(key) if key.series < series => {}
                Some(_) => return,
                None => {}
            }
        }
        self.started = true;
        self.rows.seek(&ChunkKey::first_of(series).encode());
    }

    /// A damaged block of the table ends the series here, not the scan; what else goes wrong is an error.
    fn check_rows(&mut self, stats: &mut ScanStats) -> Result<(), StoreError> {
        let Err(error) = self.rows.check("chunks") else { return Ok(()) };
        let StoreError::Read { source, .. } = &error else { return Err(error) };
        if !source.is_damage() {
            return Err(error);
        }
        stats.damaged = stats.damaged.saturating_add(1);
        self.database
            .reports()
            .add(format!("a block of partition {} is set aside: {source}", self.partition.family));
        Ok(())
    }

    /// Whether the header's digest may be shown instead of the samples.
    fn stands_for_samples(&self, header: &ChunkHeader) -> bool {
        self.options.digests
            && header.text_count == 0
            && header.digest.is_some()
            && self.first <= header.first_time
            && header.last_time <= self.last
            && self.options.bucket.is_none_or(|step| {
                Timestamp::from_nanos(header.first_time).floor_to(step)
                    == Timestamp::from_nanos(header.last_time).floor_to(step)
            })
    }

    fn flush(
        &mut self,
        group: &mut Vec<Chunk>,
        head: &HeadRun,
        head_from: &mut i64,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if group.len() > 1 {
            group.sort_by_key(|chunk| (chunk.header.sealed_sequence, chunk.key));
        }
        if self.options.ordered {
            let start = group.iter().map(|chunk| chunk.header.first_time).min().unwrap_or(i64::MIN);
            let end = group.iter().map(|chunk| chunk.header.last_time).max().unwrap_or(i64::MAX);
            let before = head.part(*head_from, start.saturating_sub(1));
            self.show_head(before, stats, visit)?;
            let within = head.part((*head_from).max(start), end.min(self.last));
            *head_from = (*head_from).max(end.saturating_add(1));
            if group.len() > 1 || !within.is_empty() {
                return self.show_merged(&std::mem::take(group), within, stats, visit);
            }
        }
        group.drain(..).try_for_each(|chunk| self.show_chunk(&chunk, stats, visit))
    }

    pub(super) fn show_head(
        &self,
        part: HeadPart<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        show(part.times, part.values, part.text_times, stats, visit)
    }

    fn show_chunk(&mut self, chunk: &Chunk, stats: &mut ScanStats, visit: &mut Visit<'_>) -> ControlFlow<()> {
        if self.stands_for_samples(&chunk.header)
            && let Some(digest) = &chunk.header.digest
        {
            stats.digests = stats.digests.saturating_add(1);
            stats.samples = stats.samples.saturating_add(digest.count);
            return visit(ScanBlock::Digest(digest));
        }
        if !self.decode(chunk, stats) {
            return ControlFlow::Continue(());
        }
        let (first, last) = (self.first, self.last);
        let Scratch { times, values, text_times } = &self.scratch;
        let cut = |times: &[i64]| {
            let start = times.partition_point(|time| *time < first);
            start..times.partition_point(|time| *time <= last).max(start)
        };
        let (numbers, texts) = (cut(times), cut(text_times));
        show(
            times.get(numbers.clone()).unwrap_or_default(),
            values.get(numbers).unwrap_or_default(),
            text_times.get(texts).unwrap_or_default(),
            stats,
            visit,
        )
    }

    fn decode(&mut self, chunk: &Chunk, stats: &mut ScanStats) -> bool {
        let Scratch { times, values, text_times } = &mut self.scratch;
        match codec::decode_numeric(&chunk.value, (self.first, self.last), times, values, text_times) {
            Ok(_) => {
                stats.decoded = stats.decoded.saturating_add(1);
                true
            }
            Err(damage) => {
                stats.damaged = stats.damaged.saturating_add(1);
                report(self.database, self.partition, chunk.key, &damage);
                false
            }
        }
    }

    /// Shows a group's chunks, which come in the order in which they were sealed, and the head's part as one block.
    fn show_merged(
        &mut self,
        group: &[Chunk],
        head: HeadPart<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let (mut samples, mut texts) = (Vec::new(), Vec::new());
        let (first, last) = (self.first, self.last);
        let within = |time: i64| first <= time && time <= last;
        for chunk in group {
            if self.decode(chunk, stats) {
                let Scratch { times, values, text_times } = &self.scratch;
                let pairs = times.iter().copied().zip(values.iter().copied());
                samples.extend(pairs.filter(|(time, _)| within(*time)));
                texts.extend(text_times.iter().copied().filter(|time| within(*time)));
            }
        }
        samples.extend(head.times.iter().copied().zip(head.values.iter().copied()));
        texts.extend_from_slice(head.text_times);
        samples.sort_by_key(|(time, _)| *time);
        texts.sort_unstable();
        let (times, values): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
        show(&times, &values, &texts, stats, visit)
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

fn show(
    times: &[i64],
    values: &[f64],
    text_times: &[i64],
    stats: &mut ScanStats,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    stats.samples =
        stats.samples.saturating_add((times.len() as u64).saturating_add(text_times.len() as u64));
    if !times.is_empty() {
        visit(ScanBlock::Samples { timestamps: times, values })?;
    }
    if !text_times.is_empty() {
        visit(ScanBlock::Text { timestamps: text_times })?;
    }
    ControlFlow::Continue(())
}
