//! Validators that see the same rows share a batch, whatever others see in between.
//!
//! What holds for events holds for samples: each chain judges both, of the same names in the same order.

use telemetry_core::limits::MAX_KEPT_BATCHES;

use super::*;
use crate::recording::validation::packed::tests::PACKINGS;

/// Everything.
const ALL: &[&str] = &[];

/// A validator that sees only events of these types, and metrics of these names.
fn of(names: &[&str], native: Native) -> Arc<Native> {
    Arc::new(Native { subscription: to(names), ..native })
}

fn quiet(names: &[&str]) -> Arc<Native> {
    of(names, Native::new())
}

/// It rewrites the first event, or the first series, of a batch.
fn rewriting(names: &[&str]) -> Arc<Native> {
    let event = || EventRewrite { row: 0, data: Some(object("new")), extra: None };
    let series = || SeriesRewrite { series: 0, context: Context::from_labels([("a", "new")]) };
    let native = Native {
        events: Box::new(move |_, _| Ok(EventVerdict { issues: vec![], rewrites: vec![event()] })),
        samples: Box::new(move |_, _| Ok(SampleVerdict { issues: vec![], rewrites: vec![series()] })),
        ..Native::new()
    };
    of(names, native)
}

/// It refuses a row of each batch.
fn refusing(names: &[&str], row: usize) -> Arc<Native> {
    let native = Native {
        events: Box::new(move |_, _| Ok(EventVerdict { issues: vec![issue(row)], rewrites: vec![] })),
        samples: Box::new(move |_, _| Ok(SampleVerdict { issues: vec![issue(row)], rewrites: vec![] })),
        ..Native::new()
    };
    of(names, native)
}

fn failing(names: &[&str]) -> Arc<Native> {
    let native = Native {
        events: Box::new(|_, _| Err(failure())),
        samples: Box::new(|_, _| Err(failure())),
        ..Native::new()
    };
    of(names, native)
}

/// How often was packed while events of these types were judged, and while samples of these metrics were.
fn packings(names: &[&str], validators: &[&Arc<Native>], on_failure: OnFailure) -> [usize; 2] {
    let events = events(names.iter().map(|name| EventDraft::new(*name, "s")));
    let samples = samples(names.iter().map(|name| MetricDraft::new(*name, 1.0)));
    PACKINGS.set(0);
    Bench::new().judge_events(validators, on_failure, events);
    let of_events = PACKINGS.take();
    Bench::new().judge_samples(validators, on_failure, samples);
    [of_events, PACKINGS.take()]
}

#[test]
fn what_all_want_is_packed_once_though_others_want_less_in_between() {
    let names = ["a", "b", "a", "c"];
    let (first, some, last) = (quiet(ALL), quiet(&["a"]), quiet(ALL));
    assert_eq!(packings(&names, &[&first, &some, &last], OnFailure::Reject), [2, 2]);
    assert_eq!((first.rows(), some.rows(), last.rows()), (vec![4, 4], vec![2, 2], vec![4, 4]));
    // With the batch they share what is found in its events.
    let (first, last) = (first.texts.lock().unwrap(), last.texts.lock().unwrap());
    assert!(Arc::ptr_eq(&first[0], &last[0]));
}

#[test]
fn batches_of_some_are_shared_as_well() {
    let all = [quiet(ALL), quiet(&["a"]), quiet(&["b", "c"]), quiet(ALL), quiet(&["a"]), quiet(&["c", "b"])];
    let validators: Vec<_> = all.iter().collect();
    assert_eq!(packings(&["a", "b", "a", "c"], &validators, OnFailure::Reject), [3, 3]);
}

#[test]
fn nothing_is_packed_that_nobody_wants() {
    let names = ["a", "b"];
    assert_eq!(packings(&names, &[&quiet(&["c"])], OnFailure::Reject), [0, 0]);
    let nothing = Arc::new(Native { subscription: Subscription::default(), ..Native::new() });
    assert_eq!(packings(&names, &[&nothing, &nothing], OnFailure::Reject), [0, 0]);
    // What nobody wants together is not packed together either.
    assert_eq!(packings(&names, &[&quiet(&["a"]), &quiet(&["b"])], OnFailure::Reject), [2, 2]);
}

#[test]
fn what_was_rewritten_is_packed_anew_and_the_rest_is_not() {
    let native = Native {
        events: Box::new(|_, batch| {
            let data: Vec<_> = batch.rows().map(|row| row.data).collect();
            assert_eq!(data, [r#"{"a":"new"}"#, "{}", "{}"]);
            Ok(EventVerdict::default())
        }),
        samples: Box::new(|_, batch| {
            let contexts: Vec<_> = batch.rows().map(|row| row.context).collect();
            assert_eq!(contexts, [r#"{"a":"new"}"#, "{}", r#"{"a":"new"}"#]);
            Ok(SampleVerdict::default())
        }),
        ..Native::new()
    };
    let (old, others, new) = (quiet(ALL), quiet(&["b"]), of(ALL, native));
    let rewriting = rewriting(&["a"]);
    let validators = [&old, &others, &rewriting, &others, &new, &new];
    // All, those of b, those of a; then all once more.
    assert_eq!(packings(&["a", "b", "a"], &validators, OnFailure::Reject), [4, 4]);
    assert_eq!((others.rows(), new.rows()), (vec![1, 1, 1, 1], vec![3, 3, 3, 3]));
}

#[test]
fn batches_with_refused_rows_are_packed_without_them() {
    let (first, refusing, rest) = (quiet(ALL), refusing(ALL, 1), quiet(ALL));
    let validators = [&first, &refusing, &rest, &rest];
    assert_eq!(packings(&["a", "b", "a"], &validators, OnFailure::Reject), [2, 2]);
    assert_eq!((refusing.rows(), rest.rows()), (vec![3, 3], vec![2, 2, 2, 2]));
}

#[test]
fn what_could_not_be_judged_is_shared_where_it_passes() {
    let (failing, next) = (failing(ALL), quiet(ALL));
    assert_eq!(packings(&["a", "b"], &[&failing, &next], OnFailure::Accept), [1, 1]);
    assert_eq!(next.rows(), [2, 2]);
    assert_eq!(packings(&["a", "b"], &[&failing, &next], OnFailure::Reject), [1, 1]);
    assert_eq!(next.rows(), [2, 2], "nothing came to it");
}

#[test]
fn all_judge_a_part_of_the_samples_before_any_judges_the_next() {
    let (first, second) = (quiet(ALL), quiet(ALL));
    // More parts than are kept.
    let parts = MAX_KEPT_BATCHES + 1;
    let records = many_samples(parts * MAX_VALIDATOR_ROWS);
    PACKINGS.set(0);
    Bench::new().judge_samples(&[&first, &second], OnFailure::Reject, records);
    assert_eq!(PACKINGS.take(), parts);
    assert_eq!(first.rows(), vec![MAX_VALIDATOR_ROWS; parts]);
    assert_eq!(second.rows(), first.rows());
}

#[test]
fn series_that_a_validator_made_large_are_judged_in_parts_by_the_next() {
    const SERIES: usize = 600;
    let long = "x".repeat(8_000);
    let enlarging = Native::of_samples(move |_, batch| {
        let rewrite = |series: u32| SeriesRewrite { series, context: numbered(series as usize, &long) };
        let count = u32::try_from(batch.series_count()).unwrap();
        Ok(SampleVerdict { issues: vec![], rewrites: (0..count).map(rewrite).collect() })
    });
    let (next, last) = (quiet(ALL), quiet(ALL));
    let draft = |series| MetricDraft::new("m", 1.0).with_context(numbered(series, ""));
    let records = samples((0..SERIES).map(draft));
    PACKINGS.set(0);
    let round = Bench::new().judge_samples(&[&enlarging, &next, &last], OnFailure::Reject, records);
    assert_eq!(PACKINGS.take(), 3);
    assert_eq!(enlarging.rows(), [SERIES]);
    assert_eq!((next.rows().len(), next.rows().iter().sum::<usize>()), (2, SERIES));
    assert_eq!(next.rows(), last.rows());
    assert!(round.records.iter().all(|sample| sample.series().context.as_str().len() > 8_000));
}
