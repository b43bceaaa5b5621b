//! The states that one series lacks in one partition: of its closed buckets, and of its closed days from these.

use std::collections::{BTreeMap, BTreeSet};

use telemetry_core::aggregation::{Aggregation, KeptState, KeptStates};
use telemetry_core::time::NANOS_PER_DAY;

use super::book::Item;
use super::bucket::{Bucket, FewSamples, Filled};
use super::build::Stop;
use super::chunk_reader::ChunkReader;
use super::row::{Level, StateKey, level_prefix};
use crate::database::{Family, Snapshot};
use crate::engine::Engine;
use crate::families::{Class, Partition};
use crate::wire::after_prefix;

/// One series of one partition.
pub(super) struct SeriesBuild<'a> {
    pub(super) engine: &'a Engine,
    pub(super) states: KeptStates,
    pub(super) function: &'a dyn Aggregation,
    pub(super) item: Item,
    pub(super) now: i64,
}

/// What was built.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// Keys and values.
    pub(super) rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// They tell of what was sealed up to this sequence number.
    pub(super) sealed: u64,
    /// When the next bucket closes.
    pub(super) due: Option<i64>,
    /// States that are too large to be kept.
    pub(super) oversized: u64,
}

/// What is known of a bucket.
enum Known {
    /// Its state, in a row already or built now.
    State(KeptState),
    /// It is read sample by sample.
    Few(FewSamples),
    /// It has texts, and no state.
    Texts,
}

impl SeriesBuild<'_> {
    /// Builds.
    pub(super) fn run(&self) -> Result<Built, Stop> {
        let mut built = Built::default();
        let engine = self.engine;
        let Some(partition) = engine.catalogue.find(Class::Metrics, self.item.partition) else {
            return Ok(built);
        };
        let Some(family) = engine.database.find_family(&partition.family) else { return Ok(built) };
        let snapshot = engine.database.snapshot();
        let mut chunks = ChunkReader::new(&engine.database, &snapshot, &family, self.item.series)?;
        built.sealed = chunks.sealed;
        let level = Level::finest(self.states);
        let starts = self.starts(&chunks, &partition, level.width(self.states));
        let mut known = self.rows(&snapshot, &family, &partition, level)?;
        for start in starts {
            if known.contains_key(&start) || !self.is_closed(start, level, &mut built.due) {
                continue;
            }
            let found = self.fill(&mut chunks, start, level.width(self.states))?;
            if let Known::State(kept) = &found {
                self.put(&mut built, level, start, kept);
            }
            known.insert(start, found);
        }
        if level == Level::Bucket {
            self.days(&snapshot, &family, &partition, &known, &mut built)?;
        }
        Ok(built)
    }

    /// The buckets that chunks reach into.
    fn starts(&self, chunks: &ChunkReader<'_>, partition: &Partition, width: i64) -> BTreeSet<i64> {
        let mut starts = BTreeSet::new();
        for chunk in &chunks.chunks {
            let last = chunk.last.min(partition.end.saturating_sub(1));
            let first = chunk.first.max(partition.start);
            let mut start = first.saturating_sub(first.rem_euclid(width));
            while start <= last {
                starts.insert(start);
                start = start.saturating_add(width);
            }
        }
        starts
    }

    /// The rows of the series; a damaged one counts as absent, and is replaced.
    fn rows(
        &self,
        snapshot: &Snapshot<'_>,
        family: &Family<'_>,
        partition: &Partition,
        level: Level,
    ) -> Result<BTreeMap<i64, Known>, Stop> {
        let fingerprint = self.states.fingerprint;
        let series = self.item.series;
        let first = StateKey { fingerprint, level, series, start: partition.start };
        let upper = after_prefix(&level_prefix(fingerprint, level));
        let mut rows = self.engine.database.rows_at(snapshot, family, first.encode(), upper);
        let mut known = BTreeMap::new();
        rows.first();
        while let Some((key, value)) = rows.row() {
            let Some(key) = StateKey::decode(key).ok().filter(|key| key.series == series) else { break };
            if let Ok(kept) = key.read(value, level.width(self.states)) {
                known.insert(key.start, Known::State(kept));
            }
            rows.forward();
        }
        match rows.damage()? {
            Some(_) => Err(Stop::Damaged),
            None => Ok(known),
        }
    }

    /// Whether a bucket's time is over and nothing of it waits to be sealed; `due` is brought forward to its end otherwise.
    fn is_closed(&self, start: i64, level: Level, due: &mut Option<i64>) -> bool {
        let last = start.saturating_add(level.width(self.states) - 1);
        if last >= self.now {
            let end = last.saturating_add(1);
            *due = Some(due.map_or(end, |due| due.min(end)));
            return false;
        }
        // What waits in the head brings the series back here when it is sealed.
        let series = self.engine.registry.read().by_id(self.item.series).cloned();
        series.is_none_or(|series| !series.head().meets(start, last, &self.engine.ledger))
    }

    fn fill(&self, chunks: &mut ChunkReader<'_>, start: i64, width: i64) -> Result<Known, Stop> {
        let (first, last) = (start, start.saturating_add(width - 1));
        let mut bucket = Bucket::new(self.function);
        let mut has_text = false;
        chunks.within((first, last), |chunk| {
            let within = |times: &[i64]| {
                let from = times.partition_point(|time| *time < first);
                from..times.partition_point(|time| *time <= last).max(from)
            };
            has_text |= !within(&chunk.text_times).is_empty();
            let places = within(&chunk.times);
            match (chunk.times.get(places.clone()), chunk.values.get(places)) {
                (Some(times), Some(values)) if !has_text => bucket.samples(times, values),
                _ => Ok(()),
            }
        })?;
        if has_text {
            return Ok(Known::Texts);
        }
        Ok(match bucket.finish()? {
            Filled::State(kept) => Known::State(kept),
            Filled::Few(few) => Known::Few(few),
        })
    }

    fn put(&self, built: &mut Built, level: Level, start: i64, kept: &KeptState) {
        let fingerprint = self.states.fingerprint;
        let key = StateKey { fingerprint, level, series: self.item.series, start };
        match key.row(kept) {
            Some(value) => built.rows.push((key.encode(), value)),
            None => built.oversized = built.oversized.saturating_add(1),
        }
    }

    /// The days that have no state, from their buckets.
    fn days(
        &self,
        snapshot: &Snapshot<'_>,
        family: &Family<'_>,
        partition: &Partition,
        known: &BTreeMap<i64, Known>,
        built: &mut Built,
    ) -> Result<(), Stop> {
        let have = self.rows(snapshot, family, partition, Level::Day)?;
        let day_of = |start: i64| start.saturating_sub(start.rem_euclid(NANOS_PER_DAY));
        let days: BTreeSet<i64> = known.keys().map(|start| day_of(*start)).collect();
        for day in days {
            if have.contains_key(&day) || !self.is_closed(day, Level::Day, &mut built.due) {
                continue;
            }
            let parts = || known.range(day..day.saturating_add(NANOS_PER_DAY)).map(|(_, part)| part);
            if parts().any(|part| matches!(part, Known::Texts)) {
                continue;
            }
            let mut bucket = Bucket::new(self.function);
            for part in parts() {
                match part {
                    Known::State(kept) => bucket.state(kept)?,
                    Known::Few(few) => bucket.few(few)?,
                    Known::Texts => {}
                }
            }
            if let Filled::State(kept) = bucket.finish()? {
                self.put(built, Level::Day, day, &kept);
            }
        }
        Ok(())
    }
}
