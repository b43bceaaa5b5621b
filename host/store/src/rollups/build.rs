//! Making the rollups that a partition lacks when it is closed, from all chunks of a series.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;
use telemetry_core::aggregation::SeriesDigest;

use super::buckets::{add, digests, fills};
use super::row::{Resolution, RollupKey};
use crate::chunks::{SeriesChunk, series_chunks};
use crate::codec;
use crate::database::{Database, Family, Promise};
use crate::error::StoreError;
use crate::families::Partition;

/// The buckets of missing rows, by row and first instant of the bucket.
type Buckets = BTreeMap<(RollupKey, i64), SeriesDigest>;

/// Writes the rollups of a series that a partition lacks and that pay; answers how many. Nothing of a series with a damaged
/// chunk.
pub(crate) fn build(database: &Database, partition: &Partition, series: u32) -> Result<usize, StoreError> {
    let Some(family) = database.find_family(&partition.family) else { return Ok(0) };
    let Some(chunks) = series_chunks(database, partition, &family, series)? else { return Ok(0) };
    let missing = missing(database, &family, series, &chunks)?;
    if missing.is_empty() {
        return Ok(0);
    }
    let (mut buckets, mut with_text) = (Buckets::new(), BTreeSet::new());
    let (mut times, mut values, mut text_times) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in &chunks {
        let Some(value) = database.get(&family, &chunk.key.encode())? else { return Ok(0) };
        if codec::decode_numeric(&value, (i64::MIN, i64::MAX), &mut times, &mut values, &mut text_times)
            .is_err()
        {
            return Ok(0);
        }
        let samples: Vec<(i64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
        for resolution in Resolution::ALL {
            let row_at = |nanos: i64| {
                let (start, _) = resolution.stretch_at(nanos)?;
                Some(RollupKey { resolution, series, start }).filter(|key| missing.contains(key))
            };
            with_text.extend(text_times.iter().filter_map(|time| row_at(*time)));
            for digest in digests(&samples, resolution) {
                let first = digest.first_time.nanos();
                let Some(key) = row_at(first) else { continue };
                let bucket = first.div_euclid(resolution.width());
                buckets.entry((key, bucket)).and_modify(|held| add(held, &digest)).or_insert(digest);
            }
        }
    }
    write(database, &family, buckets, &with_text)
}

/// The rows that do not exist, of resolutions that the series fills.
fn missing(
    database: &Database,
    family: &Family<'_>,
    series: u32,
    chunks: &[SeriesChunk],
) -> Result<BTreeSet<RollupKey>, StoreError> {
    let mut missing = BTreeSet::new();
    let count = chunks.iter().map(|chunk| u64::from(chunk.header.count)).sum();
    for resolution in Resolution::ALL {
        let spans = chunks.iter().map(|chunk| (chunk.header.first_time, chunk.header.last_time));
        let covered = spans.clone().map(|(first, last)| i128::from(last) - i128::from(first)).sum();
        if !fills(count, covered, resolution) {
            continue;
        }
        for (first, last) in spans {
            let mut at = first;
            while let Some((start, end)) = resolution.stretch_at(at).filter(|_| at <= last) {
                let key = RollupKey { resolution, series, start };
                if !missing.contains(&key) && database.get(family, &key.encode())?.is_none() {
                    missing.insert(key);
                }
                at = end;
            }
        }
    }
    Ok(missing)
}

fn write(
    database: &Database,
    family: &Family<'_>,
    buckets: Buckets,
    with_text: &BTreeSet<RollupKey>,
) -> Result<usize, StoreError> {
    let mut rows: BTreeMap<RollupKey, Vec<SeriesDigest>> = BTreeMap::new();
    for ((key, _), digest) in buckets {
        if !with_text.contains(&key) {
            rows.entry(key).or_default().push(digest);
        }
    }
    rows.retain(|key, buckets| {
        let samples = buckets.iter().map(|bucket| bucket.count).fold(0, u64::saturating_add);
        fills(samples, (buckets.len() as i128) * i128::from(key.resolution.width()), key.resolution)
    });
    if rows.is_empty() {
        return Ok(0);
    }
    let mut batch = WriteBatch::new();
    for (key, buckets) in &rows {
        batch.put_cf(family, key.encode(), key.row(buckets));
    }
    database.commit(batch, Promise::Derived)?;
    Ok(rows.len())
}
