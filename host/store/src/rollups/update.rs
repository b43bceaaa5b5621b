//! Sealed samples are added to the rollups of their stretches.

use rocksdb::WriteBatch;

use super::buckets::{digests, merge, pays};
use super::row::{Resolution, RollupKey};
use crate::database::{Database, Family};
use crate::error::StoreError;
use crate::families::Partition;
use crate::head::{HeadSamples, Vacancy};

/// Puts into `batch` what samples of one series and partition, in order of arrival, change in its rollups. `vacancy` is where
/// the series has no chunk yet.
pub(crate) fn add(
    database: &Database,
    (partition, family): (&Partition, &Family<'_>),
    batch: &mut WriteBatch,
    series: u32,
    samples: &HeadSamples,
    vacancy: Vacancy,
) -> Result<(), StoreError> {
    let mut sorted: Vec<(i64, Option<f64>)> =
        samples.times.iter().enumerate().map(|(place, time)| (*time, samples.values.number(place))).collect();
    if !sorted.is_sorted_by_key(|(time, _)| *time) {
        sorted.sort_by_key(|(time, _)| *time);
    }
    for resolution in Resolution::ALL {
        let stretch = |sample: &(i64, Option<f64>)| sample.0.div_euclid(resolution.stretch());
        for part in sorted.chunk_by(|one, other| stretch(one) == stretch(other)) {
            let Some((start, end)) = part.first().and_then(|(time, _)| resolution.stretch_at(*time)) else {
                continue;
            };
            let key = RollupKey { resolution, series, start };
            let numbers: Vec<(i64, f64)> =
                part.iter().filter_map(|(time, value)| Some((*time, (*value)?))).collect();
            let has_text = numbers.len() < part.len();
            let free = vacancy.spans(start, end);
            // Without a chunk there is no row either.
            let stored = if free { None } else { database.get(family, &key.encode())? };
            let held = match stored {
                None if free && !has_text && pays(&numbers, resolution) => Ok(Vec::new()),
                None => continue,
                Some(_) if has_text => {
                    batch.delete_cf(family, key.encode());
                    continue;
                }
                Some(value) => key.read(&value),
            };
            match held {
                Ok(held) => {
                    let buckets = merge(held, digests(&numbers, resolution), resolution);
                    batch.put_cf(family, key.encode(), key.row(&buckets));
                }
                Err(damage) => {
                    key.report(database, partition, &damage);
                    batch.delete_cf(family, key.encode());
                }
            }
        }
    }
    Ok(())
}
