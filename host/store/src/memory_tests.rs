//! Memory within the budget: what takes it is counted by name, and heads make room for the index, the largest first.

use std::sync::Arc;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{AdmittedSample, Context, ManualClock, MetricDraft, Timestamp};

use crate::head::FULL_HEAD;
use crate::{RecordBatch, Store, StoreOptions};

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn open(memory_bytes: u64) -> Store {
    let options = StoreOptions { background: false, memory_bytes, ..StoreOptions::in_memory() };
    Store::open(options, Arc::new(ManualClock::at(noon()))).unwrap()
}

fn sample(host: usize, second: i64) -> AdmittedSample {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let at = Timestamp::from_nanos(noon().nanos() + second * 1_000_000_000);
    let context = Context::from_labels([("host", format!("host-{host}").as_str())]);
    admit_sample(MetricDraft::new("m", host as f64).with_context(context).at(at), &times).unwrap()
}

fn append(store: &Store, samples: impl Iterator<Item = AdmittedSample>) {
    let samples: Vec<_> = samples.collect();
    for part in samples.chunks(1000) {
        store.append(&RecordBatch { samples: part.to_vec(), ..RecordBatch::default() }).unwrap();
    }
}

#[test]
fn more_series_than_the_budget_holds_seal_early_and_lose_nothing() {
    const SERIES: usize = 20_000;
    const ROUNDS: i64 = 5;
    let store = open(4 << 20);
    let mut most = 0;
    for round in 0..ROUNDS {
        append(&store, (0..SERIES).map(|host| sample(host, round)));
        most = most.max(store.stats().memory.heads.used_bytes);
    }
    let stats = store.stats();
    let memory = &stats.memory;
    assert!(memory.index.used_bytes > memory.index.limit_bytes, "{memory:?}");
    assert_eq!(
        memory.heads.limit_bytes,
        (4 << 20) / 16,
        "the index has taken from the heads' share: {memory:?}"
    );
    assert!(memory.block_cache.limit_bytes < (4 << 20) / 16 * 3, "and from the cache's: {memory:?}");
    // A call seals itself when they are at twice their share; it adds its own samples first.
    assert!(most < 3 * memory.heads.limit_bytes, "{most} {memory:?}");
    assert_eq!(stats.metrics_total, SERIES as u64 * ROUNDS as u64);
    assert_eq!(store.engine.registry.read().len(), SERIES);
    store.seal().unwrap();
    let memory = store.stats().memory;
    assert_eq!(memory.heads.used_bytes, 0, "{memory:?}");
    let partition = &store.engine.catalogue.all(crate::Class::Metrics)[0];
    let family = store.engine.database.find_family(&partition.family).unwrap();
    let mut sealed = 0;
    store
        .engine
        .database
        .each_row(&family, crate::chunks::FIRST_CHUNK_KEY, crate::chunks::LAST_CHUNK_KEY, &mut |_, value| {
            sealed += u64::from(crate::codec::ChunkHeader::read(value).unwrap().count);
        })
        .unwrap();
    assert_eq!(sealed, SERIES as u64 * ROUNDS as u64);
}

#[test]
fn the_largest_heads_are_sealed_first() {
    let store = open(16 << 20);
    // A megabyte for the heads once the index is at its share; here it is far below it.
    let long = FULL_HEAD - 1;
    let many = 300;
    append(&store, (0..many).flat_map(|host| (0..long as i64).map(move |second| sample(host, second))));
    append(&store, (many..2 * many).map(|host| sample(host, 1)));
    let lengths = |store: &Store| -> (usize, usize) {
        let series = store.engine.registry.read();
        let open = |from: usize, to: usize| {
            series.all().filter(|one| (from..to).contains(&one.head().len())).count()
        };
        (open(1, 2), open(long, long + 1))
    };
    assert_eq!(lengths(&store), (many, many));
    assert!(store.engine.heads_over_budget(), "{:?}", store.stats().memory);
    store.maintain().unwrap();
    let (short, full) = lengths(&store);
    assert_eq!(short, many, "the short ones stay");
    assert!(full < many, "long ones are gone: {full}");
    assert!(!store.engine.heads_over_budget());
}

#[test]
fn each_share_is_counted_by_name() {
    let store = open(64 << 20);
    append(&store, (0..2000).map(|host| sample(host, 1)));
    let memory = store.stats().memory;
    let heads = memory.heads.used_bytes;
    assert!(heads >= 2000 * 16 && memory.active_series_bytes > 2000 * 200, "{memory:?}");
    assert!(memory.write_buffers.used_bytes > 0 && memory.postings_bytes > 0, "{memory:?}");
    let shares = [memory.heads, memory.write_buffers, memory.block_cache, memory.index, memory.chunk_cache];
    assert_eq!(memory.used_bytes, shares.iter().map(|share| share.used_bytes).sum::<u64>());
    assert_eq!(shares.iter().map(|share| share.limit_bytes).sum::<u64>(), memory.budget_bytes);
    store.seal().unwrap();
    assert_eq!(store.stats().memory.heads.used_bytes, 0);
    // Series that are let go of are no longer counted.
    store.engine.registry.evict(|_| true);
    assert_eq!(store.stats().memory.active_series_bytes, 0);
}

#[test]
fn heads_are_counted_after_replay() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let options = StoreOptions {
            background: false,
            min_free_bytes: 0,
            ..StoreOptions::in_directory(directory.path())
        };
        Store::open(options, Arc::new(ManualClock::at(noon()))).unwrap()
    };
    let store = open();
    append(&store, (0..10).flat_map(|host| (0..3).map(move |second| sample(host, second))));
    let before = store.stats().memory.heads;
    drop(store);
    let store = open();
    assert_eq!(store.stats().memory.heads, before);
    store.seal().unwrap();
    assert_eq!(store.stats().memory.heads.used_bytes, 0);
}
