//! One row of the log as bytes: the samples of one call inline, the times of its events, or a tick.
//!
//! Invariant: decoding arbitrary bytes never panics and never takes more memory than the bytes themselves account for.

use telemetry_core::{AdmittedSample, MetricValue, Timestamp};

use crate::column::ValueColumn;
use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_signed, put_varint};

const VERSION: u8 = 1;
const WHAT: &str = "log record";

const SAMPLES: u8 = 1;
const EVENTS: u8 = 2;
const TICK: u8 = 3;

const FLOATS: u8 = 0;
const INTEGERS: u8 = 1;
const MIXED: u8 = 2;

const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;

/// A row of the log. Its key is the sequence number of its first record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LogRecord {
    /// Samples in arrival order.
    Samples(SampleColumns),
    /// The times of events; the rows themselves lie in their partitions.
    Events(Vec<i64>),
    /// A tick of the monitors' clock; takes one sequence number.
    Tick(Timestamp),
}

/// Samples as columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SampleColumns {
    /// The series' ids.
    pub(crate) series: Vec<u32>,
    /// Nanoseconds since the epoch.
    pub(crate) times: Vec<i64>,
    /// The values.
    pub(crate) values: ValueColumn,
}

impl LogRecord {
    /// How many sequence numbers the row takes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Samples(columns) => columns.series.len() as u64,
            Self::Events(times) => times.len() as u64,
            Self::Tick(_) => 1,
        }
    }

    /// Reads a row's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(WHAT, envelope::open(WHAT, VERSION, value)?);
        let record = match reader.byte()? {
            SAMPLES => Self::Samples(read_samples(&mut reader)?),
            EVENTS => {
                let count = reader.count()?;
                Self::Events(read_times(&mut reader, count)?)
            }
            TICK => Self::Tick(Timestamp::from_nanos(reader.signed()?)),
            _ => return Err(reader.damage("its kind is not known")),
        };
        reader.finish()?;
        Ok(record)
    }
}

/// Key of the row whose first record has this sequence number.
pub(crate) fn key(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// The sequence number of a key.
pub(crate) fn sequence_of(key: &[u8]) -> Result<u64, Damage> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| Damage::new(WHAT, "its key is not eight bytes"))
}

/// The row of samples whose series have these ids, one per sample.
pub(crate) fn encode_samples(
    out: &mut Vec<u8>,
    series: impl Iterator<Item = u32>,
    samples: &[AdmittedSample],
) {
    envelope::begin(out, VERSION);
    out.push(SAMPLES);
    put_varint(out, samples.len() as u64);
    let mut before = 0_u32;
    for id in series {
        put_signed(out, i64::from(id) - i64::from(before));
        before = id;
    }
    put_times(out, samples.iter().map(|sample| sample.timestamp().nanos()));
    put_values(out, samples);
    envelope::finish(out);
}

/// The row of events at these times.
pub(crate) fn encode_events(out: &mut Vec<u8>, times: impl ExactSizeIterator<Item = i64>) {
    envelope::begin(out, VERSION);
    out.push(EVENTS);
    put_varint(out, times.len() as u64);
    put_times(out, times);
    envelope::finish(out);
}

/// The row of a tick.
pub(crate) fn encode_tick(out: &mut Vec<u8>, time: Timestamp) {
    envelope::begin(out, VERSION);
    out.push(TICK);
    put_signed(out, time.nanos());
    envelope::finish(out);
}

fn put_times(out: &mut Vec<u8>, times: impl Iterator<Item = i64>) {
    let mut before = 0_i64;
    for time in times {
        put_signed(out, time.wrapping_sub(before));
        before = time;
    }
}

fn put_values(out: &mut Vec<u8>, samples: &[AdmittedSample]) {
    let all = |check: fn(&MetricValue) -> bool| samples.iter().all(|sample| check(sample.value()));
    let form = if all(|value| matches!(value, MetricValue::Float(_))) {
        FLOATS
    } else if all(|value| matches!(value, MetricValue::Integer(_))) {
        INTEGERS
    } else {
        MIXED
    };
    out.push(form);
    for sample in samples {
        let value = sample.value();
        if form == MIXED {
            out.push(match value {
                MetricValue::Float(_) => FLOAT,
                MetricValue::Integer(_) => INTEGER,
                MetricValue::Text(_) => TEXT,
            });
        }
        match value {
            MetricValue::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
            MetricValue::Integer(value) => put_signed(out, *value),
            MetricValue::Text(text) => put_bytes(out, text.as_bytes()),
        }
    }
}

fn read_samples(reader: &mut Reader<'_>) -> Result<SampleColumns, Damage> {
    let count = reader.count()?;
    let mut series = Vec::with_capacity(count);
    let mut before = 0_i64;
    for _ in 0..count {
        before = before.wrapping_add(reader.signed()?);
        series.push(u32::try_from(before).map_err(|_| reader.damage("a series id is out of range"))?);
    }
    let times = read_times(reader, count)?;
    let values = read_values(reader, count)?;
    Ok(SampleColumns { series, times, values })
}

fn read_times(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Damage> {
    let mut times = Vec::with_capacity(count.min(reader.rest().len()));
    let mut before = 0_i64;
    for _ in 0..count {
        before = before.wrapping_add(reader.signed()?);
        times.push(before);
    }
    Ok(times)
}

fn read_values(reader: &mut Reader<'_>, count: usize) -> Result<ValueColumn, Damage> {
    let room = count.min(reader.rest().len());
    match reader.byte()? {
        FLOATS => {
            let mut values = Vec::with_capacity(room);
            for _ in 0..count {
                values.push(f64::from_le_bytes(reader.array()?));
            }
            Ok(ValueColumn::Float(values))
        }
        INTEGERS => {
            let mut values = Vec::with_capacity(room);
            for _ in 0..count {
                values.push(reader.signed()?);
            }
            Ok(ValueColumn::Integer(values))
        }
        MIXED => {
            let mut values = Vec::with_capacity(room);
            for _ in 0..count {
                values.push(match reader.byte()? {
                    FLOAT => MetricValue::Float(f64::from_le_bytes(reader.array()?)),
                    INTEGER => MetricValue::Integer(reader.signed()?),
                    TEXT => MetricValue::Text(reader.text()?.into()),
                    _ => return Err(reader.damage("a value's kind is not known")),
                });
            }
            Ok(ValueColumn::Mixed(values))
        }
        _ => Err(reader.damage("its form of values is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_core::admission::{AcceptedTimes, admit_sample};
    use telemetry_core::{MetricDraft, Timestamp};

    fn sample(nanos: i64, value: MetricValue) -> AdmittedSample {
        let times = AcceptedTimes { now: Timestamp::EPOCH, oldest: Timestamp::MIN, newest: Timestamp::MAX };
        admit_sample(MetricDraft::new("m", value).at(Timestamp::from_nanos(nanos)), &times).unwrap()
    }

    fn value() -> impl Strategy<Value = MetricValue> {
        prop_oneof![
            3 => any::<i64>().prop_map(MetricValue::Integer),
            3 => any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(MetricValue::Float),
            1 => ".{0,9}".prop_map(|text| MetricValue::Text(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn samples_come_back(rows in prop::collection::vec((any::<u32>(), any::<i64>(), value()), 1..50)) {
            let samples: Vec<_> = rows.iter().map(|(_, time, value)| sample(*time, value.clone())).collect();
            let ids: Vec<_> = rows.iter().map(|row| row.0).collect();
            let mut out = Vec::new();
            encode_samples(&mut out, ids.iter().copied(), &samples);
            let LogRecord::Samples(columns) = LogRecord::decode(&out).unwrap() else { panic!("samples") };
            prop_assert_eq!(&columns.series, &ids);
            prop_assert_eq!(&columns.times, &rows.iter().map(|row| row.1).collect::<Vec<_>>());
            for (index, (_, _, value)) in rows.iter().enumerate() {
                prop_assert_eq!(format!("{:?}", columns.values.get(index).unwrap()), format!("{value:?}"));
            }
        }

        #[test]
        fn events_and_ticks_come_back(times: Vec<i64>, tick: i64) {
            let mut out = Vec::new();
            encode_events(&mut out, times.iter().copied());
            prop_assert_eq!(LogRecord::decode(&out).unwrap(), LogRecord::Events(times));
            let tick = Timestamp::from_nanos(tick);
            encode_tick(&mut out, tick);
            prop_assert_eq!(LogRecord::decode(&out).unwrap(), LogRecord::Tick(tick));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = LogRecord::decode(&bytes);
            let _ = LogRecord::decode(&envelope::wrap(VERSION, &bytes));
        }
    }
}
