//! The log, as monitors read it.

use std::collections::BTreeMap;

use telemetry_store::LogBody;

use super::world::World;

/// A record as the log shows it.
#[derive(Clone, Debug, PartialEq)]
enum Shown {
    /// Time and the value's bits; those of NaN for a text.
    Sample(i64, u64),
    Event(String),
    Tick(i64),
}

pub fn check(world: &World) {
    let store = &world.fixture.store;
    let first = store.stats().trimmed_sequence + 1;
    let mut shown = BTreeMap::new();
    let mut gaps = Vec::new();
    let mut next = first;
    loop {
        let entries = store.read_log(next, 17).unwrap();
        let Some(last) = entries.last() else { break };
        assert_eq!(entries[0].first_sequence, next);
        for entry in &entries {
            match &entry.body {
                LogBody::Samples(batch) => {
                    let rows = batch.rows().map(|row| Shown::Sample(row.timestamp, row.value.to_bits()));
                    shown.extend((batch.first_sequence..).zip(rows));
                }
                LogBody::Events(batch) => {
                    let rows = batch.rows().map(|row| Shown::Event(row.id.to_owned()));
                    shown.extend((batch.first_sequence..).zip(rows));
                }
                LogBody::Tick(time) => drop(shown.insert(entry.first_sequence, Shown::Tick(time.nanos()))),
                LogBody::Gap => gaps.push(entry.first_sequence..entry.next_sequence),
                other => panic!("{other:?}"),
            }
        }
        next = last.next_sequence;
    }
    assert_eq!(next, world.last_sequence + 1);
    let wanted = wanted(world);
    for (sequence, record) in wanted.range(first..) {
        let in_gap = gaps.iter().any(|gap| gap.contains(sequence));
        let (expected, expired) = record;
        match shown.remove(sequence) {
            Some(found) => assert_eq!(&found, expected, "{sequence}"),
            // Of what expired, there may be a gap.
            None => assert!(*expired && in_gap, "{sequence} {record:?}"),
        }
    }
    assert_eq!(shown, BTreeMap::new());
}

/// Everything by its sequence number, with whether it expired.
fn wanted(world: &World) -> BTreeMap<u64, (Shown, bool)> {
    let ticks = world.ticks.iter().map(|(sequence, time)| (*sequence, (Shown::Tick(*time), false)));
    let samples = world.all_samples.iter().map(|sample| {
        let value = sample.value.as_f64().unwrap_or(f64::NAN);
        (sample.sequence, (Shown::Sample(sample.time, value.to_bits()), sample.expired))
    });
    let events = world
        .all_events
        .iter()
        .map(|event| (event.sequence, (Shown::Event(event.id.to_string()), event.expired)));
    ticks.chain(samples).chain(events).collect()
}
