//! Reading kept states: the buckets of a range that they cover.

use telemetry_core::aggregation::{KeptState, KeptStates};
use telemetry_core::time::NANOS_PER_DAY;

use super::row::{Level, StateKey, level_prefix};
use crate::chunks::ScanStats;
use crate::database::{Database, Rows, Snapshot};
use crate::error::StoreError;
use crate::families::Partition;
use crate::wire::after_prefix;

/// A bucket of which a kept state tells all that is sealed.
#[derive(Debug)]
pub(crate) struct CoveredState {
    /// Its first instant.
    pub(crate) first: i64,
    /// Its last instant.
    pub(crate) last: i64,
    /// The state.
    pub(crate) kept: KeptState,
}

/// Reads the kept states of one function and partition, series by series.
pub(crate) struct StateScan<'a> {
    days: Option<LevelRows<'a>>,
    buckets: Option<LevelRows<'a>>,
}

/// The rows of one level.
struct LevelRows<'a> {
    rows: Rows<'a>,
    states: KeptStates,
    level: Level,
    started: bool,
}

impl<'a> StateScan<'a> {
    /// The states whose buckets do not cross the edges of steps of `step` nanoseconds; `None` where there are none.
    pub(crate) fn new(
        database: &'a Database,
        snapshot: &'a Snapshot<'a>,
        partition: &Partition,
        states: KeptStates,
        step: Option<i64>,
    ) -> Option<Self> {
        let family = database.find_family(&partition.family)?;
        let fits = |level: Level| step.is_none_or(|step| step > 0 && step % level.width(states) == 0);
        let mut scan = Self { days: None, buckets: None };
        for level in Level::of(states).filter(|level| fits(*level)) {
            let lower = level_prefix(states.fingerprint, level);
            let upper = after_prefix(&lower);
            let rows = database.rows_at(snapshot, &family, lower, upper);
            let of_level = Some(LevelRows { rows, states, level, started: false });
            match level {
                Level::Day => scan.days = of_level,
                Level::Bucket => scan.buckets = of_level,
            }
        }
        (scan.days.is_some() || scan.buckets.is_some()).then_some(scan)
    }

    /// The buckets within `first..=last` that have a state, ascending and apart: days first, shorter buckets where no day is.
    /// Series must be asked in ascending order.
    pub(crate) fn covered(
        &mut self,
        database: &Database,
        partition: &Partition,
        series: u32,
        (first, last): (i64, i64),
        stats: &mut ScanStats,
    ) -> Result<Vec<CoveredState>, StoreError> {
        let mut covered = Vec::new();
        if let Some(days) = &mut self.days {
            days.read(database, partition, series, (first, last), &mut covered, stats)?;
        }
        let Some(buckets) = &mut self.buckets else { return Ok(covered) };
        let mut gaps = Vec::new();
        let mut from = Some(first);
        for day in &covered {
            gaps.extend(from.zip(day.first.checked_sub(1)).filter(|(from, to)| from <= to));
            from = day.last.checked_add(1);
        }
        gaps.extend(from.filter(|from| *from <= last).map(|from| (from, last)));
        let whole_days = covered.len();
        for gap in gaps {
            buckets.read(database, partition, series, gap, &mut covered, stats)?;
        }
        if whole_days > 0 && covered.len() > whole_days {
            covered.sort_unstable_by_key(|covered| covered.first);
        }
        Ok(covered)
    }
}

impl LevelRows<'_> {
    /// Adds the states of whole buckets within `first..=last`.
    fn read(
        &mut self,
        database: &Database,
        partition: &Partition,
        series: u32,
        (first, last): (i64, i64),
        covered: &mut Vec<CoveredState>,
        stats: &mut ScanStats,
    ) -> Result<(), StoreError> {
        let width = self.level.width(self.states);
        let Some(start) = first_bucket(first, width) else { return Ok(()) };
        // The usual shortest range: less than a bucket.
        if start.checked_add(width - 1).is_none_or(|end| end > last) {
            return Ok(());
        }
        self.go_to(StateKey { fingerprint: self.states.fingerprint, level: self.level, series, start });
        while let Some((key, value)) = self.rows.row() {
            let Some(key) = StateKey::decode(key).ok().filter(|key| key.series == series) else { break };
            let Some(end) = key.start.checked_add(width - 1).filter(|end| *end <= last) else { break };
            match key.read(value, width) {
                Ok(kept) if key.start.rem_euclid(width) == 0 => {
                    covered.push(CoveredState { first: key.start, last: end, kept });
                }
                Ok(_) => {}
                Err(damage) => {
                    stats.damaged_states = stats.damaged_states.saturating_add(1);
                    key.report(database, partition, &damage);
                }
            }
            self.rows.forward();
        }
        match self.rows.check("kept states") {
            Err(StoreError::Read { source, .. }) if source.is_damage() => {
                stats.damaged_states = stats.damaged_states.saturating_add(1);
                database
                    .reports()
                    .add(format!("kept states of partition {} are set aside: {source}", partition.family));
                self.started = false;
                Ok(())
            }
            other => other,
        }
    }

    /// Goes to the first row at or after `key`, with a seek only where the rows do not stand right already.
    fn go_to(&mut self, key: StateKey) {
        if self.started {
            match self.rows.row().map(|(key, _)| StateKey::decode(key)) {
                Some(Ok(at)) if at < key => {}
                // At a later row, or beyond the last one: there is none between.
                _ => return,
            }
        }
        self.started = true;
        self.rows.seek(&key.encode());
    }
}

/// The start of the first bucket that begins at or after `nanos`.
fn first_bucket(nanos: i64, width: i64) -> Option<i64> {
    debug_assert!(width > 0 && NANOS_PER_DAY % width == 0, "buckets divide a day");
    match nanos.rem_euclid(width) {
        0 => Some(nanos),
        past => nanos.checked_add(width - past),
    }
}
