//! Batches of records as columns: the form in which records meet validators and monitors, native or plugin.
//!
//! The columns are those of the WIT package, so that a batch is packed once and crosses the boundary without another pass.
//! What is called for each row is marked as to be inlined: other crates would call it.

/// Strings in one buffer: string `i` is `bytes[ends[i-1]..ends[i]]`, the first starts at 0. UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl TextColumn {
    /// Adds a string. Batches are limited by [`crate::limits`], far below the 4 GiB that the offsets can address; beyond
    /// that the string is added empty.
    pub fn push(&mut self, text: &str) {
        self.push_parts(&[text]);
    }

    /// Adds the concatenation of `parts` as one string.
    pub fn push_parts(&mut self, parts: &[&str]) {
        let start = self.bytes.len();
        for part in parts {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        if let Ok(end) = u32::try_from(self.bytes.len()) {
            self.ends.push(end);
        } else {
            self.bytes.truncate(start);
            self.ends.push(u32::MAX);
        }
    }

    /// String `index`; `None` beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)? as usize,
        };
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    /// The number of strings.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All strings' bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each string ends in [`Self::bytes`].
    #[inline]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}

/// The number of strings per event in [`EventBatch::fields`].
pub const FIELDS_PER_EVENT: usize = 5;

/// Events in arrival order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    /// The sequence number of event 0; 0 before the events are stored.
    pub first_sequence: u64,
    timestamps: Vec<i64>,
    fields: TextColumn,
}

/// One event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow<'a> {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// The event's id.
    pub id: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Who recorded it.
    pub source: &'a str,
    /// `data` as JSON.
    pub data: &'a str,
    /// Other top-level fields as a JSON object.
    pub extra: &'a str,
}

impl EventBatch {
    /// An empty batch whose first event has `first_sequence`.
    pub fn starting_at(first_sequence: u64) -> Self {
        Self { first_sequence, ..Self::default() }
    }

    /// Adds an event.
    pub fn push(&mut self, row: EventRow<'_>) {
        self.timestamps.push(row.timestamp);
        for text in [row.id, row.event_type, row.source, row.data, row.extra] {
            self.fields.push(text);
        }
    }

    /// Event `index`; `None` beyond the end.
    pub fn row(&self, index: usize) -> Option<EventRow<'_>> {
        let field = |n: usize| self.fields.get(index.checked_mul(FIELDS_PER_EVENT)?.checked_add(n)?);
        Some(EventRow {
            timestamp: *self.timestamps.get(index)?,
            id: field(0)?,
            event_type: field(1)?,
            source: field(2)?,
            data: field(3)?,
            extra: field(4)?,
        })
    }

    /// All events in order.
    pub fn rows(&self) -> impl Iterator<Item = EventRow<'_>> {
        (0..self.len()).filter_map(|index| self.row(index))
    }

    /// The number of events.
    #[inline]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no event.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The events' times, nanoseconds since the epoch.
    #[inline]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Five strings per event: id, type, source, data, extra.
    #[inline]
    pub fn fields(&self) -> &TextColumn {
        &self.fields
    }
}

/// Numeric samples in arrival order.
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
    /// The value.
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

    /// The samples' values.
    #[inline]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut batch = EventBatch::starting_at(7);
        let row =
            EventRow { timestamp: 5, id: "i", event_type: "é", source: "", data: "{}", extra: "{\"a\":1}" };
        batch.push(row);
        batch.push(EventRow { timestamp: 6, ..row });
        assert_eq!(batch.row(0), Some(row));
        assert_eq!(batch.row(1).map(|row| row.timestamp), Some(6));
        assert_eq!(batch.row(2), None);
        assert_eq!(batch.fields().len(), 10);
    }

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
