//! The store with its lists, and what each step does to both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::admission::{admit_event, admit_sample};
use telemetry_core::{Clock, Context, EventDraft, JsonObject, MetricDraft, MetricValue, Timestamp};
use telemetry_store::{Existing, RecordBatch, Store, StoreOptions, restore};
use uuid::Uuid;

use super::monitor::Kept;
use super::step::{EventStep, HOSTS, METRICS, NANOS, SOURCES, SampleStep, Step, TYPES, ZONES};
use crate::fixture::*;

const EVENTS_KEPT: Duration = DAY;
const METRICS_KEPT: Duration = Duration::from_secs(2 * 86_400);

#[derive(Clone, Debug)]
pub struct Sample {
    pub sequence: u64,
    pub series: (usize, usize, usize),
    pub time: i64,
    pub value: MetricValue,
    pub id: Uuid,
    /// Its day was dropped.
    pub expired: bool,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub sequence: u64,
    pub time: i64,
    pub event_type: usize,
    pub source: usize,
    pub id: Uuid,
    pub data: String,
    pub expired: bool,
}

pub struct World {
    pub fixture: Fixture,
    pub last_sequence: u64,
    pub all_samples: Vec<Sample>,
    pub all_events: Vec<Event>,
    pub ticks: BTreeMap<u64, i64>,
    pub kept: Kept,
    /// In memory where that is to be had.
    scratch: tempfile::TempDir,
    places: u32,
}

impl World {
    pub fn new() -> Self {
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let fixture = Fixture::open(options(&scratch.path().join("0")));
        Self {
            fixture,
            last_sequence: 0,
            all_samples: Vec::new(),
            all_events: Vec::new(),
            ticks: BTreeMap::new(),
            kept: Kept::default(),
            scratch,
            places: 0,
        }
    }

    /// What the store should have.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.all_samples.iter().filter(|sample| !sample.expired)
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.all_events.iter().filter(|event| !event.expired)
    }

    pub fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    /// Answers whether all should be read now.
    pub fn carry_out(&mut self, step: &Step) -> bool {
        match step {
            Step::Append(samples, events) => self.append(samples, events),
            Step::Tick => {
                let now = self.now();
                let sequence = self.fixture.store.append_tick(now).unwrap();
                self.last_sequence += 1;
                assert_eq!(sequence, self.last_sequence);
                self.ticks.insert(sequence, now.nanos());
            }
            Step::Seal => self.fixture.store.seal().unwrap(),
            Step::Wait(minutes) => {
                self.fixture.clock.advance(MINUTE * *minutes);
                self.maintain(self.now());
            }
            Step::Midnight => {
                self.fixture.clock.advance(DAY + HOUR);
                self.maintain(self.now());
            }
            Step::Jump(seconds) => self.jump(*seconds),
            Step::Checkpoint(checkpoint) => {
                let Self { fixture, kept, last_sequence, .. } = self;
                kept.checkpoint(&fixture.store, checkpoint, *last_sequence);
            }
            Step::Reopen => self.move_on(Fixture::reopen),
            Step::Crash => self.crash(),
            Step::Restore => self.restore(),
        }
        matches!(step, Step::Midnight | Step::Jump(_) | Step::Reopen | Step::Crash | Step::Restore)
    }

    fn append(&mut self, samples: &[SampleStep], events: &[EventStep]) {
        let now = self.now();
        let at = |seconds: i64| Timestamp::from_nanos(now.nanos() + seconds * NANOS);
        let given: Vec<Uuid> = events.iter().filter_map(|event| event.given.map(given_id)).collect();
        let claim = self.fixture.store.claim(&given).unwrap();
        let mut taken = Vec::new();
        let mut new_events = Vec::new();
        for event in events {
            if let Some(id) = event.given.map(given_id) {
                let known = self.events().find(|other| other.id == id).map(|other| other.time);
                assert_eq!(claim.known(id).map(Timestamp::nanos), known, "{id}");
                if known.is_some() || taken.contains(&id) {
                    continue;
                }
                taken.push(id);
            }
            new_events.push((event, data(event)));
        }
        let admitted = new_events.iter().map(|(event, data)| {
            let draft = EventDraft::new(TYPES[event.event_type], SOURCES[event.source]).at(at(event.seconds));
            let draft = EventDraft { event_id: event.given.map(given_id), ..draft };
            let draft = draft.with_data(JsonObject::parse(data).unwrap());
            admit_event(draft, &any_time(), self.fixture.store.event_ids()).unwrap()
        });
        let batch = RecordBatch {
            events: admitted.collect(),
            samples: samples.iter().map(|sample| admitted_sample(sample, at(sample.seconds))).collect(),
        };
        if batch.events.is_empty() && batch.samples.is_empty() {
            return;
        }
        let ids: Vec<Uuid> = batch.events.iter().map(|event| event.id().uuid()).collect();
        let appended = self.fixture.store.append(&batch).unwrap();
        drop(claim);
        assert_eq!(appended.first_sequence, self.last_sequence + 1);
        for ((event, data), id) in new_events.into_iter().zip(ids) {
            self.last_sequence += 1;
            let (sequence, time) = (self.last_sequence, at(event.seconds).nanos());
            let EventStep { event_type, source, .. } = *event;
            self.all_events.push(Event { sequence, time, event_type, source, id, data, expired: false });
        }
        for (sample, id) in samples.iter().zip(appended.sample_ids) {
            self.last_sequence += 1;
            let (sequence, time) = (self.last_sequence, at(sample.seconds).nanos());
            let series = (sample.metric, sample.host, sample.zone);
            let value = sample.value.clone();
            self.all_samples.push(Sample { sequence, series, time, value, id, expired: false });
        }
    }

    /// The store looks after itself; what real time has outlived goes, and nothing else.
    fn maintain(&mut self, real_now: Timestamp) {
        let expired = self.fixture.store.maintain().unwrap().expired_partitions;
        for name in &expired {
            let (class, day) = name.split_once('.').unwrap();
            let date = format!("{}-{}-{}T00:00:00Z", &day[..4], &day[4..6], &day[6..]);
            let start = Timestamp::parse(&date).unwrap();
            let kept = if class == "e" { EVENTS_KEPT } else { METRICS_KEPT };
            assert!(start.plus(DAY).plus(kept) <= real_now, "{name} at {real_now}");
            let within = |time: i64| Timestamp::from_nanos(time).floor_to(86_400 * NANOS) == start;
            if class == "e" {
                let gone = self.all_events.iter_mut().filter(|event| within(event.time));
                gone.for_each(|event| event.expired = true);
            } else {
                let gone = self.all_samples.iter_mut().filter(|sample| within(sample.time));
                gone.for_each(|sample| sample.expired = true);
            }
        }
        let wall = self.now();
        let overdue = |time: i64, kept: Duration| {
            let end = Timestamp::from_nanos(time).floor_to(86_400 * NANOS).plus(DAY);
            wall == real_now && end.plus(kept) <= real_now
        };
        assert!(!self.events().any(|event| overdue(event.time, EVENTS_KEPT)), "not expired: {expired:?}");
        assert!(!self.samples().any(|sample| overdue(sample.time, METRICS_KEPT)), "not expired: {expired:?}");
    }

    fn jump(&mut self, seconds: i64) {
        let right = self.now();
        self.fixture.clock.jump_to(Timestamp::from_nanos(right.nanos() + seconds * NANOS));
        self.maintain(right);
        self.fixture.clock.jump_to(right);
    }

    /// Goes on with what `step` makes of the store.
    fn move_on(&mut self, step: impl FnOnce(Fixture) -> Fixture) {
        let clock = Arc::clone(&self.fixture.clock);
        let idle = Store::open(
            StoreOptions { background: false, ..StoreOptions::in_memory() },
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let idle = Fixture { clock, store: idle.unwrap(), options: self.fixture.options.clone() };
        self.fixture = step(std::mem::replace(&mut self.fixture, idle));
    }

    fn next_place(&mut self) -> PathBuf {
        self.places += 1;
        self.scratch.path().join(self.places.to_string())
    }

    fn crash(&mut self) {
        let place = self.next_place();
        let before = self.scratch.path().join((self.places - 1).to_string());
        // As long as the engine's threads change files meanwhile, the copy is not one of a moment.
        loop {
            let there = listing(&before);
            copy_files(&before, &place);
            if listing(&before) == there {
                break;
            }
            fs::remove_dir_all(&place).unwrap();
        }
        self.move_on(|abandoned| {
            let clock = Arc::clone(&abandoned.clock);
            let options = options(&place);
            let store = Store::open(options.clone(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
            Fixture { clock, store, options }
        });
        fs::remove_dir_all(before).unwrap();
    }

    fn restore(&mut self) {
        let (place, backup) = (self.next_place(), self.scratch.path().join("backup"));
        let before = self.scratch.path().join((self.places - 1).to_string());
        let made = self.fixture.store.backup(&backup).unwrap();
        assert_eq!(made.last_sequence, self.last_sequence);
        restore(&backup, &place, Existing::Keep).unwrap();
        self.move_on(|closed| {
            let Fixture { clock, store, .. } = closed;
            drop(store);
            let options = options(&place);
            let store = Store::open(options.clone(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
            Fixture { clock, store, options }
        });
        fs::remove_dir_all(backup).unwrap();
        fs::remove_dir_all(before).unwrap();
    }
}

fn options(directory: &Path) -> StoreOptions {
    StoreOptions {
        background: false,
        min_free_bytes: 0,
        events_retention: EVENTS_KEPT,
        metrics_retention: METRICS_KEPT,
        memory_bytes: 16 << 20,
        ..StoreOptions::in_directory(directory)
    }
}

pub fn given_id(number: u8) -> Uuid {
    // Some look like the host's own.
    if number.is_multiple_of(2) {
        Uuid::from_u128(u128::from(number) + 1)
    } else {
        Uuid::new_v8([number; 16])
    }
}

fn data(event: &EventStep) -> String {
    if event.size == 0 { "{}".to_owned() } else { format!("{{\"text\":\"{}\"}}", "t".repeat(event.size)) }
}

pub fn context(host: usize, zone: usize) -> Context {
    let host = ("host", HOSTS[host]);
    Context::from_labels(std::iter::once(host).chain(ZONES[zone].map(|zone| ("zone", zone))))
}

fn admitted_sample(sample: &SampleStep, at: Timestamp) -> telemetry_core::AdmittedSample {
    let draft = MetricDraft::new(METRICS[sample.metric], sample.value.clone());
    let draft = draft.with_context(context(sample.host, sample.zone)).at(at);
    admit_sample(draft, &any_time()).unwrap()
}

/// Names, sizes and times of change of all files.
fn listing(directory: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for folder in [directory.to_owned(), directory.join("rocksdb")] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            // A file that is gone by now makes another listing differ.
            if let Ok(about) = entry.metadata() {
                found.push((entry.path(), about.len(), about.modified().unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("rocksdb")).unwrap();
    for folder in ["", "rocksdb"] {
        for entry in fs::read_dir(from.join(folder)).unwrap().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let _ = fs::copy(entry.path(), to.join(folder).join(entry.file_name()));
            }
        }
    }
}
