//! Joins short neighbouring entries of the log, so that a monitor is called per batch however records came in.

use std::collections::HashMap;

use telemetry_core::{EventBatch, SampleBatch};
use telemetry_store::{LogBody, LogEntry};

/// Entries of this many records and more stay alone: one call for each costs little, copying them would cost more.
pub(super) const LONG: usize = 256;

/// The same records in the same order, in fewer entries.
pub(crate) fn join(entries: Vec<LogEntry>) -> Vec<LogEntry> {
    let mut joined: Vec<LogEntry> = Vec::with_capacity(entries.len());
    let mut numbers = SeriesNumbers::default();
    for entry in entries {
        let follows = joined.last_mut().filter(|last| is_short(last, &entry));
        match (follows, &entry.body) {
            (Some(LogEntry { body: LogBody::Events(into), next_sequence, .. }), LogBody::Events(batch)) => {
                append_events(into, batch);
                *next_sequence = entry.next_sequence;
            }
            (Some(LogEntry { body: LogBody::Samples(into), next_sequence, .. }), LogBody::Samples(batch)) => {
                numbers.append(into, batch);
                *next_sequence = entry.next_sequence;
            }
            _ => {
                numbers.clear();
                joined.push(entry);
            }
        }
    }
    joined
}

/// Whether `entry` may be joined to `last`: rows are numbered from the first of their batch.
fn is_short(last: &LogEntry, entry: &LogEntry) -> bool {
    let length = match &entry.body {
        LogBody::Events(batch) => batch.len(),
        LogBody::Samples(batch) => batch.len(),
        _ => return false,
    };
    last.next_sequence == entry.first_sequence && length < LONG
}

fn append_events(into: &mut EventBatch, batch: &EventBatch) {
    for row in batch.rows() {
        into.push(row);
    }
}

/// The numbers of the series in the batch that grows.
#[derive(Default)]
struct SeriesNumbers(HashMap<(String, String), u32>);

impl SeriesNumbers {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn append(&mut self, into: &mut SampleBatch, batch: &SampleBatch) {
        if self.0.is_empty() {
            let count = u32::try_from(into.series_count()).unwrap_or(u32::MAX);
            for number in 0..count {
                if let Some((name, context)) = into.series(number) {
                    self.0.entry((name.to_owned(), context.to_owned())).or_insert(number);
                }
            }
        }
        let mut renumbered: Vec<Option<u32>> = vec![None; batch.series_count()];
        for row in batch.rows() {
            let Some(place) = renumbered.get_mut(row.series as usize) else { continue };
            let number = *place.get_or_insert_with(|| {
                let key = (row.name.to_owned(), row.context.to_owned());
                *self.0.entry(key).or_insert_with(|| into.add_series(row.name, row.context))
            });
            into.push(number, row.timestamp, row.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_core::{EventRow, Timestamp};

    /// Entries of the log: (kind, records).
    fn entries(shapes: &[(u8, usize)]) -> Vec<LogEntry> {
        let (mut entries, mut sequence) = (Vec::new(), 1);
        for (kind, count) in shapes {
            let first_sequence = sequence;
            let (records, body) = match kind {
                0 => {
                    let mut batch = EventBatch::starting_at(sequence);
                    for n in 0..*count {
                        let id = (sequence + n as u64).to_string();
                        let row = EventRow {
                            timestamp: 0,
                            id: &id,
                            event_type: "t",
                            source: "s",
                            data: "",
                            extra: "",
                        };
                        batch.push(row);
                    }
                    (*count as u64, LogBody::Events(batch))
                }
                1 => {
                    let mut batch = SampleBatch::starting_at(sequence);
                    let series = [0, 1, 2].map(|n| batch.add_series(&format!("m{}", (n + count) % 4), "{}"));
                    for n in 0..*count {
                        batch.push(series[n % 3], i64::try_from(sequence).unwrap() + n as i64, n as f64);
                    }
                    (*count as u64, LogBody::Samples(batch))
                }
                2 => (1, LogBody::Tick(Timestamp::EPOCH)),
                _ => (*count as u64, LogBody::Gap),
            };
            sequence += records;
            entries.push(LogEntry { first_sequence, next_sequence: sequence, body });
        }
        entries
    }

    /// Every row with the sequence number that its place gives it.
    fn rows(entries: &[LogEntry]) -> Vec<String> {
        let mut all = Vec::new();
        for entry in entries {
            match &entry.body {
                LogBody::Events(batch) => {
                    let text = |(n, row): (usize, EventRow<'_>)| {
                        format!("{} {row:?}", batch.first_sequence + n as u64)
                    };
                    all.extend(batch.rows().enumerate().map(text));
                }
                LogBody::Samples(batch) => all.extend(batch.rows().enumerate().map(|(n, row)| {
                    let sequence = batch.first_sequence + n as u64;
                    format!("{sequence} {} {} {} {}", row.name, row.context, row.timestamp, row.value)
                })),
                other => all.push(format!("{} {other:?}", entry.first_sequence)),
            }
        }
        all
    }

    proptest! {
        #[test]
        fn rows_and_their_numbers_stay(shapes in prop::collection::vec((0..4_u8, 1..6_usize), 0..40)) {
            let before = entries(&shapes);
            let after = join(before.clone());
            prop_assert_eq!(rows(&after), rows(&before));
            prop_assert!(after.windows(2).all(|pair| pair[0].next_sequence == pair[1].first_sequence));
            prop_assert_eq!(after.last().map(|entry| entry.next_sequence), before.last().map(|entry| entry.next_sequence));
        }
    }

    #[test]
    fn single_records_become_batches_and_long_ones_stay() {
        let shapes: Vec<_> = (0..100).map(|_| (1, 1)).chain([(1, LONG), (1, 1), (0, 1), (0, 1)]).collect();
        let lengths: Vec<u64> =
            join(entries(&shapes)).iter().map(|entry| entry.next_sequence - entry.first_sequence).collect();
        assert_eq!(lengths, [100, LONG as u64 + 1, 2]);
    }
}
