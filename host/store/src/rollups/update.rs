//! Sealed samples are added to the rollups of their stretches.

use rocksdb::WriteBatch;
use telemetry_core::aggregation::SeriesDigest;

use super::buckets::{digests, merge, pays, split_at_time};
use super::row::{Resolution, RollupKey};
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
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
    let (numbers, mut texts) = by_time(samples);
    if texts.is_empty() {
        for resolution in Resolution::ALL {
            let mut rest = numbers.as_slice();
            while let Some((start, end)) = rest.first().and_then(|(time, _)| resolution.stretch_at(*time)) {
                let (part, behind) = split_at_time(rest, end);
                let key = RollupKey { resolution, series, start };
                let is_free = vacancy.spans(start, end);
                add_numbers(database, (partition, family), batch, key, (part, is_free))?;
                rest = behind;
            }
        }
        return Ok(());
    }
    // Seldom: a series that has texts too.
    texts.sort_unstable();
    for resolution in Resolution::ALL {
        let mut stretches: Vec<(i64, i64)> = numbers
            .iter()
            .map(|(time, _)| *time)
            .chain(texts.iter().copied())
            .filter_map(|time| resolution.stretch_at(time))
            .collect();
        stretches.sort_unstable();
        stretches.dedup();
        for (start, end) in stretches {
            let key = RollupKey { resolution, series, start };
            let within = |time: i64| start <= time && time < end;
            let is_free = vacancy.spans(start, end);
            if texts.iter().any(|time| within(*time)) {
                let held = if is_free { None } else { stored(database, family, key)? };
                if let Some(held) = held {
                    if let Err(damage) = &held {
                        key.report(database, partition, damage);
                    }
                    batch.delete_cf(family, key.encode());
                }
                continue;
            }
            let part: Vec<(i64, f64)> = numbers.iter().filter(|(time, _)| within(*time)).copied().collect();
            add_numbers(database, (partition, family), batch, key, (&part, is_free))?;
        }
    }
    Ok(())
}

/// Numeric samples by time and then by arrival, and the times of texts.
fn by_time(samples: &HeadSamples) -> (Vec<(i64, f64)>, Vec<i64>) {
    let mut numbers = Vec::with_capacity(samples.times.len());
    let mut texts = Vec::new();
    for (place, time) in samples.times.iter().enumerate() {
        match samples.values.number(place) {
            Some(number) => numbers.push((*time, number)),
            None => texts.push(*time),
        }
    }
    if !numbers.is_sorted_by_key(|(time, _)| *time) {
        numbers.sort_by_key(|(time, _)| *time);
    }
    (numbers, texts)
}

/// Adds the samples of one stretch, in which the series has no chunk yet if it is free.
fn add_numbers(
    database: &Database,
    (partition, family): (&Partition, &Family<'_>),
    batch: &mut WriteBatch,
    key: RollupKey,
    (numbers, is_free): (&[(i64, f64)], bool),
) -> Result<(), StoreError> {
    // Without a chunk there is no row either.
    let found = if is_free { None } else { stored(database, family, key)? };
    let held = match found {
        None if is_free && pays(numbers, key.resolution) => Ok(Vec::new()),
        None => return Ok(()),
        Some(held) => held,
    };
    match held {
        Ok(held) => {
            let buckets = merge(held, digests(numbers, key.resolution), key.resolution);
            batch.put_cf(family, key.encode(), key.row(&buckets));
        }
        Err(damage) => {
            key.report(database, partition, &damage);
            batch.delete_cf(family, key.encode());
        }
    }
    Ok(())
}

/// What a stretch's row tells, or how it, or the block that it would lie in, is damaged: sealing must not wait for what can be
/// made again, and a row that cannot be read goes.
fn stored(
    database: &Database,
    family: &Family<'_>,
    key: RollupKey,
) -> Result<Option<Result<Vec<SeriesDigest>, Damage>>, StoreError> {
    match database.get(family, &key.encode()) {
        Ok(value) => Ok(value.map(|value| key.read(&value))),
        Err(StoreError::Read { source, .. }) if source.is_damage() => {
            Ok(Some(Err(Damage::new("rollup", source.to_string()))))
        }
        Err(error) => Err(error),
    }
}
