//! Sealed samples remove the kept states that they make wrong.

use rocksdb::WriteBatch;

use super::row::{Level, StateKey, level_prefix, mark_key};
use crate::database::Family;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::Partition;
use crate::head::{HeadSamples, Series, Vacancy};
use crate::wire::after_prefix;

impl Engine {
    /// Puts into `batch` the removal of the states of all buckets that `samples` of one series and partition lie in; answers how
    /// many of each kind, for [`Engine::note_sealed_states`]. `vacancy` is where the series has no chunk yet, and so no state.
    pub(crate) fn invalidate_states(
        &self,
        (partition, family): (&Partition, &Family<'_>),
        batch: &mut WriteBatch,
        series: &Series,
        samples: &HeadSamples,
        vacancy: Vacancy,
    ) -> Result<RemovedStates, StoreError> {
        let mut removed = RemovedStates { partition: partition.start, counts: Vec::new() };
        if self.states.is_empty() {
            return Ok(removed);
        }
        let mut times = samples.times.clone();
        if !times.is_sorted() {
            times.sort_unstable();
        }
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else {
            return Ok(removed);
        };
        for states in self.states.known() {
            let mut count = 0_u64;
            for level in Level::of(states) {
                let width = level.width(states);
                let start = first.saturating_sub(first.rem_euclid(width));
                let end = last.saturating_sub(last.rem_euclid(width)).saturating_add(width);
                if vacancy.spans(start, end) {
                    continue;
                }
                let key = StateKey { fingerprint: states.fingerprint, level, series: series.id, start };
                let gone = self.remove_touched(family, batch, key, &times, (last, width))?;
                count = count.saturating_add(gone);
            }
            removed.counts.push((states.fingerprint, count));
            let mark = mark_key(states.fingerprint);
            if self.states.takes_mark(states.fingerprint, partition.start)
                && self.may_have_mark(partition, family, &mark)?
            {
                batch.delete_cf(family, mark);
            }
        }
        Ok(removed)
    }

    /// Whether a mark of being looked through is there, or hidden by damage.
    fn may_have_mark(
        &self,
        partition: &Partition,
        family: &Family<'_>,
        mark: &[u8],
    ) -> Result<bool, StoreError> {
        match self.database.get(family, mark) {
            Ok(found) => Ok(found.is_some()),
            Err(StoreError::Read { source, .. }) if source.is_damage() => {
                self.database.reports().add(format!(
                    "kept states of partition {} are to be looked for again: {source}",
                    partition.family
                ));
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the rows from `from` on whose buckets any of `times` lies in; answers how many.
    fn remove_touched(
        &self,
        family: &Family<'_>,
        batch: &mut WriteBatch,
        from: StateKey,
        times: &[i64],
        (last, width): (i64, i64),
    ) -> Result<u64, StoreError> {
        let prefix = level_prefix(from.fingerprint, from.level);
        let mut rows = self.database.rows(family, from.encode(), after_prefix(&prefix));
        let mut count = 0_u64;
        rows.first();
        while let Some((key, _)) = rows.row() {
            let Some(at) =
                StateKey::decode(key).ok().filter(|at| at.series == from.series && at.start <= last)
            else {
                break;
            };
            if touched(times, at.start, width) {
                batch.delete_cf(family, key);
                count = count.saturating_add(1);
            }
            rows.forward();
        }
        if let Some(damage) = rows.damage()? {
            // Sealing must not wait for what can be made again: all that cannot be read goes.
            let after = StateKey { start: last.saturating_add(1), ..from };
            batch.delete_range_cf(family, from.encode(), after.encode());
            self.database
                .reports()
                .add(format!("kept states of series {} are removed: {damage}", from.series));
        }
        Ok(count)
    }

    /// To be called where a batch that [`Self::invalidate_states`] filled is not committed: marks that it removes may stay.
    pub(crate) fn keep_state_marks(&self) {
        self.states.doubt_marks();
    }

    /// Notes that a series is to be looked at again; to be called once the batch is committed, or who builds would look too
    /// early.
    pub(crate) fn note_sealed_states(&self, series: &Series, removed: &RemovedStates) {
        if !self.states.is_empty() {
            self.states.note_sealed(removed.partition, series.id, &series.key.name, &removed.counts);
        }
    }
}

/// How many states a series lost in one partition, by fingerprint.
#[derive(Debug)]
pub(crate) struct RemovedStates {
    partition: i64,
    counts: Vec<(u64, u64)>,
}

/// Whether any of the ascending `times` lies in the bucket.
fn touched(times: &[i64], start: i64, width: i64) -> bool {
    let from = times.partition_point(|time| *time < start);
    times.get(from).is_some_and(|time| time.checked_sub(start).is_some_and(|past| past < width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_buckets_with_samples_are_touched() {
        let times = [5, 9, 30];
        let found: Vec<bool> = [0, 10, 20, 30].into_iter().map(|start| touched(&times, start, 10)).collect();
        assert_eq!(found, [true, false, false, true]);
    }
}
