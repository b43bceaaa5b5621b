//! Builds batches of samples.

use super::push;
use crate::Timestamp;
use crate::batch::SampleBatch;
use crate::bindings::imports::types;

/// Builds a batch of samples for a unit test; samples of one name and context share a series.
///
/// ```
/// use bridge_telemetry_plugin::testing::SampleBatchBuilder;
///
/// let batch = SampleBatchBuilder::new()
///     .sample("cpu", r#"{"host":"a"}"#, 1_000, 0.5)
///     .sample("cpu", r#"{"host":"b"}"#, 1_000, 0.7)
///     .sample("cpu", r#"{"host":"a"}"#, 2_000, 0.6)
///     .build();
/// assert_eq!((batch.len(), batch.series_count()), (3, 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SampleBatchBuilder {
    first_sequence: u64,
    series: Vec<(String, String)>,
    rows: Vec<(u32, Timestamp, f64)>,
}

impl SampleBatchBuilder {
    /// No samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sequence number of the first sample.
    #[must_use]
    pub fn first_sequence(mut self, sequence: u64) -> Self {
        self.first_sequence = sequence;
        self
    }

    /// Adds a sample. `context_json` is an object with sorted keys.
    #[must_use]
    pub fn sample(mut self, name: &str, context_json: &str, timestamp: Timestamp, value: f64) -> Self {
        let series = (name.to_owned(), context_json.to_owned());
        let number = self.series.iter().position(|known| *known == series).unwrap_or_else(|| {
            self.series.push(series);
            self.series.len() - 1
        });
        self.rows.push((u32::try_from(number).unwrap_or(u32::MAX), timestamp, value));
        self
    }

    /// Adds a sample whose value is text.
    #[must_use]
    pub fn text_sample(self, name: &str, context_json: &str, timestamp: Timestamp) -> Self {
        self.sample(name, context_json, timestamp, f64::NAN)
    }

    /// The batch, as the host would hand it over.
    pub fn build(self) -> SampleBatch {
        let mut series = types::TextColumn { bytes: Vec::new(), ends: Vec::new() };
        for (name, context) in &self.series {
            push(&mut series, name);
            push(&mut series, context);
        }
        let raw = types::SampleBatch {
            first_sequence: self.first_sequence,
            series,
            series_indices: self.rows.iter().map(|row| row.0).collect(),
            timestamps: self.rows.iter().map(|row| row.1).collect(),
            values: self.rows.iter().map(|row| row.2).collect(),
        };
        SampleBatch::try_from(raw).unwrap_or_default()
    }
}
