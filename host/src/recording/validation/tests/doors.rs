//! Validators that are left alone for a while are not asked.

use super::*;

const SHUT: Duration = Duration::from_secs(1);

/// Refuses all that it is asked.
fn strict() -> Native {
    Native {
        events: Box::new(|_, batch| {
            Ok(EventVerdict { issues: (0..batch.len()).map(issue).collect(), rewrites: vec![] })
        }),
        samples: Box::new(|_, batch| {
            Ok(SampleVerdict { issues: (0..batch.len()).map(issue).collect(), rewrites: vec![] })
        }),
        ..Native::new()
    }
}

#[test]
fn records_pass_one_that_is_shut_and_are_counted() {
    let (bench, shut, open) = (Bench::new(), Arc::new(strict()), Arc::new(Native::new()));
    shut.door.shut_until(bench.clock.monotonic() + SHUT);
    let both = [&shut, &open];
    let events = || many_events(3);
    assert!(refused(&bench.judge_events(&both, OnFailure::Accept, events())).is_empty());
    assert!(refused(&bench.judge_samples(&both, OnFailure::Accept, many_samples(2))).is_empty());
    assert_eq!((shut.rows(), open.rows()), (vec![], vec![3, 2]));
    assert_eq!(bench.counters.snapshot().unvalidated_records, 5);
    assert_eq!((shut.door.turned_away(), open.door.turned_away()), (2, 0));
    // It is tried when its time is over, and opened when it answers again.
    bench.clock.advance(SHUT);
    assert_eq!(refused(&bench.judge_events(&both, OnFailure::Accept, events())), [0, 1, 2]);
    assert_eq!((shut.rows(), shut.door.turned_away()), (vec![3], 2));
}

#[test]
fn one_that_must_judge_is_asked_all_the_same() {
    let (bench, shut) = (Bench::new(), Arc::new(strict()));
    shut.door.shut_until(bench.clock.monotonic() + SHUT);
    assert_eq!(refused(&bench.judge_events(&[&shut], OnFailure::Reject, many_events(2))), [0, 1]);
    assert_eq!((bench.counters.snapshot().unvalidated_records, shut.door.turned_away()), (0, 0));
}

#[test]
fn what_nobody_wants_to_judge_does_not_count() {
    let bench = Bench::new();
    let shut = Arc::new(Native { subscription: to(&["other"]), ..strict() });
    shut.door.shut_until(bench.clock.monotonic() + SHUT);
    bench.judge_events(&[&shut], OnFailure::Accept, many_events(2));
    assert_eq!((bench.counters.snapshot().unvalidated_records, shut.door.turned_away()), (0, 0));
}
