//! A file's records in batches. The same file with the same options gives the same batches with the same ids, so that an
//! import that was interrupted can be sent again and nothing counts twice.

use std::io::{BufRead, Read};

use serde_json::{Map, Value, json};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use crate::samples::number_or_text;

/// Records of one batch: large enough to hide a round trip, small enough for the server's body limit.
const BATCH_RECORDS: usize = 1000;
/// Bytes of one batch beyond which it is closed early.
const BATCH_BYTES: usize = 1 << 20;
/// Longest line in bytes.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// One batch, ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: Vec<Value>,
    metrics: Vec<Value>,
    bytes: usize,
    /// Lines that are no records, with the reason.
    pub(crate) unreadable: Vec<(u64, String)>,
}

/// A line's record.
#[derive(Debug)]
pub(crate) enum Record {
    Event(Value),
    Metric(Value),
}

impl Batch {
    /// Adds a record; true when the batch is full.
    fn add(&mut self, record: Record, bytes: usize) -> bool {
        match record {
            Record::Event(event) => self.events.push(event),
            Record::Metric(metric) => self.metrics.push(metric),
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        self.events.len() + self.metrics.len()
    }

    /// The request. Its id is made of the batch's place and content: equal content elsewhere in the file is stored too.
    pub(crate) fn request(&self, place: u64, name: &str) -> Value {
        let mut hash = Xxh3::new();
        hash.update(&place.to_le_bytes());
        for record in self.events.iter().chain(&self.metrics) {
            hash.update(record.to_string().as_bytes());
            hash.update(b"\n");
        }
        let id = Uuid::new_v8(hash.digest128().to_be_bytes());
        json!({"batch_id": id, "name": name, "events": self.events, "metrics": self.metrics})
    }
}

/// Reads JSON lines and hands over full batches.
pub(crate) fn read_json_lines<E>(
    input: impl BufRead,
    mut send: impl FnMut(Batch) -> Result<(), E>,
) -> Result<std::io::Result<()>, E> {
    let (mut input, mut batch, mut line, mut number) = (input, Batch::default(), Vec::new(), 0_u64);
    loop {
        line.clear();
        match input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Err(error) => return Ok(Err(error)),
            Ok(0) => break,
            Ok(_) => number += 1,
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match json_record(&line) {
            Err(reason) => batch.unreadable.push((number, reason)),
            Ok(record) => {
                if batch.add(record, line.len()) {
                    send(std::mem::take(&mut batch))?;
                }
            }
        }
    }
    if batch.len() > 0 || !batch.unreadable.is_empty() {
        send(batch)?;
    }
    Ok(Ok(()))
}

fn json_record(line: &[u8]) -> Result<Record, String> {
    match serde_json::from_slice::<Value>(line) {
        Err(error) => Err(error.to_string()),
        Ok(value) if !value.is_object() => Err("is not a JSON object".to_owned()),
        Ok(value) if value.get("metric_name").is_some() => Ok(Record::Metric(value)),
        Ok(value) => Ok(Record::Event(value)),
    }
}

/// Reads CSV with a header: `timestamp` and `value`; `metric_name` names the metric of a row; other columns are labels.
pub(crate) fn read_csv<E>(
    input: impl Read,
    metric: &str,
    context: &Map<String, Value>,
    mut send: impl FnMut(Batch) -> Result<(), E>,
) -> Result<std::io::Result<()>, E> {
    let mut reader = csv::Reader::from_reader(input);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Ok(Err(error.into())),
    };
    if !["timestamp", "value"].iter().all(|wanted| header.iter().any(|column| column == *wanted)) {
        let message = "the file's first line must name the columns timestamp and value";
        return Ok(Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
    }
    let mut batch = Batch::default();
    for (number, row) in (2_u64..).zip(reader.records()) {
        let record = match row {
            Err(error) if error.is_io_error() => return Ok(Err(error.into())),
            Err(error) => Err(error.to_string()),
            Ok(row) => csv_record(&header, &row, metric, context),
        };
        match record {
            Err(reason) => batch.unreadable.push((number, reason)),
            Ok(record) => {
                if batch.add(record, 0) {
                    send(std::mem::take(&mut batch))?;
                }
            }
        }
    }
    if batch.len() > 0 || !batch.unreadable.is_empty() {
        send(batch)?;
    }
    Ok(Ok(()))
}

fn csv_record(
    header: &csv::StringRecord,
    row: &csv::StringRecord,
    metric: &str,
    context: &Map<String, Value>,
) -> Result<Record, String> {
    let (mut labels, mut name, mut value, mut timestamp) =
        (context.clone(), metric.to_owned(), Value::Null, "");
    for (column, cell) in header.iter().zip(row) {
        match column {
            "timestamp" => timestamp = cell,
            "value" => value = number_or_text(cell).ok_or_else(|| format!("{cell} is no finite value"))?,
            "metric_name" => name = cell.to_owned(),
            label => drop(labels.insert(label.to_owned(), cell.into())),
        }
    }
    let sample =
        json!({"metric_name": name, "metric_value": value, "context": labels, "timestamp": timestamp});
    Ok(Record::Metric(sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn batches(text: &str) -> Vec<Batch> {
        let mut batches = Vec::new();
        let read = read_json_lines(text.as_bytes(), |batch| {
            batches.push(batch);
            Ok::<_, Infallible>(())
        });
        read.unwrap().unwrap();
        batches
    }

    #[test]
    fn the_same_file_gives_the_same_ids() {
        let line = |n: usize| format!("{{\"metric_name\":\"m\",\"metric_value\":{n}}}\n");
        let text: String = (0..2500).map(line).collect();
        let ids = |text: &str| -> Vec<Value> {
            let place = 0_u64..;
            place
                .zip(batches(text))
                .map(|(place, batch)| batch.request(place, "f")["batch_id"].clone())
                .collect()
        };
        assert_eq!(ids(&text).len(), 3);
        assert_eq!(ids(&text), ids(&text));
        assert_eq!(ids(&text)[..2], ids(&(text.clone() + &line(7)))[..2]);
    }

    #[test]
    fn broken_lines_are_told_with_their_number() {
        let batches = batches("{\"event_type\":\"A\",\"source\":\"s\"}\n\n{oops\n[]\n");
        assert_eq!(batches[0].len(), 1);
        let lines: Vec<u64> = batches[0].unreadable.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn csv_columns_are_labels() {
        let text = "timestamp,value,host\n2025-01-01 00:00:00,1.5,a\n2025-01-01 00:00:01,inf,a\n";
        let mut got = Vec::new();
        let read = read_csv(text.as_bytes(), "cpu", &Map::new(), |batch| {
            got.push(batch);
            Ok::<_, Infallible>(())
        });
        read.unwrap().unwrap();
        assert_eq!(got[0].metrics[0]["context"]["host"], "a");
        assert_eq!(got[0].metrics[0]["metric_name"], "cpu");
        assert_eq!(got[0].unreadable[0].0, 3);
    }
}
