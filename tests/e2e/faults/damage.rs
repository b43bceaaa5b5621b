//! Damage on the disk: what cannot be read is told, with the file and the partition; the rest serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Clock, EventDraft, Host, ManualClock, MetricDraft};
use serde_json::{Value, json};

use super::{serves, shown_by_health};
use crate::fixture::{code, event, in_folder, message, open, query, start};

const DAY: Duration = Duration::from_secs(86_400);
/// Enough of one series for the store to make chunks of them.
const SAMPLES: u32 = 20_000;
const EVENTS: u32 = 1_000;

/// A store with events and samples of two days.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    pub(super) fn open(&self) -> Host {
        open(in_folder(self.folder.path()), Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// Everything is in table files.
    pub(super) fn filled() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder, clock: Arc::new(ManualClock::at(start())) };
        let host = place.open();
        for time in [start().minus(DAY), start()] {
            let noise = |n: u32| f64::from(n.wrapping_mul(2_654_435_761)) / 7.0;
            let sample =
                |n| MetricDraft::new("noise", noise(n)).at(time.minus(Duration::from_millis(n.into())));
            let samples = (0..SAMPLES).map(sample).collect();
            assert!(host.record_metrics(samples).iter().all(Result::is_ok));
            let event = |n: u32| {
                EventDraft::new(format!("T{}", n % 50), format!("s{n}"))
                    .at(time.minus(Duration::from_secs(n.into())))
            };
            let events = (0..EVENTS).map(event).collect();
            assert!(host.record_events(events).iter().all(Result::is_ok));
        }
        drop(host);
        // Opening brings the write-ahead log into tables.
        drop(place.open());
        place
    }

    pub(super) fn rocksdb(&self) -> PathBuf {
        self.folder.path().join("store/rocksdb")
    }

    /// The table files of a family: its name stands in their properties.
    pub(super) fn tables(&self, family: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.rocksdb()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(family.len()).any(|part| part == family.as_bytes())
        };
        files.filter(|path| path.extension().is_some_and(|end| end == "sst") && holds(path)).collect()
    }

    /// Flips a bit in the first block of every table of a family; answers one file's name.
    fn damage(&self, family: &str) -> String {
        let tables = self.tables(family);
        tables.iter().for_each(|path| flip(path, 16));
        let name = tables.first().unwrap_or_else(|| panic!("{family} has no table")).file_name();
        name.unwrap().to_str().unwrap().to_owned()
    }
}

/// Flips a bit of one byte.
pub(super) fn flip(path: &Path, place: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[place] ^= 0x01;
    std::fs::write(path, bytes).unwrap();
}

fn events(host: &Host, from: &str, to: &str) -> Envelope {
    host.events_json([("from", from), ("to", to), ("limit", "10000")])
}

fn count_of(envelope: &Envelope) -> usize {
    envelope.body["events"].as_array().map_or(0, Vec::len)
}

/// All samples of one day; whether the answer says that some are missing.
fn counted(host: &Host, from: &str, to: &str) -> (Value, bool) {
    let range = json!({"metric_names": ["noise"], "aggregation": "COUNT", "time_range": [from, to]});
    let answer = query(host, range);
    assert_eq!(code(&answer), "success", "{}", answer.body);
    (answer.body["metrics"]["noise"]["value"].clone(), answer.body["incomplete"] == true)
}

/// All samples of one day, none of which is missing.
fn samples(host: &Host, from: &str, to: &str) -> Value {
    let (count, incomplete) = counted(host, from, to);
    assert!(!incomplete);
    count
}

/// The answer to a query for events whose table is damaged.
pub(super) fn asked_for_what_is_damaged() -> Envelope {
    let place = Place::filled();
    place.damage("e.20250520");
    events(&place.open(), "2025-05-20T00:00:00Z", "2025-05-21T00:00:00Z")
}

#[test]
fn damaged_events_are_told_with_file_and_partition_and_the_rest_serves() {
    let place = Place::filled();
    let file = place.damage("e.20250520");
    let mut host = place.open();
    let mut met = 0;
    for round in 0..4 {
        let damaged = events(&host, "2025-05-20T00:00:00Z", "2025-05-21T00:00:00Z");
        assert_eq!(code(&damaged), "RETRIEVAL_FAILURE", "{}", damaged.body);
        for word in ["partition e.20250520", "leave its days out", "restore it from a backup", &file] {
            assert!(message(&damaged).contains(word), "{word}: {}", damaged.body);
        }
        shown_by_health(&host, "RETRIEVAL_FAILURE");
        let today = events(&host, "2025-05-21T00:00:00Z", "2025-05-21T14:32:17Z");
        assert!(count_of(&today) >= EVENTS as usize - 1, "{}", count_of(&today));
        assert_eq!(samples(&host, "2025-05-20T00:00:00Z", "2025-05-20T23:59:59Z"), SAMPLES);
        assert_eq!(samples(&host, "2025-05-21T00:00:00Z", "2025-05-21T23:59:59Z"), SAMPLES);
        // When the engine's own upkeep meets the damage, at whatever moment, it stops writing; the next opening keeps it away
        // from there.
        let answers = ["ROUND", "AFTERWARDS"].map(|event_type| {
            event(&host, json!({"event_type": event_type, "source": "s", "data": {"n": round}}))
        });
        if let Some(answer) = answers.iter().find(|answer| code(answer) != "success") {
            assert_eq!(code(answer), "STORAGE_FAILURE", "{}", answer.body);
            assert!(message(answer).contains("until the store is reopened"), "{}", answer.body);
            assert_eq!(host.health_json().body["status"], "unhealthy");
            met += 1;
        }
        drop(host);
        host = place.open();
    }
    assert!(met <= 1, "{met} openings met the damage");
    serves(&host);
}

#[test]
fn damaged_samples_are_set_aside_and_health_names_the_partition() {
    let place = Place::filled();
    let file = place.damage("m.20250520");
    let host = place.open();
    let (left, incomplete) = counted(&host, "2025-05-20T00:00:00Z", "2025-05-20T23:59:59Z");
    assert!(left.is_null() || left.as_u64().unwrap() < SAMPLES.into(), "{left}");
    assert!(incomplete, "the answer says so");
    shown_by_health(&host, "m.20250520");
    shown_by_health(&host, &file);
    assert_eq!(samples(&host, "2025-05-21T00:00:00Z", "2025-05-21T23:59:59Z"), SAMPLES);
    assert_eq!(count_of(&events(&host, "2025-05-20T00:00:00Z", "2025-05-20T14:32:18Z")), EVENTS as usize);
    drop(host);
    serves(&place.open());
}
