//! What a plugin is shown of a batch: the rows that it subscribed to.

use telemetry_core::{EventBatch, SampleBatch, Subscription};

/// The rows of a batch that a plugin sees.
#[derive(Debug)]
pub(crate) struct Shown<B> {
    /// Those rows alone.
    pub(crate) batch: B,
    /// The number that each of them has in the whole batch.
    pub(crate) rows: Vec<usize>,
}

impl<B> Shown<B> {
    /// The number in the whole batch of a row that the plugin named.
    pub(crate) fn row(&self, row: u32) -> usize {
        self.rows.get(row as usize).copied().unwrap_or(usize::MAX)
    }
}

impl Shown<EventBatch> {
    /// Each row by itself.
    pub(crate) fn singly(&self) -> Vec<Self> {
        let one = |(event, row): (_, &usize)| {
            let mut batch = EventBatch::starting_at(self.batch.first_sequence);
            batch.push(event);
            Self { batch, rows: vec![*row] }
        };
        self.batch.rows().zip(&self.rows).map(one).collect()
    }
}

impl Shown<SampleBatch> {
    /// Each row by itself.
    pub(crate) fn singly(&self) -> Vec<Self> {
        (0..self.rows.len()).map(|row| self.part(row..row + 1)).collect()
    }

    /// Some of the rows.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut filler = SampleFiller::new(self.batch.first_sequence);
        let mut rows = Vec::new();
        for index in range {
            if let (Some(sample), Some(row)) = (self.batch.row(index), self.rows.get(index)) {
                filler.push(&self.batch, sample.series, sample.timestamp, sample.value);
                rows.push(*row);
            }
        }
        Self { batch: filler.batch, rows }
    }
}

/// The events that a subscription names.
pub(crate) fn shown_events(batch: &EventBatch, subscription: &Subscription) -> Shown<EventBatch> {
    let mut shown = Shown { batch: EventBatch::starting_at(batch.first_sequence), rows: Vec::new() };
    for (row, event) in batch.rows().enumerate() {
        if subscription.wants_event(event.event_type, event.source) {
            shown.batch.push(event);
            shown.rows.push(row);
        }
    }
    shown
}

/// The samples that a subscription names.
pub(crate) fn shown_samples(batch: &SampleBatch, subscription: &Subscription) -> Shown<SampleBatch> {
    let mut filler = SampleFiller::new(batch.first_sequence);
    let mut rows = Vec::new();
    for (row, sample) in batch.rows().enumerate() {
        if subscription.wants_metric(sample.name) {
            filler.push(batch, sample.series, sample.timestamp, sample.value);
            rows.push(row);
        }
    }
    Shown { batch: filler.batch, rows }
}

/// Fills a batch with rows of another one, with the series that they need.
struct SampleFiller {
    batch: SampleBatch,
    /// The new number of each series that was needed so far, by its number in the other batch.
    numbers: Vec<Option<u32>>,
}

impl SampleFiller {
    fn new(first_sequence: u64) -> Self {
        Self { batch: SampleBatch::starting_at(first_sequence), numbers: Vec::new() }
    }

    fn push(&mut self, from: &SampleBatch, series: u32, timestamp: i64, value: f64) {
        let index = series as usize;
        if index >= self.numbers.len() {
            self.numbers.resize(index + 1, None);
        }
        let known = self.numbers.get(index).copied().flatten();
        let number = known.unwrap_or_else(|| {
            let (name, context) = from.series(series).unwrap_or_default();
            self.batch.add_series(name, context)
        });
        if let Some(place) = self.numbers.get_mut(index) {
            *place = Some(number);
        }
        self.batch.push(number, timestamp, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers() {
        let mut batch = SampleBatch::default();
        let (cpu, load) = (batch.add_series("cpu", "{}"), batch.add_series("load", "{}"));
        for (series, value) in [(cpu, 1.0), (load, 2.0), (load, 3.0)] {
            batch.push(series, 0, value);
        }
        let subscription = Subscription { metrics: Some(vec!["load".to_owned()]), ..Subscription::default() };
        let shown = shown_samples(&batch, &subscription);
        assert_eq!((shown.rows.as_slice(), shown.batch.series_count()), (&[1, 2][..], 1));
        assert_eq!(shown.batch.values(), [2.0, 3.0]);
        let single = shown.singly();
        assert_eq!((single[1].row(0), single[1].batch.values()), (2, &[3.0][..]));
        assert_eq!(shown.row(9), usize::MAX);
    }
}
