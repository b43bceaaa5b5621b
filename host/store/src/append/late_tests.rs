//! Counting against looking.

use proptest::prelude::*;

use super::*;

/// What a call does: a sample of a series at a time, and how many samples leave a buffer before it.
type Step = (u32, i64, Option<usize>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cut = prop_oneof![9 => Just(None::<usize>), 1 => (0..6_usize).prop_map(Some)];
    prop::collection::vec((0..3_u32, 0..12_i64, cut), 1..300)
}

proptest! {
    /// Whatever is in the buffers before, whatever leaves them meanwhile: the counts are those of looking at each sample.
    #[test]
    fn counts_are_those_of_looking(
        before in prop::collection::vec((0..3_usize, 0..12_i64), 0..60),
        steps in steps(),
    ) {
        let mut buffers: Vec<(Vec<i64>, u32)> = vec![Default::default(); 3];
        for (series, time) in before {
            buffers[series].0.push(time);
        }
        let mut late = LateTimes::of(steps.iter().map(|(series, time, _)| (*series, *time)));
        for (series, time, cut) in &steps {
            let (times, cuts) = &mut buffers[*series as usize];
            if let Some(count) = cut {
                times.drain(..(*count).min(times.len()));
                *cuts += 1;
            }
            // What is not before the newest time needs no look.
            if times.iter().max().is_some_and(|newest| time < newest) {
                prop_assert_eq!(late.count(*series, (&times[..], *cuts), *time), look(times, *time));
            }
            times.push(*time);
            late.pushed(*series, *cuts, *time);
        }
    }
}

#[test]
fn a_buffer_is_looked_at_a_few_times_and_counted_once() {
    const SAMPLES: i64 = 100_000;
    // Backwards, each time twice.
    let time_of = |n: i64| (SAMPLES - n) / 2;
    let mut late = LateTimes::of((0..SAMPLES).map(|n| (7, time_of(n))));
    let mut times = vec![SAMPLES];
    let mut examined = 0;
    for n in 0..SAMPLES {
        let before = usize::from(n > 0 && time_of(n - 1) == time_of(n));
        // Once it is counted, it is no longer needed: an empty one will do.
        let shown: &[i64] = if n <= i64::from(LOOKS) { &times } else { &[] };
        examined += shown.len();
        assert_eq!(late.count(7, (shown, 0), time_of(n)), before, "sample {n}");
        times.push(time_of(n));
        late.pushed(7, 0, time_of(n));
    }
    assert!(examined <= 1000, "{examined} times were examined");
}

#[test]
fn what_the_call_does_not_have_is_not_kept() {
    let mut late = LateTimes::of([(1, 5), (1, 6)].into_iter());
    let times: Vec<i64> = (0..1000).collect();
    for _ in 0..=LOOKS {
        assert_eq!(late.count(1, (&times[..], 0), 5), 1);
    }
    assert_eq!(late.counts.len(), 2);
    assert_eq!(late.count(1, (&times[..], 0), 77), 1, "it is looked for all the same");
}
