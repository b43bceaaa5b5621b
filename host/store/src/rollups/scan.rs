//! Reading rollups: the stretches of a range that they cover.

use telemetry_core::aggregation::SeriesDigest;

use super::row::{FIRST_ROLLUP_KEY, LAST_ROLLUP_KEY, Resolution, RollupKey};
use crate::database::{Database, Rows, Snapshot};
use crate::error::StoreError;
use crate::families::Partition;

/// A time of which the rollups tell all that is sealed.
#[derive(Debug)]
pub(crate) struct Covered {
    /// Its first instant.
    pub(crate) first: i64,
    /// Its last instant.
    pub(crate) last: i64,
    /// The buckets with samples, ascending; each lies wholly within it.
    pub(crate) buckets: Vec<SeriesDigest>,
}

/// Reads the rollups of one resolution and partition, series by series.
pub(crate) struct RollupScan<'a> {
    rows: Rows<'a>,
    resolution: Resolution,
    started: bool,
}

impl<'a> RollupScan<'a> {
    /// The rollups that tell of buckets of `step` nanoseconds; `None` where none do.
    pub(crate) fn new(
        database: &'a Database,
        snapshot: &'a Snapshot<'a>,
        partition: &Partition,
        step: i64,
    ) -> Option<Self> {
        let resolution = Resolution::within(step)?;
        let family = database.find_family(&partition.family)?;
        let rows = database.rows_at(snapshot, &family, FIRST_ROLLUP_KEY.to_vec(), LAST_ROLLUP_KEY.to_vec());
        Some(Self { rows, resolution, started: false })
    }

    /// What is covered of `first..=last`, ascending. Series must be asked in ascending order.
    pub(crate) fn covered(
        &mut self,
        database: &Database,
        partition: &Partition,
        series: u32,
        (first, last): (i64, i64),
    ) -> Result<Vec<Covered>, StoreError> {
        let (resolution, width) = (self.resolution, self.resolution.width());
        let mut covered = Vec::new();
        // Of the buckets at the ends only a part is asked for.
        let begin = first.div_euclid(width).saturating_add(i64::from(first.rem_euclid(width) != 0));
        let (Some(begin), Some(end)) = (
            begin.checked_mul(width),
            last.checked_add(1).map(|after| after.saturating_sub(after.rem_euclid(width)).saturating_sub(1)),
        ) else {
            return Ok(covered);
        };
        let Some((start, _)) = resolution.stretch_at(begin).filter(|_| begin <= end) else {
            return Ok(covered);
        };
        self.go_to(RollupKey { resolution, series, start });
        while let Some((key, value)) = self.rows.row() {
            let Some(key) = RollupKey::decode(key)
                .ok()
                .filter(|key| key.resolution == resolution && key.series == series && key.start <= end)
            else {
                break;
            };
            match key.read(value) {
                Ok(mut buckets) => {
                    let after = key.start.saturating_add(resolution.stretch()).saturating_sub(1);
                    let (first, last) = (key.start.max(begin), after.min(end));
                    buckets.retain(|bucket| {
                        first <= bucket.first_time.nanos() && bucket.last_time.nanos() <= last
                    });
                    covered.push(Covered { first, last, buckets });
                }
                Err(damage) => key.report(database, partition, &damage),
            }
            self.rows.forward();
        }
        match self.rows.check("rollups") {
            Err(StoreError::Read { source, .. }) if source.is_damage() => {
                let reason = format!("rollups of partition {} are set aside: {source}", partition.family);
                database.reports().add(reason);
                Ok(Vec::new())
            }
            other => other.map(|()| covered),
        }
    }

    /// Goes to the first row at or after `key`, with a seek only where the rows do not stand right already.
    fn go_to(&mut self, key: RollupKey) {
        if self.started {
            match self.rows.row().map(|(key, _)| RollupKey::decode(key)) {
                Some(Ok(at)) if at < key => {}
                // At a later row, or beyond the last one: there is none between.
                _ => return,
            }
        }
        self.started = true;
        self.rows.seek(&key.encode());
    }
}
