//! Finding the samples of one series at exactly one time, or at some, among its chunks.

use crate::chunks::row::{ChunkKey, chunk_at};
use crate::codec::{self, ChunkHeader};
use crate::column::ValueColumn;
use crate::database::{Database, Rows};
use crate::error::{Damage, EngineError, StoreError};
use crate::families::Partition;
use crate::head::Vacancy;
use telemetry_core::MetricValue;

/// What chunks hold at some times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedAt {
    /// Samples at exactly each of these times.
    pub(crate) counts: Vec<usize>,
    /// The interval around the last of these times in which no chunk that could be read has a sample; unknown when some have that
    /// very time.
    pub(crate) vacancy: Vacancy,
    /// Whether all chunks that matter could be read.
    pub(crate) all_read: bool,
    /// Chunks whose times were decoded.
    #[cfg(test)]
    pub(crate) decoded: usize,
}

/// Counts the samples of `series` at each of `times`, which ascend without repeats, in the chunks of the partition that holds
/// all of them; each chunk is decoded once at most. `rows` are the partition's, none when its family is gone. What is damaged
/// is reported and counts as nothing. It may be mended one day, and neither its row nor a rollup that tells of it may be
/// replaced: to who writes chunks, the vacancy is worth something only where all was read.
pub(crate) fn sealed_at(
    database: &Database,
    rows: Option<Rows<'_>>,
    partition: &Partition,
    series: u32,
    times: &[i64],
) -> Result<SealedAt, StoreError> {
    let mut found = SealedAt {
        counts: vec![0; times.len()],
        vacancy: Vacancy::UNKNOWN,
        all_read: true,
        #[cfg(test)]
        decoded: 0,
    };
    let (Some(mut rows), Some(last)) = (rows, times.last().copied()) else { return Ok(found) };
    found.vacancy = Vacancy { after: partition.start.saturating_sub(1), before: partition.end };
    let mut sealed = Vec::new();
    let mut seen = None;
    rows.seek(&ChunkKey::first_of(series).encode());
    while let Some((key, value)) = chunk_at(&rows, series, i64::MAX) {
        if key.first_time > last {
            found.vacancy.before = found.vacancy.before.min(key.first_time);
            break;
        }
        found.note((database, partition), (key, value), (times, last), &mut sealed);
        seen = Some(key);
        rows.forward();
    }
    if let Some(damage) = rows.damage()? {
        found.all_read = false;
        report_block(database, partition, &damage);
        // What lies behind it is looked at from the other end: left out, it would get the ids of its samples given out again.
        rows.seek_back(&ChunkKey::last_of(series).encode());
        while let Some((key, value)) = chunk_at(&rows, series, i64::MAX)
            && seen.is_none_or(|seen| key > seen)
        {
            if key.first_time > last {
                found.vacancy.before = found.vacancy.before.min(key.first_time);
            } else {
                found.note((database, partition), (key, value), (times, last), &mut sealed);
            }
            rows.back();
        }
        if let Some(damage) = rows.damage()? {
            report_block(database, partition, &damage);
        }
    }
    if found.counts.last().is_some_and(|count| *count > 0) {
        found.vacancy = Vacancy::UNKNOWN;
    }
    Ok(found)
}

impl SealedAt {
    /// Adds a chunk, or reports that it is damaged.
    fn note(
        &mut self,
        (database, partition): (&Database, &Partition),
        (key, value): (ChunkKey, &[u8]),
        times: (&[i64], i64),
        sealed: &mut Vec<i64>,
    ) {
        if let Err(damage) = self.add((key, value), times, sealed) {
            self.all_read = false;
            report(database, partition, key, &damage);
        }
    }

    /// Adds a chunk that begins no later than the `last` of `times`. Of one that spans none of them, only its end matters.
    fn add(
        &mut self,
        (key, value): (ChunkKey, &[u8]),
        (times, last): (&[i64], i64),
        sealed: &mut Vec<i64>,
    ) -> Result<(), Damage> {
        let header = ChunkHeader::read(value)?;
        let first = times.partition_point(|time| *time < key.first_time);
        let spanned = first..times.partition_point(|time| *time <= header.last_time).max(first);
        if spanned.is_empty() {
            sealed.clear();
            sealed.push(header.last_time);
        } else {
            codec::decode_times(value, sealed)?;
            #[cfg(test)]
            {
                self.decoded += 1;
            }
            let counts = self.counts.get_mut(spanned.clone()).unwrap_or_default();
            add_counts(sealed, times.get(spanned).unwrap_or_default(), counts);
        }
        for time in sealed.iter() {
            match time.cmp(&last) {
                std::cmp::Ordering::Less => self.vacancy.after = self.vacancy.after.max(*time),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => self.vacancy.before = self.vacancy.before.min(*time),
            }
        }
        Ok(())
    }
}

/// Adds how many of `sealed` are at each of `times`; both ascend.
fn add_counts(mut sealed: &[i64], times: &[i64], counts: &mut [usize]) {
    for (time, count) in times.iter().zip(counts) {
        let before = sealed.iter().take_while(|other| *other < time).count();
        let rest = sealed.get(before..).unwrap_or_default();
        let same = rest.iter().take_while(|other| *other == time).count();
        *count = count.saturating_add(same);
        sealed = rest.get(same..).unwrap_or_default();
    }
}

/// The `ordinal`-th sample, in order of arrival, of `series` at exactly `nanos` among the chunks of `partition`; or how
/// many there are, when there are fewer.
pub(crate) fn sealed_sample(
    database: &Database,
    rows: &mut Rows<'_>,
    partition: &Partition,
    series: u32,
    nanos: i64,
    ordinal: usize,
) -> Result<Result<MetricValue, usize>, StoreError> {
    let mut chunks = Vec::new();
    rows.seek(&ChunkKey::first_of(series).encode());
    while let Some((key, value)) = chunk_at(rows, series, nanos) {
        match ChunkHeader::read(value) {
            Ok(header) if header.last_time >= nanos => {
                chunks.push((header.sealed_sequence, key, value.to_vec()))
            }
            Ok(_) => {}
            Err(damage) => report(database, partition, key, &damage),
        }
        rows.forward();
    }
    rows.check("chunks")?;
    chunks.sort_by_key(|(sealed, key, _)| (*sealed, *key));
    let (mut times, mut values) = (Vec::new(), ValueColumn::default());
    let mut before = 0_usize;
    for (_, key, value) in chunks {
        if let Err(damage) = codec::decode(&value, &mut times, &mut values) {
            report(database, partition, key, &damage);
            continue;
        }
        let first = times.partition_point(|time| *time < nanos);
        let count = times.partition_point(|time| *time <= nanos).saturating_sub(first);
        if let Some(within) = ordinal.checked_sub(before)
            && within < count
            && let Some(found) = values.get(first.saturating_add(within))
        {
            return Ok(Ok(found));
        }
        before = before.saturating_add(count);
    }
    Ok(Err(before))
}

/// Reports a chunk that is set aside.
pub(crate) fn report(database: &Database, partition: &Partition, key: ChunkKey, damage: &Damage) {
    database.reports().add(format!(
        "chunk of series {} at {} in partition {} is set aside: {}",
        key.series,
        telemetry_core::Timestamp::from_nanos(key.first_time),
        partition.family,
        damage.reason
    ));
}

/// Reports a block of a partition's table, with whatever chunks are in it, that is set aside.
pub(crate) fn report_block(database: &Database, partition: &Partition, damage: &EngineError) {
    database.reports().add(format!("a block of partition {} is set aside: {damage}", partition.family));
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
