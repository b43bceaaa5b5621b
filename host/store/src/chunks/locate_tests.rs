//! Many times at once against one after the other.

use std::sync::Arc;

use proptest::prelude::*;
use rocksdb::WriteBatch;
use telemetry_core::{ManualClock, Timestamp};

use super::*;
use crate::chunks::row::{FIRST_CHUNK_KEY, LAST_CHUNK_KEY};
use crate::codec::Effort;
use crate::database::Promise;
use crate::families::Class;
use crate::{Store, StoreOptions};

/// A series, the seconds after noon of a chunk's samples, and whether its header or its blocks are damaged.
type Chunk = (u32, Vec<i64>, Option<bool>);

struct Chunks {
    store: Store,
    partition: Arc<Partition>,
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn at(second: i64) -> i64 {
    noon().nanos() + second * 1_000_000_000
}

impl Chunks {
    fn of(chunks: &[Chunk]) -> Self {
        let options = StoreOptions { background: false, ..StoreOptions::in_memory() };
        let store = Store::open(options, Arc::new(ManualClock::at(noon()))).unwrap();
        let database = &store.engine.database;
        let partition = store.engine.catalogue.ensure(database, Class::Metrics, noon().nanos()).unwrap();
        let mut batch = WriteBatch::new();
        let family = database.find_family(&partition.family).unwrap();
        for ((series, seconds, damage), generation) in chunks.iter().zip(0_u16..) {
            let mut times: Vec<i64> = seconds.iter().map(|second| at(*second)).collect();
            times.sort_unstable();
            let values = ValueColumn::Integer(times.clone());
            let mut value = codec::encode(&times, &values, Effort::Seal, 7).unwrap();
            if let Some(in_header) = damage {
                let place = if *in_header { 3 } else { value.len() - 1 };
                value[place] ^= 0x10;
            }
            let key = ChunkKey { series: *series, first_time: times[0], generation };
            batch.put_cf(&family, key.encode(), value);
        }
        database.commit(batch, Promise::Derived).unwrap();
        drop(family);
        Self { store, partition }
    }

    fn rows(&self) -> Rows<'_> {
        let database = &self.store.engine.database;
        let family = database.find_family(&self.partition.family).unwrap();
        database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec())
    }

    fn at_once(&self, series: u32, times: &[i64]) -> SealedAt {
        sealed_at(&self.store.engine.database, Some(self.rows()), &self.partition, series, times).unwrap()
    }

    /// The lookup of a single time, as plain as can be, and whether all was read.
    fn alone(&self, series: u32, nanos: i64) -> (usize, Vacancy, bool) {
        let (mut count, mut all_read) = (0, true);
        let mut vacancy = Vacancy { after: self.partition.start - 1, before: self.partition.end };
        let mut rows = self.rows();
        let mut times = Vec::new();
        rows.seek(&ChunkKey::first_of(series).encode());
        while let Some((key, value)) = chunk_at(&rows, series, i64::MAX) {
            if key.first_time > nanos {
                vacancy.before = vacancy.before.min(key.first_time);
                break;
            }
            match ChunkHeader::read(value) {
                Ok(header) if header.last_time < nanos => times = vec![header.last_time],
                Ok(_) if codec::decode_times(value, &mut times).is_ok() => {}
                _ => {
                    all_read = false;
                    times.clear();
                }
            }
            count += times.iter().filter(|time| **time == nanos).count();
            let before = times.iter().copied().filter(|time| *time < nanos).max();
            let after = times.iter().copied().filter(|time| *time > nanos).min();
            vacancy.after = vacancy.after.max(before.unwrap_or(i64::MIN));
            vacancy.before = vacancy.before.min(after.unwrap_or(i64::MAX));
            rows.forward();
        }
        (count, if count == 0 { vacancy } else { Vacancy::UNKNOWN }, all_read)
    }
}

fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
    let damage = prop_oneof![9 => Just(None::<bool>), 1 => any::<bool>().prop_map(Some)];
    let seconds = prop::collection::vec(0..40_i64, 1..30);
    prop::collection::vec((0..3_u32, seconds, damage), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Chunks that overlap or not, with equal times, some of them damaged.
    #[test]
    fn many_times_at_once_count_as_one_by_one(
        chunks in chunks(),
        wanted in prop::collection::btree_set(-2..45_i64, 1..30),
    ) {
        let held = Chunks::of(&chunks);
        let times: Vec<i64> = wanted.into_iter().map(at).collect();
        let last = times[times.len() - 1];
        // The last series has no chunk.
        for series in 0..4 {
            let found = held.at_once(series, &times);
            let counts: Vec<usize> = times.iter().map(|time| held.alone(series, *time).0).collect();
            prop_assert_eq!(&found.counts, &counts);
            let own = || chunks.iter().filter(move |(of, ..)| *of == series);
            prop_assert!(found.decoded <= own().count());
            let (_, vacancy, all_read) = held.alone(series, last);
            if found.all_read {
                prop_assert!(all_read);
                prop_assert_eq!(found.vacancy, vacancy);
            } else {
                // What ends before the last time may have turned out to be damaged for the sake of others.
                prop_assert!(own().any(|(.., damage)| damage.is_some()));
                let is_no_less = found.vacancy.after <= vacancy.after && vacancy.before <= found.vacancy.before;
                prop_assert!(is_no_less, "{:?} {:?}", found.vacancy, vacancy);
            }
            // One time is the same, damage and all.
            for time in &times {
                let (count, vacancy, all_read) = held.alone(series, *time);
                let found = held.at_once(series, &[*time]);
                let told = (found.counts, found.vacancy, found.all_read);
                prop_assert_eq!(told, (vec![count], vacancy, all_read));
            }
        }
    }
}

#[test]
fn a_chunk_is_decoded_once_or_not_at_all() {
    let seconds = |n: i64| (0..1000).map(|second| n * 2000 + second).collect();
    let chunks: Vec<Chunk> = (0..8).map(|n| (1, seconds(n), None)).collect();
    let held = Chunks::of(&chunks);
    let all: Vec<i64> = (0..16_000).map(at).collect();
    let found = held.at_once(1, &all);
    assert_eq!((found.decoded, found.counts.iter().sum::<usize>()), (8, 8000));
    let between = held.at_once(1, &[at(1500), at(3500)]);
    assert_eq!((between.decoded, between.counts), (0, vec![0, 0]));
    assert_eq!(between.vacancy, Vacancy { after: at(2999), before: at(4000) });
    assert_eq!(held.at_once(1, &[at(-1), at(2000), at(3500), at(16_000)]).decoded, 1);
    assert!(held.at_once(1, &[]).counts.is_empty());
}

#[test]
fn nothing_is_known_of_a_partition_that_is_gone() {
    let held = Chunks::of(&[]);
    let database = &held.store.engine.database;
    let found = sealed_at(database, None, &held.partition, 1, &[at(0), at(1)]).unwrap();
    assert_eq!((found.counts, found.vacancy), (vec![0, 0], Vacancy::UNKNOWN));
}
