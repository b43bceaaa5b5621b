//! The search for the record that kills a monitor.
//!
//! A batch on which the monitor failed often enough is halved until one record is left; that record must fail as often
//! again before it is declared poison. Pure: it is told of failures and successes and says what to read next.

use telemetry_core::limits;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Try the same again, after a growing pause.
    Again,
    /// The search came nearer; try at once.
    Narrowed,
    /// This record is skipped.
    Poison(u64),
    /// Too many records in a row were poison: it is the monitor that is broken.
    Broken,
}

/// The records that are suspected.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suspects {
    first: u64,
    /// Where the batches end on which the monitor failed, each one half of that before it; the last is judged now.
    ends: Vec<u64>,
    failures: u32,
    narrowing: bool,
}

/// The search of one monitor.
#[derive(Debug, Default)]
pub(super) struct PoisonHunt {
    suspects: Option<Suspects>,
    in_a_row: u32,
}

impl PoisonHunt {
    /// Whether a search is on: each success is then to be made durable at once, so that no failure costs it.
    pub(super) fn is_on(&self) -> bool {
        self.suspects.is_some()
    }

    /// How many records may be read from `next` on so that the suspects are judged alone; `None` without a search.
    pub(super) fn limit(&self, next: u64) -> Option<u64> {
        let suspects = self.suspects.as_ref()?;
        let end = if next < suspects.first { suspects.first } else { *suspects.ends.last()? };
        Some(end.saturating_sub(next).max(1))
    }

    /// The monitor failed on records `first..end`.
    pub(super) fn failed(&mut self, first: u64, end: u64) -> Finding {
        let mut suspects = match self.suspects.take() {
            Some(suspects) if suspects.first == first => suspects,
            _ => Suspects { first, ends: vec![end], failures: 0, narrowing: false },
        };
        suspects.failures = suspects.failures.saturating_add(1);
        let count = end.saturating_sub(first);
        let enough = suspects.failures >= limits::MONITOR_KILLS_BEFORE_HUNT;
        let finding = if count > 1 && (suspects.narrowing || enough) {
            suspects.ends.push(first + count / 2);
            suspects.failures = 0;
            suspects.narrowing = true;
            Finding::Narrowed
        } else if count == 1 && enough {
            if self.in_a_row >= limits::MAX_POISON_IN_A_ROW {
                Finding::Broken
            } else {
                Finding::Poison(first)
            }
        } else {
            Finding::Again
        };
        self.suspects = Some(suspects);
        finding
    }

    /// The poison record `sequence` was set aside.
    pub(super) fn skipped(&mut self, sequence: u64) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.advance(sequence.saturating_add(1));
    }

    /// The records before `next` are done with, and that is durable; `judged` says whether the monitor saw one of them.
    pub(super) fn passed(&mut self, next: u64, judged: bool) {
        if judged {
            self.in_a_row = 0;
        }
        if self.suspects.as_ref().is_some_and(|suspects| next > suspects.first) {
            self.advance(next);
        }
    }

    /// The search goes on in what is left of the smallest batch on which the monitor failed.
    fn advance(&mut self, next: u64) {
        self.suspects = self.suspects.take().and_then(|mut suspects| {
            suspects.ends.retain(|end| *end > next);
            (!suspects.ends.is_empty()).then_some(Suspects { first: next, failures: 0, ..suspects })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a monitor that fails on batches with a poison record; answers what was skipped and the failures it took.
    fn run(poison: &[u64], total: u64, batch: u64) -> (Vec<u64>, u32) {
        let (mut hunt, mut next, mut skipped, mut failures) = (PoisonHunt::default(), 0, Vec::new(), 0);
        while next < total {
            let length = hunt.limit(next).unwrap_or(batch).min(batch);
            let end = (next + length).min(total);
            if poison.iter().any(|sequence| (next..end).contains(sequence)) {
                failures += 1;
                match hunt.failed(next, end) {
                    Finding::Poison(sequence) => {
                        skipped.push(sequence);
                        hunt.skipped(sequence);
                        next = sequence + 1;
                    }
                    Finding::Broken => break,
                    Finding::Again | Finding::Narrowed => {}
                }
            } else {
                next = end;
                hunt.passed(next, true);
            }
        }
        (skipped, failures)
    }

    #[test]
    fn one_record_of_a_thousand() {
        let (skipped, failures) = run(&[700], 1000, 1000);
        assert_eq!(skipped, [700]);
        assert!(failures <= 16, "{failures}");
    }

    #[test]
    fn a_passing_fault_skips_nothing() {
        let mut hunt = PoisonHunt::default();
        assert_eq!(hunt.failed(0, 100), Finding::Again);
        assert_eq!(hunt.failed(0, 100), Finding::Again);
        assert_eq!(hunt.failed(0, 100), Finding::Narrowed);
        assert_eq!(hunt.limit(0), Some(50));
        hunt.passed(50, true);
        assert_eq!(hunt.limit(50), Some(50));
        hunt.passed(100, true);
        assert!(!hunt.is_on());
    }

    #[test]
    fn a_broken_monitor_loses_few_records() {
        let all: Vec<u64> = (0..1000).collect();
        let (skipped, _) = run(&all, 1000, 100);
        assert_eq!(skipped.len(), limits::MAX_POISON_IN_A_ROW as usize);
    }

    proptest! {
        #[test]
        fn exactly_the_poison_is_skipped(
            poison in prop::collection::btree_set(0..500_u64, 0..8),
            batch in 1..200_u64,
        ) {
            let poison: Vec<u64> = poison.into_iter().collect();
            prop_assert_eq!(run(&poison, 500, batch).0, poison);
        }
    }
}
