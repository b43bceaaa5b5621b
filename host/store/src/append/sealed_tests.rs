//! What is known ahead against looking each time, and how often chunks are decoded for it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::id::sample_location;
use telemetry_core::time::NANOS_PER_DAY;
use telemetry_core::{AdmittedSample, ManualClock, MetricDraft, Timestamp};

use super::*;
use crate::append::times_of;
use crate::families::Class;
use crate::{RecordBatch, Store, StoreOptions};

thread_local! {
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

/// Counts chunks that this thread decoded for the sake of ordinals.
pub(super) fn note_decoded(chunks: usize) {
    DECODED.set(DECODED.get() + chunks);
}

fn decoded_by(work: impl FnOnce()) -> usize {
    let before = DECODED.get();
    work();
    DECODED.get() - before
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn open() -> Store {
    let options = StoreOptions { background: false, ..StoreOptions::in_memory() };
    Store::open(options, Arc::new(ManualClock::at(noon()))).unwrap()
}

/// Milliseconds after noon.
fn at(millis: i64) -> i64 {
    noon().nanos() + millis * 1_000_000
}

fn sample(name: &str, millis: i64) -> AdmittedSample {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let draft = MetricDraft::new(name, millis).at(Timestamp::from_nanos(at(millis)));
    admit_sample(draft, &times).unwrap()
}

/// Stores samples of `m` in one call; answers their ordinals.
fn append(store: &Store, millis: impl Iterator<Item = i64>) -> Vec<u16> {
    let samples = millis.map(|millis| sample("m", millis)).collect();
    let appended = store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
    let tag = store.event_ids().tag();
    appended.sample_ids.iter().map(|id| sample_location(*id, tag).unwrap().ordinal).collect()
}

/// How many chunks there are in all.
fn chunks(store: &Store) -> usize {
    let mut chunks = 0;
    for partition in store.engine.catalogue.all(Class::Metrics) {
        let family = store.engine.database.find_family(&partition.family).unwrap();
        let count = &mut |_: &[u8], _: &[u8]| chunks += 1;
        store.engine.database.each_row(&family, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, count).unwrap();
    }
    chunks
}

#[test]
fn a_hundred_thousand_late_samples_decode_each_chunk_once() {
    const SAMPLES: i64 = 100_000;
    let store = open();
    // Every other millisecond is in chunks.
    append(&store, (0..SAMPLES / 2).map(|n| 2 * n));
    store.seal().unwrap();
    let chunks = chunks(&store);
    assert!(chunks > 1, "{chunks}");
    let mut ordinals = Vec::new();
    let decoded = decoded_by(|| ordinals = append(&store, (0..SAMPLES).rev()));
    assert_eq!(decoded, chunks);
    for (millis, ordinal) in (0..SAMPLES).rev().zip(ordinals) {
        assert_eq!(ordinal, u16::from(millis % 2 == 0), "at {millis}");
    }
}

#[test]
fn one_late_sample_decodes_the_chunk_that_spans_it() {
    let store = open();
    for part in 0..4 {
        append(&store, (0..100).map(|n| part * 1000 + 2 * n));
        store.seal().unwrap();
    }
    assert_eq!(decoded_by(|| assert_eq!(append(&store, [4000].into_iter()), [0])), 0);
    assert_eq!(decoded_by(|| assert_eq!(append(&store, [1011].into_iter()), [0])), 1);
    assert_eq!(decoded_by(|| assert_eq!(append(&store, [1011].into_iter()), [1])), 0, "it is vacant");
    assert_eq!(decoded_by(|| assert_eq!(append(&store, [2010].into_iter()), [1])), 1);
    assert_eq!(decoded_by(|| assert_eq!(append(&store, [2010].into_iter()), [2])), 0, "it is known");
    // Those behind all chunks need none.
    let mixed = || assert_eq!(append(&store, [4001, 3011, 4000, 4002].into_iter()), [0, 0, 1, 0]);
    assert_eq!(decoded_by(mixed), 1);
}

#[test]
fn samples_of_several_partitions_are_read_once_in_each() {
    const DAY: i64 = NANOS_PER_DAY / 1_000_000;
    let store = open();
    append(&store, (0..3).flat_map(|day| (0..100).map(move |n| day * DAY + 2 * n)));
    store.seal().unwrap();
    assert_eq!(chunks(&store), 3);
    // From day to day and back with each sample.
    let late = || (0..200).flat_map(|n| (0..3).map(move |day| day * DAY + n));
    let mut ordinals = Vec::new();
    assert_eq!(decoded_by(|| ordinals = append(&store, late())), 3);
    assert!(late().zip(ordinals).all(|(millis, ordinal)| ordinal == u16::from(millis % 2 == 0)));
}

#[test]
fn what_is_sealed_after_the_look_is_looked_for_once_more() {
    let store = open();
    append(&store, [1, 2, 3].into_iter());
    store.seal().unwrap();
    append(&store, [1, 1, 2].into_iter());
    let engine = &store.engine;
    let samples = [sample("m", 1), sample("m", 2), sample("m", 9)];
    let slots = engine.slots(Class::Metrics, samples.iter().map(AdmittedSample::timestamp)).unwrap();
    let active = engine.registry.read();
    let (plan, _, missing) = engine.resolve_known(&active, &samples);
    assert_eq!(missing, None);
    let call = (samples.as_slice(), &plan, &slots);
    let (series, partition) = (plan[0], slots.find(at(1)).unwrap());
    let mut sealed = SealedTimes::of(times_of(call));
    engine.look_ahead(call, &mut sealed).unwrap();
    assert_eq!(found(&sealed, series), [Some(1), Some(1), Some(0)]);
    store.seal().unwrap();
    assert_eq!(found(&sealed, series), [None; 3], "what was in the buffer is in a chunk now");
    let mut late = LateTimes::of(times_of(call));
    let decoded = decoded_by(|| {
        let ordinal = engine.late_ordinal(series, partition, at(1), &mut late, &mut sealed);
        assert_eq!(ordinal.unwrap(), 3);
    });
    assert_eq!(decoded, chunks(&store));
    assert_eq!(found(&sealed, series), [Some(3), Some(2), Some(0)], "for all of the call");
}

/// What is known at three times.
fn found<I: Iterator<Item = (u32, i64)> + Clone>(
    sealed: &SealedTimes<I>,
    series: &Series,
) -> [Option<usize>; 3] {
    let (_, cuts) = series.head().buffer();
    [1, 2, 9].map(|millis| sealed.find(series.id, at(millis), cuts))
}

/// Three chunks of a hundred milliseconds, the second of which is damaged, in its header or in its blocks.
fn with_a_damaged_chunk(in_header: bool) -> Store {
    let store = open();
    for part in 0..3 {
        append(&store, (0..100).map(|n| part * 1000 + n));
        store.seal().unwrap();
    }
    let engine = &store.engine;
    let partition = engine.catalogue.find(Class::Metrics, at(0)).unwrap();
    let (key, mut value) = {
        let mut rows = engine.chunk_rows(&partition).unwrap();
        rows.first();
        rows.forward();
        rows.row().map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()
    };
    let place = if in_header { 3 } else { value.len() - 1 };
    value[place] ^= 0x10;
    let mut batch = rocksdb::WriteBatch::new();
    batch.put_cf(&engine.database.find_family(&partition.family).unwrap(), &key, &value);
    engine.database.commit(batch, crate::database::Promise::Derived).unwrap();
    store
}

#[test]
fn beside_a_damaged_chunk_one_look_is_enough_for_what_follows_in_order() {
    let store = with_a_damaged_chunk(true);
    let is_known = |millis: i64| {
        let active = store.engine.registry.read();
        active.all().all(|series| series.head().sealed_at(at(millis)).is_some())
    };
    append(&store, [1050].into_iter());
    assert!(is_known(1060) && is_known(2500), "what was known of the newest times still is");
    let sealed = store.engine.registry.read().all().map(|series| series.head().vacancy()).next().unwrap();
    assert!(!sealed.holds(at(1060)), "to who seals, the damaged chunk is there");
    // Now the newest times are known no more.
    append(&store, [-5].into_iter());
    assert!(is_known(-4) && !is_known(2500));
    append(&store, [2500].into_iter());
    assert!(is_known(2501) && is_known(5000));
}

#[test]
fn a_damaged_chunk_counts_as_nothing_for_each_of_many_late_samples() {
    let store = with_a_damaged_chunk(false);
    let ordinals = append(&store, (0..3).flat_map(|part| (0..100).map(move |n| part * 1000 + n)));
    let expected = (0..300).map(|place| u16::from(!(100..200).contains(&place)));
    assert!(ordinals.into_iter().eq(expected));
    let reports = store.stats().reports;
    assert!(reports.iter().any(|report| report.contains("is set aside")), "{reports:?}");
}

/// A sample of a series at a time, before which all that is in its buffer may go into chunks, or be taken back.
type Step = (u32, i64, Option<bool>);

type Chunks = HashMap<(u32, i64), usize>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cut = prop_oneof![9 => Just(None::<bool>), 1 => any::<bool>().prop_map(Some)];
    prop::collection::vec((0..3_u32, 0..12_i64, cut), 1..200)
}

/// As reading the chunks of a series in a partition does.
fn read<I: Iterator<Item = (u32, i64)> + Clone>(
    sealed: &mut SealedTimes<I>,
    (series, partition): (u32, &Partition),
    (chunks, cuts): (&Chunks, u32),
) {
    let times = sealed.times(series, partition);
    let counts = times.iter().map(|time| chunks.get(&(series, *time)).copied().unwrap_or(0));
    let counts: Vec<usize> = counts.collect();
    sealed.note(series, partition, &counts, cuts);
}

proptest! {
    /// Whatever is sealed or taken back meanwhile: what is known ahead is what looking tells.
    #[test]
    fn what_is_known_ahead_is_what_looking_tells(
        before in prop::collection::vec((0..3_u32, 0..12_i64), 0..60),
        steps in steps(),
        covered in 0..3_u32,
    ) {
        // One partition ends where the other begins.
        let parts = [Partition::new(Class::Metrics, 0, 5), Partition::new(Class::Metrics, 5, 12)];
        let mut chunks = Chunks::new();
        before.iter().for_each(|place| *chunks.entry(*place).or_default() += 1);
        let mut buffers: Vec<(Vec<i64>, u32)> = vec![Default::default(); 3];
        let mut sealed = SealedTimes::of(steps.iter().map(|(series, time, _)| (*series, *time)));
        sealed.cover(|series| series <= covered);
        read(&mut sealed, (covered, &parts[1]), (&chunks, 0));
        // Each series and partition is read once, and once more after its buffer was cut.
        let mut reads_left = 6;
        for (series, time, cut) in &steps {
            let (times, cuts) = &mut buffers[*series as usize];
            if let Some(is_sealed) = cut {
                for time in times.drain(..).filter(|_| *is_sealed) {
                    *chunks.entry((*series, time)).or_default() += 1;
                }
                *cuts += 1;
                reads_left += 2;
            }
            if sealed.find(*series, *time, *cuts).is_none() {
                if sealed.place_of(*series, *time).is_none() {
                    sealed.cover(|_| true);
                }
                let partition = parts.iter().find(|partition| partition.holds(*time)).unwrap();
                read(&mut sealed, (*series, partition), (&chunks, *cuts));
                reads_left -= 1;
            }
            let expected = chunks.get(&(*series, *time)).copied().unwrap_or(0);
            prop_assert_eq!(sealed.find(*series, *time, *cuts), Some(expected));
            times.push(*time);
        }
        prop_assert!(reads_left >= 0, "{reads_left}");
    }
}
