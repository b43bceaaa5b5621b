//! tsink, a time-series engine in Rust.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use telemetry_core::{AdmittedSample, SeriesKey};
use tsink::{DataPoint, Label, Row, Storage, StorageBuilder, TimestampPrecision};

use crate::data::{host_name, metric_name};
use crate::{Peer, Question, milliseconds, start};

pub(crate) struct Tsink {
    storage: Arc<dyn Storage>,
    series: HashMap<SeriesKey, Vec<Label>>,
}

impl Tsink {
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        let storage = StorageBuilder::new()
            .with_data_path(directory)
            .with_timestamp_precision(TimestampPrecision::Milliseconds)
            .with_retention_enforced(false)
            .build()?;
        Ok(Self { storage, series: HashMap::new() })
    }

    /// The values of one series in a range of milliseconds.
    fn values(&self, key: &SeriesKey, labels: &[Label], from: i64, to: i64) -> anyhow::Result<Vec<f64>> {
        let points = self.storage.select(&key.name, labels, from, to)?;
        Ok(points.iter().filter_map(|point| point.value_as_f64()).collect())
    }
}

impl Peer for Tsink {
    fn append(&mut self, samples: &[AdmittedSample]) -> anyhow::Result<()> {
        let mut rows = Vec::with_capacity(samples.len());
        for sample in samples {
            let key = sample.series();
            if !self.series.contains_key(key) {
                let labels = key.context.labels().into_iter().map(|(key, value)| Label::new(key, value));
                self.series.insert(key.clone(), labels.collect());
            }
            let labels = self.series.get(key).cloned().unwrap_or_default();
            let point = DataPoint::new(milliseconds(sample), sample.value().as_f64().unwrap_or(0.0));
            rows.push(Row::with_labels(&*key.name, labels, point));
        }
        Ok(self.storage.insert_rows(&rows)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn ask(&self, question: Question) -> anyhow::Result<Option<usize>> {
        let (first, last) = (start(), i64::MAX / 2);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let mut figures = 0;
        match question {
            Question::One => {
                let host = host_name(42);
                let wanted = self.series.iter().find(|(key, labels)| {
                    *key.name == *metric_name(1) && labels.iter().any(|label| label.value == host)
                });
                if let Some((key, labels)) = wanted {
                    figures += usize::from(mean(&self.values(key, labels, first, last)?).is_finite());
                }
            }
            Question::Each => {
                for (key, labels) in &self.series {
                    figures += usize::from(mean(&self.values(key, labels, first, last)?).is_finite());
                }
            }
            Question::Hour(from, to) => {
                let mut sums: HashMap<&str, (f64, usize)> = HashMap::new();
                for (key, labels) in &self.series {
                    let values = self.values(key, labels, from, to + 1)?;
                    let sum = sums.entry(&key.name).or_default();
                    *sum = (sum.0 + values.iter().sum::<f64>(), sum.1 + values.len());
                }
                figures = sums.len();
            }
            Question::Buckets => {
                for (key, labels) in &self.series {
                    let points = self.storage.select(&key.name, labels, first, last)?;
                    let mut sums: HashMap<i64, (f64, usize)> = HashMap::new();
                    for point in &points {
                        let sum = sums.entry(point.timestamp / 300_000).or_default();
                        *sum = (sum.0 + point.value_as_f64().unwrap_or(0.0), sum.1 + 1);
                    }
                    figures += sums.len();
                }
            }
        }
        Ok(Some(figures))
    }
}
