//! Series in a real RocksDB against a plain list of them.

use std::sync::Arc;

use proptest::prelude::*;
use rocksdb::WriteBatch;
use serde_json::json;
use telemetry_core::{Context, LabelFilter, MetricSelection, SeriesKey};

use super::*;
use crate::database::{Database, Promise};
use crate::families::{Class, Partition};
use crate::options::StoreOptions;

const DAY: i64 = 86_400_000_000_000;
const MEMORY: u64 = 256 << 20;

fn database(days: i64) -> (Database, Vec<Arc<Partition>>) {
    let database = Database::open(&StoreOptions::in_memory(), &std::env::temp_dir()).unwrap().0;
    let partitions: Vec<_> =
        (0..days).map(|day| Arc::new(Partition::new(Class::Metrics, day * DAY, (day + 1) * DAY))).collect();
    partitions.iter().for_each(|partition| database.create_family(&partition.family).unwrap());
    (database, partitions)
}

fn key(name: &str, labels: &[(&str, &str)]) -> SeriesKey {
    SeriesKey { name: name.into(), context: Context::from_labels(labels.iter().copied()) }
}

fn define(index: &SeriesIndex, database: &Database, partition: &Partition, id: u32, key: &SeriesKey) {
    let mut batch = WriteBatch::new();
    let _uncommitted = index.define(database, &mut batch, partition, id, key, false).unwrap();
    database.commit(batch, Promise::Acknowledged).unwrap();
}

fn selection(names: Option<&[&str]>, filters: serde_json::Value) -> MetricSelection {
    MetricSelection {
        names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        filters: filters
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| LabelFilter::parse(key, value).unwrap())
            .collect(),
    }
}

/// What `selection` means, told by each series' own labels.
fn expected(series: &[(u32, SeriesKey)], selection: &MetricSelection) -> Vec<u32> {
    let means = |key: &SeriesKey| {
        selection.names.as_ref().is_none_or(|names| names.iter().any(|name| **name == *key.name))
            && selection
                .filters
                .iter()
                .all(|filter| filter.matches(key.context.label(&filter.key).as_deref()))
    };
    let mut ids: Vec<u32> = series.iter().filter(|(_, key)| means(key)).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn filters() -> impl Strategy<Value = serde_json::Value> {
    let value = prop::sample::select(vec!["a", "b", "c", "1"]);
    let plain = prop_oneof![
        value.clone().prop_map(|value| json!(value)),
        prop::collection::vec(value.clone(), 0..3).prop_map(|values| json!(values)),
        prop::sample::select(vec!["a|b", ".*", "[0-9]+", ""]).prop_map(|regex| json!({ "regex": regex })),
    ];
    let negated = plain.clone().prop_map(|inner| json!({ "not": inner }));
    let twice = plain.clone().prop_map(|inner| json!({ "not": { "not": inner } }));
    let filter = prop_oneof![plain, negated, twice];
    prop::collection::vec((prop::sample::select(vec!["host", "zone", "absent"]), filter), 0..3).prop_map(
        |filters| {
            filters
                .into_iter()
                .map(|(key, filter)| (key.to_owned(), filter))
                .collect::<serde_json::Map<_, _>>()
                .into()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is defined where, in whatever order it is checkpointed, reopened or let go: the same series are found.
    #[test]
    fn selections_mean_what_labels_say(
        steps in prop::collection::vec((0..3_usize, 0_u32..12, 0..10_u8), 1..40),
        filters in filters(),
        names in prop::option::of(prop::sample::select(vec!["cpu", "load", "none"])),
    ) {
        let (database, partitions) = database(3);
        let keys: Vec<SeriesKey> = (0..12_u32).map(|id| {
            let name = if id % 3 == 0 { "load" } else { "cpu" };
            let host = ["a", "b", "c", "1"][id as usize % 4];
            if id == 0 || id == 5 { key(name, &[]) } else { key(name, &[("host", host), ("zone", ["a", "b"][id as usize % 2]), ("n", &id.to_string())]) }
        }).collect();
        let mut index = SeriesIndex::new(MEMORY);
        let mut defined: Vec<Vec<(u32, SeriesKey)>> = vec![Vec::new(); 3];
        let names: Option<Vec<&str>> = names.map(|name| vec![name]);
        let selection = selection(names.as_deref(), filters);
        for (partition, id, action) in steps {
            match action {
                0 => { index.checkpoint(&database, &partitions, true).unwrap(); }
                1 => { index.checkpoint(&database, &partitions, false).unwrap(); }
                // A restart, without a word.
                2 => index = SeriesIndex::new(MEMORY),
                // No memory for postings at rest.
                3 => index = SeriesIndex::new(0),
                4 => { index.select(&database, &partitions, &selection).unwrap(); }
                _ => {
                    define(&index, &database, &partitions[partition], id, &keys[id as usize]);
                    defined[partition].push((id, keys[id as usize].clone()));
                }
            }
        }
        for first in 0..3 {
            let series: Vec<_> = defined[first..].concat();
            let found = index.select(&database, &partitions[first..], &selection).unwrap();
            let ids: Vec<u32> = found.iter().map(|series| series.id).collect();
            prop_assert_eq!(&ids, &expected(&series, &selection));
            prop_assert!(found.iter().all(|series| series.key == keys[series.id as usize]));
        }
        for (partition, series) in partitions.iter().zip(&defined) {
            for (id, key) in series {
                prop_assert_eq!(index.find(&database, partition, key, false).unwrap(), Some(*id));
                prop_assert_eq!(index.find(&database, partition, key, true).unwrap(), None);
                prop_assert_eq!(&index.lookup(&database, partition, *id).unwrap().unwrap().key, key);
            }
            let greatest = series.iter().map(|(id, _)| *id).max();
            prop_assert_eq!(index.greatest_id(&database, partition).unwrap(), greatest);
        }
    }
}

#[test]
fn overflow_series_are_others_than_plain_ones() {
    let (database, partitions) = database(1);
    let index = SeriesIndex::new(MEMORY);
    let plain = key("cpu", &[]);
    let mut batch = WriteBatch::new();
    let _first = index.define(&database, &mut batch, &partitions[0], 1, &plain, false).unwrap();
    let _second = index.define(&database, &mut batch, &partitions[0], 2, &plain, true).unwrap();
    database.commit(batch, Promise::Acknowledged).unwrap();
    let index = SeriesIndex::new(MEMORY);
    assert_eq!(index.find(&database, &partitions[0], &plain, false).unwrap(), Some(1));
    assert_eq!(index.find(&database, &partitions[0], &plain, true).unwrap(), Some(2));
    assert!(index.lookup(&database, &partitions[0], 2).unwrap().unwrap().overflow);
    assert_eq!(index.select(&database, &partitions, &MetricSelection::default()).unwrap().len(), 2);
}

#[test]
fn a_definition_that_was_never_committed_is_no_series() {
    let (database, partitions) = database(1);
    let index = SeriesIndex::new(MEMORY);
    drop(
        index.define(&database, &mut WriteBatch::new(), &partitions[0], 1, &key("cpu", &[]), false).unwrap(),
    );
    index.checkpoint(&database, &partitions, true).unwrap();
    let index = SeriesIndex::new(MEMORY);
    assert!(index.select(&database, &partitions, &MetricSelection::default()).unwrap().is_empty());
    assert_eq!(index.lookup(&database, &partitions[0], 1).unwrap(), None);
}

#[test]
fn checkpoints_wait_for_quiet_and_are_written_once() {
    let (database, partitions) = database(1);
    let index = SeriesIndex::new(MEMORY);
    let checkpoint = |index: &SeriesIndex, force| index.checkpoint(&database, &partitions, force).unwrap();
    define(&index, &database, &partitions[0], 1, &key("cpu", &[("host", "a")]));
    assert_eq!(checkpoint(&index, false), 0);
    assert_eq!(checkpoint(&index, false), 1);
    assert_eq!(checkpoint(&index, true), 0);
    // After a restart they are known to be complete; after an interrupted day they are completed.
    assert_eq!(checkpoint(&SeriesIndex::new(MEMORY), true), 0);
    define(&index, &database, &partitions[0], 2, &key("cpu", &[("host", "b")]));
    assert_eq!(checkpoint(&SeriesIndex::new(MEMORY), false), 1);
}

#[test]
fn damaged_postings_are_made_again_and_reported() {
    let (database, partitions) = database(1);
    let index = SeriesIndex::new(MEMORY);
    define(&index, &database, &partitions[0], 1, &key("cpu", &[("host", "a")]));
    define(&index, &database, &partitions[0], 2, &key("cpu", &[("host", "b")]));
    index.checkpoint(&database, &partitions, true).unwrap();
    let family = database.find_family(&partitions[0].family).unwrap();
    let mut batch = WriteBatch::new();
    batch.put_cf(&family, rows::label_key("host", "a"), b"\x01garbage");
    batch.put_cf(&family, rows::definition_key(9), b"\x01garbage");
    database.commit(batch, Promise::Derived).unwrap();
    let index = SeriesIndex::new(MEMORY);
    let found = index.select(&database, &partitions, &selection(None, json!({"host": "a"}))).unwrap();
    assert_eq!(found, [SeriesRef { id: 1, key: key("cpu", &[("host", "a")]), overflow: false }]);
    assert_eq!(database.reports().list().len(), 2, "{:?}", database.reports().list());
}

/// A list of all numbers of so many times 65,536, in the form that takes least room.
fn every_number(containers: u32) -> Vec<u8> {
    let mut payload = vec![1];
    payload.extend((12347 | (containers - 1) << 16).to_le_bytes());
    payload.extend((0..containers.div_ceil(8)).map(|_| 0xFF));
    (0..containers).for_each(|key| payload.extend((key | 0xFFFF_0000).to_le_bytes()));
    (0..containers).for_each(|_| payload.extend([0; 4]));
    (0..containers).for_each(|_| payload.extend([1, 0, 0, 0, 0xFF, 0xFF]));
    crate::envelope::wrap(1, &payload)
}

fn list(ids: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut postings = posting::Postings::default();
    ids.into_iter().for_each(|id| postings.insert(id));
    postings.encode()
}

#[test]
fn lists_that_name_what_cannot_be_are_damage() {
    let all = |list: &[u8]| {
        vec![(rows::COMPLETE_KEY.to_vec(), list.to_vec()), (rows::name_key("cpu"), list.to_vec())]
    };
    let label = |list: Vec<u8>| vec![(rows::label_key("host", "a"), list)];
    let cases = [
        ("some millions", "never given out", all(&every_number(40))),
        ("four billion", "never given out", all(&every_number(1 << 16))),
        ("one too great", "never given out", all(&list([1, 2, 3]))),
        ("twice named", "do not fit", vec![(rows::name_key("memory"), list([1, 2]))]),
        ("a label's, too great", "not the partition's", label(list([1, 3]))),
        ("a label's, too many", "not the partition's", label(list([0, 1, 2]))),
        ("a label's four billion", "not the partition's", label(every_number(1 << 16))),
    ];
    for (case, reason, forged) in cases {
        let (database, partitions) = database(1);
        let index = SeriesIndex::new(MEMORY);
        define(&index, &database, &partitions[0], 1, &key("cpu", &[("host", "a")]));
        define(&index, &database, &partitions[0], 2, &key("cpu", &[("host", "b")]));
        index.checkpoint(&database, &partitions, true).unwrap();
        let family = database.find_family(&partitions[0].family).unwrap();
        let mut batch = WriteBatch::new();
        forged.iter().for_each(|(key, value)| batch.put_cf(&family, key, value));
        database.commit(batch, Promise::Derived).unwrap();
        let index = SeriesIndex::new(MEMORY);
        let found = index.select(&database, &partitions, &MetricSelection::default()).unwrap();
        assert_eq!(found.iter().map(|series| series.id).collect::<Vec<_>>(), [1, 2], "{case}");
        assert_eq!(count(&database, &family).unwrap(), 2, "{case}");
        let reports = database.reports().list();
        assert!(reports.len() == 1 && reports[0].contains(reason), "{case}: {reports:?}");
    }
}

/// Every number was given out, and the lists may name them all; what has no definition is passed over.
#[test]
fn more_series_than_a_partition_has_room_for_are_damage() {
    let (database, partitions) = database(1);
    let index = SeriesIndex::new(MEMORY);
    for id in [7, 900, u32::MAX - 1] {
        define(&index, &database, &partitions[0], id, &key("cpu", &[]));
    }
    index.checkpoint(&database, &partitions, true).unwrap();
    let family = database.find_family(&partitions[0].family).unwrap();
    for (forged, reports) in [(list(0..1000), 0), (every_number((1 << 16) - 1), 1)] {
        let mut batch = WriteBatch::new();
        batch.put_cf(&family, rows::COMPLETE_KEY, &forged);
        batch.put_cf(&family, rows::name_key("cpu"), &forged);
        database.commit(batch, Promise::Derived).unwrap();
        let found =
            SeriesIndex::new(MEMORY).select(&database, &partitions, &MetricSelection::default()).unwrap();
        let ids: Vec<u32> = found.iter().map(|series| series.id).collect();
        let expected: &[u32] = if reports == 0 { &[7, 900] } else { &[7, 900, u32::MAX - 1] };
        assert_eq!(ids, expected);
        assert_eq!(database.reports().list().len(), reports, "{:?}", database.reports().list());
    }
}

#[test]
fn a_dropped_partition_has_no_series() {
    let (database, partitions) = database(2);
    let index = SeriesIndex::new(MEMORY);
    define(&index, &database, &partitions[0], 1, &key("old", &[]));
    define(&index, &database, &partitions[1], 2, &key("new", &[]));
    assert_eq!(index.metric_names(&database, &partitions).unwrap(), ["new".into(), "old".into()]);
    database.drop_family(&partitions[0].family).unwrap();
    index.forget(&partitions[0]);
    assert_eq!(index.metric_names(&database, &partitions).unwrap(), ["new".into()]);
    assert_eq!(index.select(&database, &partitions, &MetricSelection::default()).unwrap().len(), 1);
}

#[test]
fn postings_at_rest_are_let_go() {
    let (database, partitions) = database(3);
    let index = SeriesIndex::new(0);
    for (id, partition) in (1..).zip(&partitions) {
        define(&index, &database, partition, id, &key("cpu", &[("host", "a")]));
    }
    let all = MetricSelection::default();
    assert_eq!(index.select(&database, &partitions, &all).unwrap().len(), 3);
    assert!(index.bytes() > 0, "what is not saved stays");
    index.checkpoint(&database, &partitions, true).unwrap();
    assert_eq!(index.select(&database, &partitions, &all).unwrap().len(), 3);
    assert_eq!(index.bytes(), 0);
}

fn host(id: u32) -> SeriesKey {
    key("cpu", &[("host", &id.to_string())])
}

/// After a restart in the middle of a partition's time, nobody has asked for its series yet.
#[test]
fn what_waits_for_postings_is_counted_and_loaded_by_maintenance() {
    const MANY: u32 = index::waiting::MAX_WAITING as u32;
    const SERIES: u32 = MANY + 10;
    let (database, partitions) = database(1);
    let partition = &partitions[0];
    define(&SeriesIndex::new(MEMORY), &database, partition, 1, &host(1));
    let index = SeriesIndex::new(MEMORY);
    let is_loaded = || index.slot(partition).postings.read().is_some();
    define(&index, &database, partition, 2, &host(2));
    let one = index.bytes();
    assert!(one >= host(2).context.as_str().len() && !is_loaded(), "{one} bytes");
    define(&index, &database, partition, 3, &host(3));
    assert_eq!(index.bytes(), 2 * one);
    for id in 4..=SERIES {
        assert_eq!(index.wants_loading(), id > MANY + 1, "before series {id}");
        define(&index, &database, partition, id, &host(id));
        assert!(!is_loaded(), "the call that defines series {id} does not");
    }
    index.load_wanted(&database, &partitions).unwrap();
    assert!(is_loaded() && !index.wants_loading());
    let postings = index.slot(partition).postings.read().as_ref().unwrap().bytes;
    assert_eq!(index.bytes(), postings, "nothing waits any more");
    let found = index.select(&database, &partitions, &MetricSelection::default()).unwrap();
    assert!(found.iter().map(|series| series.id).eq(1..=SERIES));
    assert_eq!(database.reports().list(), Vec::<String>::new());
}

#[test]
fn what_waits_for_postings_is_bounded_though_nobody_maintains() {
    const BOUND: u32 = (index::waiting::MAX_WAITING * index::waiting::FAR_TOO_MANY) as u32;
    let (database, partitions) = database(1);
    let partition = &partitions[0];
    define(&SeriesIndex::new(MEMORY), &database, partition, 1, &host(1));
    let index = SeriesIndex::new(MEMORY);
    let mut batch = WriteBatch::new();
    for id in 2..=BOUND + 1 {
        assert!(index.slot(partition).postings.read().is_none(), "before series {id}");
        drop(index.define(&database, &mut batch, partition, id, &host(id), false).unwrap());
    }
    assert!(index.slot(partition).postings.read().is_some());
    database.commit(batch, Promise::Acknowledged).unwrap();
    let found = index.select(&database, &partitions, &MetricSelection::default()).unwrap();
    assert!(found.iter().map(|series| series.id).eq(1..=BOUND + 1));
}

#[test]
fn what_is_not_committed_yet_is_not_forgotten() {
    let (database, partitions) = database(1);
    let (index, partition) = (SeriesIndex::new(0), &partitions[0]);
    let mut batch = WriteBatch::new();
    let slow = index.define(&database, &mut batch, partition, 1, &key("slow", &[]), false).unwrap();
    // Meanwhile everything is written, nothing may stay in memory, and another series comes.
    index.checkpoint(&database, &partitions, true).unwrap();
    index.select(&database, &partitions, &MetricSelection::default()).unwrap();
    define(&index, &database, partition, 2, &key("fast", &[]));
    index.checkpoint(&database, &partitions, true).unwrap();
    database.commit(batch, Promise::Acknowledged).unwrap();
    drop(slow);
    for index in [&index, &SeriesIndex::new(MEMORY)] {
        let found = index.select(&database, &partitions, &MetricSelection::default()).unwrap();
        assert_eq!(found.iter().map(|series| series.id).collect::<Vec<_>>(), [1, 2]);
    }
    assert!(index.slot(partition).postings.read().is_none(), "now it can be loaded again");
}

/// Each round begins with a partition that nobody has touched: its postings are made by whoever comes first.
#[test]
fn defining_and_selecting_at_once_loses_nothing() {
    let (database, partitions) = database(30);
    let index = SeriesIndex::new(0);
    for round in 0..partitions.len() {
        let partitions = &partitions[round..=round];
        let start = std::sync::Barrier::new(5);
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let (index, database, start) = (&index, &database, &start);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..10 {
                        let id = thread * 1000 + n;
                        define(index, database, &partitions[0], id, &key("cpu", &[("n", &id.to_string())]));
                    }
                });
            }
            start.wait();
            for _ in 0..5 {
                index.select(&database, partitions, &MetricSelection::default()).unwrap();
                index.checkpoint(&database, partitions, true).unwrap();
            }
        });
        index.checkpoint(&database, partitions, true).unwrap();
        for index in [&index, &SeriesIndex::new(MEMORY)] {
            let found = index.select(&database, partitions, &MetricSelection::default()).unwrap();
            assert_eq!(found.len(), 40, "round {round}");
        }
    }
}
