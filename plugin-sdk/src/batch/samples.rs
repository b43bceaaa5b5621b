//! Samples as the host hands them over. Invariant: the columns have one length, and every index names a series of the batch.

use serde::Deserialize;

use super::{broken, text::TextArena};
use crate::bindings::imports::types;
use crate::error::{PluginError, Result};
use crate::{JsonObject, Timestamp};

/// Samples in arrival order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBatch {
    first_sequence: u64,
    series: TextArena,
    series_indices: Vec<u32>,
    timestamps: Vec<Timestamp>,
    values: Vec<f64>,
}

impl SampleBatch {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The samples in arrival order.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        let columns = self.series_indices.iter().zip(&self.timestamps).zip(&self.values);
        columns.enumerate().map(|(row, ((&series, &timestamp), &value))| Sample {
            series: Series { batch: self, number: series },
            row,
            timestamp,
            value,
        })
    }

    /// The distinct series of this batch; work that depends on name and context alone is done here, once per series.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_>> {
        (0..self.series_count()).map(|number| Series { batch: self, number })
    }

    /// The number of distinct series.
    pub fn series_count(&self) -> u32 {
        u32::try_from(self.series.len() / 2).unwrap_or(u32::MAX)
    }

    /// For each sample the number of its series.
    pub fn series_indices(&self) -> &[u32] {
        &self.series_indices
    }

    /// The samples' times.
    pub fn timestamps(&self) -> &[Timestamp] {
        &self.timestamps
    }

    /// The samples' values; NaN stands for a value that is text.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl TryFrom<types::SampleBatch> for SampleBatch {
    type Error = PluginError;

    fn try_from(raw: types::SampleBatch) -> Result<Self> {
        let series = TextArena::checked(raw.series.bytes, raw.series.ends)?;
        if series.len() % 2 != 0 {
            return Err(broken("a series has a name and no context"));
        }
        if raw.timestamps.len() != raw.values.len() || raw.series_indices.len() != raw.values.len() {
            return Err(broken("its columns differ in length"));
        }
        let count = series.len() / 2;
        // The greatest of all is found faster than the first that is too great.
        if raw.series_indices.iter().max().is_some_and(|&greatest| greatest as usize >= count) {
            return Err(broken("a sample names a series that is not there"));
        }
        Ok(Self {
            first_sequence: raw.first_sequence,
            series,
            series_indices: raw.series_indices,
            timestamps: raw.timestamps,
            values: raw.values,
        })
    }
}

/// One sample of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    series: Series<'a>,
    row: usize,
    timestamp: Timestamp,
    value: f64,
}

impl<'a> Sample<'a> {
    /// Where in the batch, from 0.
    pub fn row(&self) -> u32 {
        u32::try_from(self.row).unwrap_or(u32::MAX)
    }

    /// Its number in the host's log; of no meaning to validators, which see samples before they are stored.
    pub fn sequence(&self) -> u64 {
        self.series.batch.first_sequence.saturating_add(self.row as u64)
    }

    /// Its series.
    pub fn series(&self) -> Series<'a> {
        self.series
    }

    /// The metric's name.
    pub fn name(&self) -> &'a str {
        self.series.name()
    }

    /// When it was measured.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The value; `None` when it is text.
    pub fn value(&self) -> Option<f64> {
        (!self.value.is_nan()).then_some(self.value)
    }
}

/// One series of a batch: a metric's name and a context.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    batch: &'a SampleBatch,
    number: u32,
}

impl<'a> Series<'a> {
    /// Its number within this batch, from 0. The same series has another number in the next batch.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The metric's name.
    pub fn name(&self) -> &'a str {
        self.batch.series.get(self.number as usize * 2)
    }

    /// The context as canonical JSON text: an object with sorted keys. Together with the name it identifies the series.
    pub fn context_json(&self) -> &'a str {
        self.batch.series.get(self.number as usize * 2 + 1)
    }

    /// The context, parsed.
    ///
    /// # Errors
    /// Only when the host breaks the contract; pass it on with `?`.
    pub fn context(&self) -> Result<JsonObject> {
        self.context_as()
    }

    /// The context, parsed into the author's own type.
    ///
    /// # Errors
    /// When the context has not the form of `T`.
    pub fn context_as<T: Deserialize<'a>>(&self) -> Result<T> {
        Ok(serde_json::from_str(self.context_json())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> types::SampleBatch {
        types::SampleBatch {
            first_sequence: 5,
            series: types::TextColumn { bytes: b"cpu{}".to_vec(), ends: vec![3, 5] },
            series_indices: vec![0],
            timestamps: vec![1],
            values: vec![f64::NAN],
        }
    }

    #[test]
    fn text_values_have_no_number() {
        let batch = SampleBatch::try_from(raw()).unwrap();
        let sample = batch.samples().next().unwrap();
        assert_eq!((sample.name(), sample.value(), sample.sequence()), ("cpu", None, 5));
        assert_eq!(sample.series().context().unwrap(), JsonObject::new());
    }

    #[test]
    fn refuses_columns_that_do_not_fit() {
        let refused = |change: fn(&mut types::SampleBatch)| {
            let mut raw = raw();
            change(&mut raw);
            SampleBatch::try_from(raw).unwrap_err().message().to_owned()
        };
        assert!(refused(|raw| raw.series_indices = vec![1]).contains("not there"));
        assert!(refused(|raw| raw.timestamps = vec![]).contains("length"));
        assert!(refused(|raw| raw.series.ends = vec![5]).contains("no context"));
    }
}
