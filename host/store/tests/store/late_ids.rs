//! The ids of samples that do not come in the order of their times: counted among those of the same series and time.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use telemetry_core::id::sample_location;
use telemetry_core::{AdmittedSample, Timestamp};
use telemetry_store::StoredRecord;

use crate::fixture::*;

/// How many samples each metric has at each time.
type Counts = HashMap<(String, Timestamp), u16>;

/// Stores the samples in one call; each id tells how many there were of its metric and time.
fn append(fixture: &Fixture, counts: &mut Counts, samples: Vec<AdmittedSample>) -> Vec<uuid::Uuid> {
    let appended = fixture.samples(samples.clone());
    assert_eq!(appended.sample_ids.len(), samples.len());
    for (place, (sample, id)) in samples.iter().zip(&appended.sample_ids).enumerate() {
        let location = sample_location(*id, fixture.store.event_ids().tag()).unwrap();
        assert_eq!(location.timestamp, sample.timestamp());
        let count = counts.entry((sample.series().name.to_string(), sample.timestamp())).or_default();
        assert_eq!(location.ordinal, *count, "sample {place} of the call");
        *count += 1;
    }
    appended.sample_ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Calls with samples of few times in any order, of one day or of several, sealed in between or not.
    #[test]
    fn ids_count_the_samples_of_a_time(
        step in prop_oneof![Just(SECOND), Just(HOUR * 5)],
        calls in prop::collection::vec((prop::collection::vec((0..3_u8, 0..12_u32), 1..150), any::<bool>()), 1..8),
    ) {
        let fixture = Fixture::in_memory();
        let mut counts = Counts::new();
        for (call, seals) in calls {
            let samples = call.iter().map(|(metric, place)| {
                sample(&format!("m{metric}"), noon().plus(step * *place), f64::from(*place))
            });
            append(&fixture, &mut counts, samples.collect());
            if seals {
                fixture.store.seal().unwrap();
            }
        }
    }
}

#[test]
fn a_hundred_thousand_samples_backwards_are_found_by_their_ids() {
    const SAMPLES: u32 = 100_000;
    let fixture = Fixture::in_memory();
    let mut counts = Counts::new();
    // Each time thrice, from the last to the first.
    let backwards = |n: u32| sample("m", noon().plus(SECOND * ((SAMPLES - n) / 3)), f64::from(n));
    let ids = append(&fixture, &mut counts, (0..SAMPLES).map(backwards).collect());
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    for (n, id) in ids.iter().enumerate().step_by(997) {
        let Some(StoredRecord::Sample(found)) = fixture.store.find(*id).unwrap() else {
            panic!("sample {n} is gone")
        };
        assert_eq!(found.value.as_f64(), Some(n as f64));
    }
    // Then some of the same times once more, which chunks hold now.
    append(&fixture, &mut counts, (0..300).map(backwards).collect());
}

#[test]
fn ids_stay_right_while_somebody_seals() {
    const CALLS: u32 = 40;
    const SAMPLES: u32 = 500;
    let fixture = Fixture::in_memory();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fixture.store.seal().unwrap();
            }
        });
        let writing = scope.spawn(|| {
            let mut counts = Counts::new();
            for call in 0..CALLS {
                // In no order, and each time about as often.
                let second = |n: u32| (call * 31 + n * 77) % 300;
                let samples = (0..SAMPLES)
                    .map(|n| sample(&format!("m{}", n % 3), noon().plus(SECOND * second(n)), f64::from(n)));
                append(&fixture, &mut counts, samples.collect());
            }
        });
        let written = writing.join();
        done.store(true, Ordering::Relaxed);
        sealing.join().unwrap();
        written.unwrap();
    });
}

#[test]
fn late_samples_among_sealed_ones_of_several_days_are_found_by_their_ids() {
    let fixture = Fixture::in_memory();
    let mut counts = Counts::new();
    let call = |steps: std::ops::Range<u32>| -> Vec<AdmittedSample> {
        steps
            .flat_map(|n| (0..3).map(move |day| (n, day)))
            .map(|(n, day)| {
                let at = noon().plus(DAY * day + SECOND * (n / 2));
                sample(&format!("m{}", n % 2), at, f64::from(n))
            })
            .collect()
    };
    append(&fixture, &mut counts, call(0..2000));
    fixture.store.seal().unwrap();
    append(&fixture, &mut counts, call(500..1000));
    fixture.store.seal().unwrap();
    append(&fixture, &mut counts, call(900..1100));
    let ids = append(&fixture, &mut counts, call(0..2000));
    for (sample, id) in call(0..2000).iter().zip(&ids).step_by(101) {
        let Some(StoredRecord::Sample(found)) = fixture.store.find(*id).unwrap() else {
            panic!("{sample:?} is gone")
        };
        assert_eq!((found.timestamp, &found.value), (sample.timestamp(), sample.value()));
    }
}
