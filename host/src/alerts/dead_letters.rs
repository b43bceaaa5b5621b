//! Which dead letters go when there are too many.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use telemetry_core::DeadLetter;
use telemetry_store::DeadLetterKey;

/// The letters to remove so that no more than `keep` stay: one after the other the oldest of the monitor that has most, so that
/// a monitor whose keys flap costs no other one its letters. Of monitors that have as many, the first by name gives.
pub(super) fn surplus(letters: &[DeadLetter], keep: usize) -> Vec<DeadLetterKey> {
    let too_many = letters.len().saturating_sub(keep);
    let mut oldest_first: Vec<&DeadLetter> = letters.iter().collect();
    oldest_first.sort_by_key(|letter| letter.since);
    let mut by_monitor: BTreeMap<&str, VecDeque<&DeadLetter>> = BTreeMap::new();
    for letter in oldest_first {
        by_monitor.entry(&letter.delivery.alert.monitor).or_default().push_back(letter);
    }
    let mut most: BinaryHeap<(usize, Reverse<&str>)> =
        by_monitor.iter().map(|(monitor, letters)| (letters.len(), Reverse(*monitor))).collect();
    let mut surplus = Vec::with_capacity(too_many);
    while surplus.len() < too_many
        && let Some((_, Reverse(monitor))) = most.pop()
    {
        let Some(letters) = by_monitor.get_mut(monitor) else { continue };
        surplus.extend(letters.pop_front().map(DeadLetterKey::from));
        if !letters.is_empty() {
            most.push((letters.len(), Reverse(monitor)));
        }
    }
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::delivery::fresh;
    use crate::alerts::model::{alert, at};
    use telemetry_core::Severity;

    fn letters(monitor: &str, seconds: impl IntoIterator<Item = i64>) -> Vec<DeadLetter> {
        let letter = |second| DeadLetter {
            delivery: fresh(&alert(monitor, "k", Severity::Info), "a", at(second)),
            reason: "no".to_owned(),
            since: at(second),
        };
        seconds.into_iter().map(letter).collect()
    }

    fn seconds(keys: &[DeadLetterKey]) -> Vec<i64> {
        keys.iter().map(|key| (key.since.nanos() - at(0).nanos()) / 1_000_000_000).collect()
    }

    #[test]
    fn who_has_most_gives_and_gives_the_oldest() {
        let all = [letters("noisy", [9, 8, 7, 6]), letters("calm", [0, 1])].concat();
        assert_eq!(seconds(&surplus(&all, 4)), [6, 7]);
        assert_eq!(seconds(&surplus(&all, 6)), [0_i64; 0]);
        assert_eq!(seconds(&surplus(&all, usize::MAX)), [0_i64; 0]);
        assert_eq!(surplus(&all, 0).len(), 6);
        assert_eq!(surplus(&[], 0), []);
    }

    #[test]
    fn of_equals_the_first_by_name_gives_then_the_other() {
        let all = [letters("b", [0, 1, 2]), letters("a", [3, 4, 5])].concat();
        assert_eq!(seconds(&surplus(&all, 3)), [3, 0, 4]);
    }
}
