//! Finding the samples of one series at exactly one time among its chunks.

use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::codec::{self, ChunkHeader};
use crate::column::ValueColumn;
use crate::database::{Database, Rows};
use crate::error::StoreError;
use crate::families::Partition;
use crate::head::Vacancy;
use telemetry_core::MetricValue;

/// What chunks hold at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedAt {
    /// Samples at exactly that time.
    pub(crate) count: usize,
    /// The interval around it without any sample; unknown when there are some.
    pub(crate) vacancy: Vacancy,
}

/// Counts the samples of `series` at `nanos` in the chunks of the partition that holds it.
pub(crate) fn sealed_at(
    database: &Database,
    partition: &Partition,
    series: u32,
    nanos: i64,
) -> Result<SealedAt, StoreError> {
    let Some(family) = database.find_family(&partition.family) else {
        return Ok(SealedAt { count: 0, vacancy: Vacancy::UNKNOWN });
    };
    let mut rows = database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    let mut found = SealedAt {
        count: 0,
        vacancy: Vacancy { after: partition.start.saturating_sub(1), before: partition.end },
    };
    let mut times = Vec::new();
    rows.seek(&ChunkKey::first_of(series).encode());
    while let Some((key, value)) = chunk_at(&rows, series, i64::MAX) {
        if key.first_time > nanos {
            found.vacancy.before = found.vacancy.before.min(key.first_time);
            break;
        }
        match times_around(value, nanos, &mut times) {
            Ok(()) => {
                for time in &times {
                    match time.cmp(&nanos) {
                        std::cmp::Ordering::Less => found.vacancy.after = found.vacancy.after.max(*time),
                        std::cmp::Ordering::Equal => found.count = found.count.saturating_add(1),
                        std::cmp::Ordering::Greater => found.vacancy.before = found.vacancy.before.min(*time),
                    }
                }
            }
            Err(damage) => report(database, partition, key, &damage),
        }
        rows.forward();
    }
    rows.check("chunks")?;
    if found.count > 0 {
        found.vacancy = Vacancy::UNKNOWN;
    }
    Ok(found)
}

/// The times that matter around `nanos`: all of a chunk that spans it, only the last of an earlier one.
fn times_around(value: &[u8], nanos: i64, times: &mut Vec<i64>) -> Result<(), crate::error::Damage> {
    let header = ChunkHeader::read(value)?;
    if header.last_time < nanos {
        times.clear();
        times.push(header.last_time);
        Ok(())
    } else {
        codec::decode_times(value, times).map(|_| ())
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
pub(crate) fn report(
    database: &Database,
    partition: &Partition,
    key: ChunkKey,
    damage: &crate::error::Damage,
) {
    database.reports().add(format!(
        "chunk of series {} at {} in partition {} is set aside: {}",
        key.series,
        telemetry_core::Timestamp::from_nanos(key.first_time),
        partition.family,
        damage.reason
    ));
}
