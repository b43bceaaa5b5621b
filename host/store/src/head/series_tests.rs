//! What is visible of a head, and what a failed batch leaves.

use super::*;

fn head() -> SeriesHead {
    SeriesHead { vacancy: Vacancy::ALL, ..SeriesHead::default() }
}

/// The times that are visible when everything up to `published` is.
fn visible(head: &SeriesHead, published: u64) -> Vec<i64> {
    let (samples, sequence) = head.copy_visible(&Ledger::after(published));
    assert_eq!(sequence, published);
    samples.times
}

/// How many samples at a time came before the next one, as appending counts them for a call with one sample.
fn ordinal(head: &SeriesHead, nanos: i64) -> Option<usize> {
    let look = || head.buffer().0.iter().filter(|time| **time == nanos).count();
    Some(head.sealed_at(nanos)? + head.buffered_at(nanos).unwrap_or_else(look))
}

#[test]
fn samples_become_visible_in_order() {
    let mut head = head();
    head.push(10, &1.into(), 1, 2, 0);
    head.push(11, &2.into(), 2, 2, 0);
    head.push(12, &3.into(), 3, 3, 0);
    assert!(visible(&head, 0).is_empty());
    assert_eq!(visible(&head, 2), [10, 11]);
    assert_eq!(visible(&head, 3), [10, 11, 12]);
    assert_eq!(head.first_sequence(), Some(1));
}

#[test]
fn a_failed_batch_is_taken_back_from_the_middle() {
    let mut head = head();
    head.push(10, &1.into(), 1, 1, 0);
    head.push(20, &2.into(), 2, 3, 0);
    head.push(21, &2.5.into(), 3, 3, 0);
    head.push(15, &3.into(), 4, 4, 0);
    head.retract(3);
    let (left, _) = head.copy_visible(&Ledger::after(4));
    assert_eq!(left.times, [10, 15]);
    assert_eq!(left.values.get(1), Some(MetricValue::Integer(3)));
    assert_eq!(ordinal(&head, 20), Some(0));
    assert_eq!(ordinal(&head, 15), Some(1));
}

#[test]
fn ordinals_count_equal_times() {
    let mut head = head();
    for (sequence, time) in [(1, 10), (2, 30), (3, 10), (4, 30)] {
        head.push(time, &1.into(), sequence, sequence, 0);
    }
    assert_eq!(ordinal(&head, 10), Some(2));
    assert_eq!(ordinal(&head, 30), Some(2));
    assert_eq!(ordinal(&head, 20), Some(0));
    assert_eq!(ordinal(&head, 31), Some(0));
}

#[test]
fn sealing_leaves_what_came_later() {
    let mut head = head();
    for sequence in 1..=5_i64 {
        head.push(sequence * 10, &sequence.into(), sequence.unsigned_abs(), sequence.unsigned_abs(), 3);
    }
    let sealed = visible(&head, 3);
    head.drain_sealed(sealed.len(), (10, 30), 3);
    assert_eq!(visible(&head, 5), [40, 50]);
    assert_eq!(head.first_sequence(), Some(4));
    assert_eq!(ordinal(&head, 30), None, "a chunk may hold samples of that time");
    assert_eq!(ordinal(&head, 31), Some(0));
}

#[test]
fn what_chunks_hold_at_a_time_is_known_until_the_next_sealing() {
    let mut head = head();
    head.push(10, &1.into(), 1, 1, 0);
    head.drain_sealed(1, (10, 10), 1);
    assert_eq!(ordinal(&head, 10), None);
    head.note_sealed(10, 1, Vacancy::UNKNOWN, true);
    assert_eq!(ordinal(&head, 10), Some(1));
    head.push(10, &2.into(), 2, 2, 1);
    assert_eq!(ordinal(&head, 10), Some(2));
    assert_eq!((ordinal(&head, 9), ordinal(&head, 11)), (None, Some(0)));
    head.drain_sealed(1, (10, 10), 2);
    assert_eq!(ordinal(&head, 10), None);
}

#[test]
fn what_was_seen_beside_damage_is_good_for_counting_only() {
    let mut head = head();
    head.push(10, &1.into(), 1, 1, 0);
    head.drain_sealed(1, (10, 10), 1);
    let sure = head.vacancy();
    head.note_sealed(5, 0, Vacancy { after: 2, before: 8 }, false);
    assert_eq!((head.sealed_at(4), head.sealed_at(11), head.sealed_at(8)), (Some(0), Some(0), None));
    assert_eq!(head.vacancy(), sure);
    // Nothing is known of a partition that is gone.
    head.note_sealed(9, 0, Vacancy::UNKNOWN, true);
    assert_eq!(head.vacancy(), sure);
    // What is sealed there ends it.
    head.push(4, &1.into(), 2, 2, 1);
    head.drain_sealed(1, (4, 4), 2);
    assert_eq!((head.sealed_at(4), head.sealed_at(5)), (None, Some(0)));
    head.note_sealed(5, 0, Vacancy { after: 4, before: 10 }, true);
    assert_eq!(head.vacancy(), Vacancy { after: 4, before: 10 });
}

#[test]
fn a_definition_counts_once_it_is_published() {
    let mut head = head();
    assert!(head.must_define(0, 7, 6));
    assert!(!head.must_define(0, 7, 6), "this batch has it");
    assert!(head.must_define(0, 9, 6), "the batch that has it may fail");
    assert!(!head.must_define(0, 9, 7));
    assert!(head.must_define(1, 8, 7));
    head.retract(8);
    assert!(head.must_define(1, 9, 8));
}
