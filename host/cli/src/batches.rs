//! A file's records in batches. The same file with the same options gives the same batches with the same ids, so that an
//! import that was interrupted can be sent again and nothing counts twice.
//!
//! A batch that the host finds too large is divided; how, follows from the batch alone. Its parts have ids of their own, so
//! that a host whose limit of a body is changed between two runs of one import counts the divided batches anew.

mod csv_rows;
mod json_lines;

pub(crate) use csv_rows::read_csv;
pub(crate) use json_lines::read_json_lines;

use serde_json::Value;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

/// Records of one batch: large enough to hide a round trip, small enough for the server's body limit.
const BATCH_RECORDS: usize = 1000;
/// Most bytes of one batch's records as they are sent; a record that is larger is a batch of its own.
const BATCH_BYTES: usize = 1 << 20;
/// Longest line, and longest record as it is sent, in bytes: the default limit of a body.
const MAX_LINE_BYTES: usize = 4 << 20;

/// What takes the records of a file.
pub(crate) trait Target {
    /// Why it takes no more.
    type Error;

    /// Takes a batch, which is never empty.
    fn send(&mut self, batch: Batch) -> Result<(), Self::Error>;

    /// Takes note of a line that is no record, with the reason.
    fn refuse(&mut self, line: u64, reason: String);
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    Metric,
}

/// A record as it is sent.
#[derive(Debug)]
struct Record {
    /// Where it stands in the file, from 1.
    line: u64,
    /// Its JSON, compact.
    text: String,
}

/// Records that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: Vec<Record>,
    metrics: Vec<Record>,
    /// Of the records as they are sent.
    bytes: usize,
    /// Of a part of a batch: which of the batch's records is its first.
    part: Option<u64>,
}

impl Batch {
    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        self.events.len().saturating_add(self.metrics.len())
    }

    /// Its records in the order in which the host numbers them.
    fn records(&self) -> impl Iterator<Item = &Record> {
        self.events.iter().chain(&self.metrics)
    }

    /// The line of the record with this number.
    pub(crate) fn line_of(&self, number: usize) -> Option<u64> {
        self.records().nth(number).map(|record| record.line)
    }

    /// The request, of the batch or of a part of it; `place` is the batch's among those of its file.
    pub(crate) fn request(&self, place: u64, name: &str) -> String {
        let (id, name) = (self.id(place), Value::from(name));
        let (events, metrics) = (joined(&self.events), joined(&self.metrics));
        format!("{{\"batch_id\":\"{id}\",\"name\":{name},\"events\":[{events}],\"metrics\":[{metrics}]}}")
    }

    /// Made of the place and the content: equal content elsewhere in the file is stored too.
    fn id(&self, place: u64) -> Uuid {
        let mut hash = Xxh3::new();
        hash.update(&place.to_le_bytes());
        if let Some(first) = self.part {
            hash.update(b"part");
            hash.update(&first.to_le_bytes());
        }
        for record in self.records() {
            hash.update(record.text.as_bytes());
            hash.update(b"\n");
        }
        Uuid::new_v8(hash.digest128().to_be_bytes())
    }

    /// Its two halves in order, or the batch itself when it has no two records.
    pub(crate) fn halves(mut self) -> Result<[Self; 2], Self> {
        if self.len() < 2 {
            return Err(self);
        }
        let half = self.len() / 2;
        let events = self.events.split_off(half.min(self.events.len()));
        let metrics = self.metrics.split_off(half.saturating_sub(self.events.len()));
        let start = self.part.unwrap_or(0);
        let second = start.saturating_add(half as u64);
        Ok([Self::part(self.events, self.metrics, start), Self::part(events, metrics, second)])
    }

    fn part(events: Vec<Record>, metrics: Vec<Record>, first: u64) -> Self {
        let bytes = events.iter().chain(&metrics).map(Record::bytes).sum();
        Self { events, metrics, bytes, part: Some(first) }
    }
}

impl Record {
    /// Its share of a request, with what parts it from the next.
    fn bytes(&self) -> usize {
        self.text.len().saturating_add(1)
    }
}

fn joined(records: &[Record]) -> String {
    let texts: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
    texts.join(",")
}

/// Gathers records, and hands a batch over when it is full.
struct Gatherer<'t, T> {
    batch: Batch,
    target: &'t mut T,
}

impl<'t, T: Target> Gatherer<'t, T> {
    fn new(target: &'t mut T) -> Self {
        Self { batch: Batch::default(), target }
    }

    /// Adds a line's record, or tells that it has none.
    fn add(&mut self, line: u64, record: Result<(Kind, String), String>) -> Result<(), T::Error> {
        let (kind, text) = match record {
            Ok((_, text)) if text.len() > MAX_LINE_BYTES => {
                self.target.refuse(line, too_long());
                return Ok(());
            }
            Ok(record) => record,
            Err(reason) => {
                self.target.refuse(line, reason);
                return Ok(());
            }
        };
        let record = Record { line, text };
        let bytes = record.bytes();
        if self.batch.bytes.saturating_add(bytes) > BATCH_BYTES {
            self.hand_over()?;
        }
        self.batch.bytes = self.batch.bytes.saturating_add(bytes);
        match kind {
            Kind::Event => self.batch.events.push(record),
            Kind::Metric => self.batch.metrics.push(record),
        }
        if self.batch.len() >= BATCH_RECORDS { self.hand_over() } else { Ok(()) }
    }

    /// Hands over what was gathered, if anything was.
    fn hand_over(&mut self) -> Result<(), T::Error> {
        match std::mem::take(&mut self.batch) {
            batch if batch.len() == 0 => Ok(()),
            batch => self.target.send(batch),
        }
    }
}

fn too_long() -> String {
    format!("is longer than {MAX_LINE_BYTES} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::convert::Infallible;

    /// Keeps what it is given.
    #[derive(Debug, Default)]
    pub(super) struct Kept {
        pub(super) batches: Vec<Batch>,
        pub(super) refused: Vec<(u64, String)>,
    }

    impl Kept {
        /// What the requests say, each in its place.
        pub(super) fn requests(&self) -> Vec<Value> {
            let requests = (0_u64..).zip(&self.batches).map(|(place, batch)| batch.request(place, "f"));
            requests.map(|request| serde_json::from_str(&request).unwrap()).collect()
        }

        pub(super) fn ids(&self) -> Vec<Value> {
            self.requests().into_iter().map(|request| request["batch_id"].clone()).collect()
        }
    }

    impl Target for Kept {
        type Error = Infallible;

        fn send(&mut self, batch: Batch) -> Result<(), Infallible> {
            self.batches.push(batch);
            Ok(())
        }

        fn refuse(&mut self, line: u64, reason: String) {
            self.refused.push((line, reason));
        }
    }

    /// The batches of these records, one a line.
    fn gathered(records: impl IntoIterator<Item = (Kind, String)>) -> Kept {
        let mut kept = Kept::default();
        let mut gatherer = Gatherer::new(&mut kept);
        for (line, record) in (1_u64..).zip(records) {
            gatherer.add(line, Ok(record)).unwrap();
        }
        gatherer.hand_over().unwrap();
        kept
    }

    /// A JSON text of so many bytes.
    fn text(bytes: usize) -> String {
        format!("\"{}\"", "x".repeat(bytes - 2))
    }

    #[test]
    fn no_batch_is_over_its_bytes_unless_by_one_record() {
        let half = BATCH_BYTES / 2;
        let sizes = [half - 1, half - 1, 2, BATCH_BYTES + 5, 2, MAX_LINE_BYTES, MAX_LINE_BYTES + 1];
        let kept = gathered(sizes.map(|bytes| (Kind::Event, text(bytes))));
        let lines: Vec<Vec<u64>> =
            kept.batches.iter().map(|batch| batch.records().map(|record| record.line).collect()).collect();
        assert_eq!(lines, [vec![1, 2], vec![3], vec![4], vec![5], vec![6]]);
        assert_eq!(kept.refused, [(7, too_long())]);
    }

    #[test]
    fn halves_have_the_records_in_order_and_ids_of_their_own() {
        let kinds = [Kind::Metric, Kind::Event, Kind::Metric, Kind::Event, Kind::Event];
        let divided = || {
            let batch = gathered(kinds.map(|kind| (kind, "{}".to_owned()))).batches.pop().unwrap();
            let mut parts = vec![batch];
            let mut singles = Vec::new();
            let mut ids = Vec::new();
            while let Some(part) = parts.pop() {
                ids.push(part.id(7));
                match part.halves() {
                    Ok([first, second]) => parts.extend([second, first]),
                    Err(single) => singles.push(single.line_of(0).unwrap()),
                }
            }
            (singles, ids)
        };
        let (lines, mut ids) = divided();
        assert_eq!(lines, [2, 4, 5, 1, 3], "events first");
        assert_eq!(divided().1, ids, "the same each time");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 9, "equal records, and yet each part is another batch");
    }

    #[test]
    fn a_request_has_all_of_its_records() {
        let kept =
            gathered([(Kind::Event, "1".into()), (Kind::Metric, "2".into()), (Kind::Event, "3".into())]);
        let mut requests = kept.requests();
        requests[0]["batch_id"].take();
        let expected = json!({"batch_id": null, "name": "f", "events": [1, 3], "metrics": [2]});
        assert_eq!(requests, [expected]);
        assert_eq!([0, 1, 2, 3].map(|n| kept.batches[0].line_of(n)), [Some(1), Some(3), Some(2), None]);
    }
}
