//! Reading the log from any sequence number, in order.
//!
//! Invariant: what was published is shown once and in order; what can no longer be read is shown as a gap.

use std::collections::HashMap;

use telemetry_core::{EventBatch, SampleBatch, SeriesKey, Timestamp, limits};

use crate::database::Rows;
use crate::engine::Engine;
use crate::error::{Damage, StoreError};
use crate::events::{EventKey, push_row};
use crate::families::{Class, LOG};
use crate::log::record::{self, LogRecord, SampleColumns};

/// Consecutive records of one kind: a row for every sequence number, except in a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// The sequence number of the first of them.
    pub first_sequence: u64,
    /// Where to go on reading: after the last of them.
    pub next_sequence: u64,
    /// The records.
    pub body: LogBody,
}

/// What a [`LogEntry`] holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LogBody {
    /// Events.
    Events(EventBatch),
    /// Samples; the value of a text sample is NaN.
    Samples(SampleBatch),
    /// A tick.
    Tick(Timestamp),
    /// Records that are no longer there: the log was cut, retention dropped them, or their rows are damaged.
    Gap,
}

/// The entries of one reading.
struct Reading<'a> {
    engine: &'a Engine,
    entries: Vec<LogEntry>,
    /// The next sequence number to show.
    next: u64,
    /// Records that may still be shown.
    room: u64,
    /// Bytes of events that were shown.
    bytes: usize,
    keys: HashMap<u32, SeriesKey>,
}

impl Engine {
    /// The records from `from` on, at most `max_records`, fewer when their events are large; nothing when all that is
    /// published was read.
    pub(crate) fn read_log(&self, from: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError> {
        let published = self.ledger.published();
        let log = self.database.family(LOG)?;
        let mut rows = self.database.rows(&log, Vec::new(), record::key(u64::MAX).to_vec());
        let mut reading = Reading {
            engine: self,
            entries: Vec::new(),
            next: from.max(1),
            room: max_records as u64,
            bytes: 0,
            keys: HashMap::new(),
        };
        rows.seek_back(&record::key(reading.next));
        if rows.row().is_none() {
            rows.check("the log")?;
            rows.first();
        }
        // Rows are only cut after this number was raised: what is missing from `rows` lies below it.
        let trimmed = self.trimmed.load(std::sync::atomic::Ordering::Acquire).min(published);
        if reading.next <= trimmed {
            reading.gap_until(trimmed.saturating_add(1));
        }
        while reading.room > 0 && reading.next <= published {
            if !reading.step(&mut rows, published)? {
                break;
            }
        }
        rows.check("the log")?;
        Ok(reading.entries)
    }
}

impl Reading<'_> {
    /// Shows the row where `rows` stands and goes on; whether there may be more.
    fn step(&mut self, rows: &mut Rows<'_>, published: u64) -> Result<bool, StoreError> {
        let Some((key, value)) = rows.row() else { return Ok(false) };
        let first = record::sequence_of(key)?;
        if first > published {
            return Ok(false);
        }
        match LogRecord::decode(value) {
            Ok(entry) => {
                let end = first.saturating_add(entry.len());
                if end > self.next {
                    // Numbers in between were assigned to batches that failed; nothing was stored under them.
                    self.next = self.next.max(first);
                    self.show(first, entry)?;
                }
                // A row that is not shown to its end is left: there is no more room.
                if self.next >= end {
                    rows.forward();
                }
            }
            Err(damage) => {
                self.engine
                    .database
                    .reports()
                    .add(format!("log row {first} is set aside: {}", damage.reason));
                rows.forward();
                let after = rows.row().map(|(key, _)| record::sequence_of(key)).transpose()?;
                self.gap_until(after.unwrap_or(u64::MAX).min(published.saturating_add(1)));
            }
        }
        Ok(true)
    }

    fn show(&mut self, first: u64, entry: LogRecord) -> Result<(), StoreError> {
        let skip = usize::try_from(self.next.saturating_sub(first)).unwrap_or(usize::MAX);
        let take = usize::try_from(self.room).unwrap_or(usize::MAX);
        match entry {
            LogRecord::Tick(time) => {
                self.push(1, LogBody::Tick(time));
                Ok(())
            }
            LogRecord::Events(times) => {
                let times = times.get(skip..).unwrap_or_default();
                self.show_events(times.get(..take).unwrap_or(times))
            }
            LogRecord::Samples(columns) => self.show_samples(&columns, skip, take),
        }
    }

    fn push(&mut self, records: u64, body: LogBody) {
        if records == 0 {
            return;
        }
        let first_sequence = self.next;
        self.next = self.next.saturating_add(records);
        self.room = self.room.saturating_sub(records);
        self.entries.push(LogEntry { first_sequence, next_sequence: self.next, body });
    }

    fn gap_until(&mut self, next: u64) {
        if next <= self.next {
            return;
        }
        match self.entries.last_mut() {
            Some(entry) if entry.body == LogBody::Gap && entry.next_sequence == self.next => {
                entry.next_sequence = next;
            }
            _ => self.entries.push(LogEntry {
                first_sequence: self.next,
                next_sequence: next,
                body: LogBody::Gap,
            }),
        }
        self.next = next;
    }

    fn show_events(&mut self, times: &[i64]) -> Result<(), StoreError> {
        let mut batch = EventBatch::starting_at(self.next);
        for time in times {
            if self.bytes >= limits::MAX_LOG_READ_BYTES {
                self.room = batch.len() as u64;
                break;
            }
            let sequence = batch.first_sequence.saturating_add(batch.len() as u64);
            match self.event(*time, sequence)? {
                Some(event) => {
                    let before = batch.fields().bytes().len();
                    push_row(&event, &mut batch);
                    self.bytes =
                        self.bytes.saturating_add(batch.fields().bytes().len().saturating_sub(before));
                }
                None => {
                    self.push(batch.len() as u64, LogBody::Events(std::mem::take(&mut batch)));
                    self.gap_until(self.next.saturating_add(1));
                    // What is gone costs a look all the same: a reading must end before the log does.
                    self.room = self.room.saturating_sub(1);
                    batch = EventBatch::starting_at(self.next);
                }
            }
        }
        self.push(batch.len() as u64, LogBody::Events(batch));
        Ok(())
    }

    fn event(&self, time: i64, sequence: u64) -> Result<Option<telemetry_core::StoredEvent>, StoreError> {
        let Some(partition) = self.engine.catalogue.find(Class::Events, time) else { return Ok(None) };
        let read = self.engine.events.read(
            &self.engine.database,
            &partition,
            EventKey { timestamp: Timestamp::from_nanos(time), sequence },
        );
        match read {
            Err(StoreError::Damaged(Damage { what, reason })) => {
                let text =
                    format!("{what} {sequence} in partition {} is set aside: {reason}", partition.family);
                self.engine.database.reports().add(text);
                Ok(None)
            }
            read => read,
        }
    }

    fn show_samples(&mut self, columns: &SampleColumns, skip: usize, take: usize) -> Result<(), StoreError> {
        let mut batch = SampleBatch::starting_at(self.next);
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let rows = columns.series.iter().zip(&columns.times).enumerate().skip(skip).take(take);
        for (index, (series, time)) in rows {
            let Some(key) = self.key(*series, *time)? else {
                self.push(batch.len() as u64, LogBody::Samples(std::mem::take(&mut batch)));
                numbers.clear();
                self.gap_until(self.next.saturating_add(1));
                self.room = self.room.saturating_sub(1);
                batch = SampleBatch::starting_at(self.next);
                continue;
            };
            let number =
                *numbers.entry(*series).or_insert_with(|| batch.add_series(&key.name, key.context.as_str()));
            batch.push(number, *time, columns.values.number(index).unwrap_or(f64::NAN));
        }
        self.push(batch.len() as u64, LogBody::Samples(batch));
        Ok(())
    }

    /// The key of a series that had a sample at `time`; `None` when that partition is gone.
    fn key(&mut self, series: u32, time: i64) -> Result<Option<SeriesKey>, StoreError> {
        if let Some(key) = self.keys.get(&series) {
            return Ok(Some(key.clone()));
        }
        let active = self.engine.registry.read().by_id(series).map(|series| series.key.clone());
        let key = match active {
            Some(key) => Some(key),
            None => match self.engine.catalogue.find(Class::Metrics, time) {
                Some(partition) => self
                    .engine
                    .index
                    .lookup(&self.engine.database, &partition, series)?
                    .map(|definition| definition.key.clone()),
                None => None,
            },
        };
        if let Some(key) = &key {
            self.keys.insert(series, key.clone());
        }
        Ok(key)
    }
}
