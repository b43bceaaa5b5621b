//! Which gaps are looked at.

use super::*;

const MINUTE: i64 = SHORT_GAP_NANOS;

fn gaps(times: &[i64], vacancy: Vacancy) -> Vec<(i64, i64)> {
    let times: Vec<i64> = times.iter().map(|minutes| minutes * MINUTE).collect();
    let found = long_gaps(&times, vacancy);
    found.iter().map(|gap| (gap.after / MINUTE, gap.before / MINUTE)).collect()
}

/// From one minute to another.
fn vacancy(after: i64, before: i64) -> Vacancy {
    Vacancy { after: after * MINUTE, before: before * MINUTE }
}

#[test]
fn what_is_not_late_has_no_gaps() {
    assert!(gaps(&[101, 102, 500, 501], vacancy(100, 1440)).is_empty());
    assert!(gaps(&[501, 101], Vacancy::ALL).is_empty(), "nothing is sealed");
    assert!(gaps(&[], Vacancy::UNKNOWN).is_empty());
    assert!(gaps(&[5], Vacancy::UNKNOWN).is_empty());
}

#[test]
fn gaps_lie_between_late_samples_and_where_the_vacancy_begins() {
    let found = gaps(&[101, 1, 102, 50, 51, 300], vacancy(100, 1440));
    assert_eq!(found, [(1, 50), (51, 101)], "none of a minute, none within the vacancy");
    // The last look was for a late sample, and nothing is known of the others.
    assert_eq!(gaps(&[200, 201, 10, 300], vacancy(9, 11)), [(10, 200), (201, 300)]);
}

#[test]
fn ends_of_a_vacancy_are_samples_of_chunks() {
    let gap = Gap { after: 10, before: 20 };
    let has = |after: i64, before: i64| gap.has_end_of(Vacancy { after, before });
    assert!(has(10, 99) && has(19, 99) && !has(20, 99) && !has(9, 99));
    assert!(has(0, 20) && has(0, 11) && !has(0, 10) && !has(0, 21));
}
