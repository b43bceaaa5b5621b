//! The contract's words, carried out naively: all samples in one list, one loop for each figure.

use std::collections::HashMap;

use indexmap::IndexMap;
use telemetry_core::aggregation::AggregateValue;
use telemetry_core::{SeriesKey, Timestamp};

use super::memory::MemoryReader;
use crate::aggregation::{
    AnsweredRange, GroupAnswer, MetricAnswer, MetricsAnswer, PointAnswer, SampleReader, SelectedSeries, Tally,
};
use crate::query::MetricQuery;

/// A sample with the place of its series.
#[derive(Clone, Debug)]
struct Sample {
    time: i64,
    series: usize,
    /// Numbers of one definition are one series.
    definition: SeriesKey,
    value: Option<f64>,
    /// What a counter gained since the series' sample before.
    gain: f64,
    group: Vec<Option<String>>,
}

pub(super) fn answer(reader: &MemoryReader, query: &MetricQuery) -> MetricsAnswer {
    let mut metrics: IndexMap<String, Vec<Sample>> = IndexMap::new();
    for (place, selected) in reader.select(&query.selection(), query.range).unwrap().iter().enumerate() {
        let group = query.group_by.iter().map(|label| selected.key.context.label(label)).collect();
        let samples = series(reader, selected, query, place, group);
        metrics.entry(selected.key.name.to_string()).or_default().extend(samples);
    }
    metrics.retain(|_, samples| !samples.is_empty());
    metrics.sort_unstable_keys();
    if let Some(names) = &query.names {
        metrics.sort_by(|a, _, b, _| {
            let place = |name| names.iter().position(|asked| asked == name);
            place(a).cmp(&place(b))
        });
    }
    let mut truncated = query.limit.is_some_and(|limit| metrics.len() > limit);
    metrics.truncate(query.limit.unwrap_or(usize::MAX));
    let metrics: IndexMap<_, _> = metrics
        .into_iter()
        .map(|(name, samples)| {
            let metric = metric(query, query.aggregation_of(&name), samples);
            truncated |= metric.truncated;
            (name, metric)
        })
        .collect();
    MetricsAnswer { metrics, truncated, incomplete: false }
}

fn series(
    reader: &MemoryReader,
    selected: &SelectedSeries,
    query: &MetricQuery,
    place: usize,
    group: Vec<Option<String>>,
) -> Vec<Sample> {
    let mut samples: Vec<_> = reader.series[selected.id as usize].1.clone();
    samples.retain(|(time, _)| query.range.contains(Timestamp::from_nanos(*time)));
    samples.sort_by_key(|(time, _)| *time);
    let definition = &selected.key;
    samples
        .into_iter()
        .map(|(time, value)| Sample {
            time,
            series: place,
            definition: definition.clone(),
            value: value.as_f64(),
            gain: 0.0,
            group: group.clone(),
        })
        .collect()
}

/// Works out what each sample gained over the one before of its series; they are in the order of time.
fn gains(samples: &mut [Sample]) {
    let mut before: HashMap<SeriesKey, f64> = HashMap::new();
    for sample in samples {
        let Some(value) = sample.value else { continue };
        sample.gain = match before.insert(sample.definition.clone(), value) {
            Some(before) if value >= before => value - before,
            Some(_) => value.max(0.0),
            None => 0.0,
        };
    }
}

fn metric(query: &MetricQuery, aggregation: &str, mut samples: Vec<Sample>) -> MetricAnswer {
    samples.sort_by_key(|sample| (sample.time, sample.series));
    gains(&mut samples);
    let (first, last) = (samples[0].time, samples[samples.len() - 1].time);
    let time_range = AnsweredRange {
        start: query.range.start.unwrap_or(Timestamp::from_nanos(first)),
        end: query.range.end.unwrap_or(Timestamp::from_nanos(last)),
    };
    let covered = time_range.end.nanos() - time_range.start.nanos();
    let mut answer = MetricAnswer {
        tally: tally(aggregation, &samples, covered),
        aggregation: aggregation.to_uppercase(),
        time_range,
        groups: None,
        points: None,
        truncated: false,
    };
    if query.group_by.is_empty() {
        answer.points = points(query, aggregation, &samples);
        return answer;
    }
    let mut keys: Vec<_> = samples.iter().map(|sample| sample.group.clone()).collect();
    keys.sort();
    keys.dedup();
    if let Some(limit) = query.limit {
        answer.truncated = keys.len() > limit;
        keys.truncate(limit);
    }
    let groups = keys.into_iter().map(|key| {
        let members: Vec<_> = samples.iter().filter(|sample| sample.group == key).cloned().collect();
        GroupAnswer {
            by: query.group_by.iter().cloned().zip(key).collect(),
            tally: tally(aggregation, &members, covered),
            points: points(query, aggregation, &members),
        }
    });
    answer.groups = Some(groups.collect());
    answer
}

fn points(query: &MetricQuery, aggregation: &str, samples: &[Sample]) -> Option<Vec<PointAnswer>> {
    let step = query.step?.as_nanos() as i64;
    let start = |sample: &Sample| sample.time.div_euclid(step) * step;
    let buckets = samples.chunk_by(|a, b| start(a) == start(b)).map(|bucket| PointAnswer {
        time: Timestamp::from_nanos(start(&bucket[0])),
        tally: tally(aggregation, bucket, step),
    });
    Some(buckets.filter(|point| point.tally.sample_count > 0).collect())
}

fn tally(aggregation: &str, samples: &[Sample], covered: i64) -> Tally {
    let values: Vec<f64> = samples.iter().filter_map(|sample| sample.value).collect();
    if aggregation == "COUNT" {
        let count = samples.len();
        return Tally { value: AggregateValue::Number(count as f64), sample_count: count as u64, skipped: 0 };
    }
    let value = if values.is_empty() { None } else { figure(aggregation, &values, samples, covered) };
    Tally {
        value: value.map_or(AggregateValue::None, AggregateValue::Number),
        sample_count: values.len() as u64,
        skipped: (samples.len() - values.len()) as u64,
    }
}

/// `values` in the order of time, then of series, then of arrival.
fn figure(aggregation: &str, values: &[f64], samples: &[Sample], covered: i64) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let position = (count - 1.0) * q;
        let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
        low + (high - low) * position.fract()
    };
    Some(match aggregation {
        "MEAN" => mean,
        "SUM" => values.iter().sum(),
        "MIN" => sorted[0],
        "MAX" => sorted[sorted.len() - 1],
        "FIRST" => values[0],
        "LAST" => values[values.len() - 1],
        "STDDEV" if values.len() == 1 => 0.0,
        "STDDEV" => (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
        "RATE" if covered == 0 => return None,
        "RATE" => samples.iter().map(|sample| sample.gain).sum::<f64>() / (covered as f64 / 1e9),
        "P50" => quantile(0.5),
        "P90" => quantile(0.9),
        "P95" => quantile(0.95),
        "P99" => quantile(0.99),
        other => panic!("{other}"),
    })
}
