//! Batches of samples, as plugins see them.

use super::TextColumn;

/// Samples in arrival order. NaN stands for a value that is text; a numeric value is never NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBatch {
    /// The sequence number of sample 0; 0 before the samples are stored.
    pub first_sequence: u64,
    series: TextColumn,
    series_indices: Vec<u32>,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

/// One sample of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRow<'a> {
    /// The batch's number of the series.
    pub series: u32,
    /// Metric name.
    pub name: &'a str,
    /// Canonical context as JSON.
    pub context: &'a str,
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// The value; NaN when it is text.
    pub value: f64,
}

impl SampleBatch {
    /// An empty batch whose first sample has `first_sequence`.
    pub fn starting_at(first_sequence: u64) -> Self {
        Self { first_sequence, ..Self::default() }
    }

    /// Adds a series; the answer is its number for [`Self::push`].
    pub fn add_series(&mut self, name: &str, context: &str) -> u32 {
        let number = u32::try_from(self.series.len() / 2).unwrap_or(u32::MAX);
        self.series.push(name);
        self.series.push(context);
        number
    }

    /// Adds a sample of a series that was added before.
    pub fn push(&mut self, series: u32, timestamp: i64, value: f64) {
        self.series_indices.push(series);
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// Sample `index`; `None` beyond the end.
    pub fn row(&self, index: usize) -> Option<SampleRow<'_>> {
        let series = *self.series_indices.get(index)?;
        let (name, context) = self.series(series)?;
        let (timestamp, value) = (*self.timestamps.get(index)?, *self.values.get(index)?);
        Some(SampleRow { series, name, context, timestamp, value })
    }

    /// All samples in order.
    pub fn rows(&self) -> impl Iterator<Item = SampleRow<'_>> {
        (0..self.len()).filter_map(|index| self.row(index))
    }

    /// Name and context of a series of this batch.
    pub fn series(&self, number: u32) -> Option<(&str, &str)> {
        let first = (number as usize).checked_mul(2)?;
        Some((self.series.get(first)?, self.series.get(first.checked_add(1)?)?))
    }

    /// The number of distinct series.
    pub fn series_count(&self) -> usize {
        self.series.len() / 2
    }

    /// The number of samples.
    #[inline]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no sample.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Two strings per series: metric name, context.
    #[inline]
    pub fn series_column(&self) -> &TextColumn {
        &self.series
    }

    /// The series' number of each sample.
    #[inline]
    pub fn series_indices(&self) -> &[u32] {
        &self.series_indices
    }

    /// The samples' times, nanoseconds since the epoch.
    #[inline]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// The samples' values; NaN stands for a value that is text.
    #[inline]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_name_their_series() {
        let mut batch = SampleBatch::default();
        let cpu = batch.add_series("cpu", "{}");
        let load = batch.add_series("load", "{\"host\":\"a\"}");
        batch.push(load, 1, 0.5);
        batch.push(cpu, 2, 1.5);
        let names: Vec<_> = batch.rows().map(|row| (row.name, row.context, row.value)).collect();
        assert_eq!(names, [("load", "{\"host\":\"a\"}", 0.5), ("cpu", "{}", 1.5)]);
        assert_eq!(batch.series(2), None);
    }
}
