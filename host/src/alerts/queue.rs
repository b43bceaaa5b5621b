//! The rows of the outbox that wait for one receiver.
//!
//! Invariants: the states of alerts with one identity (monitor and key) leave in their order, and at most one of them is on
//! its way at a time. The queue mirrors stored rows; it is rebuilt from them at every start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use telemetry_core::{Alert, PendingDelivery, Timestamp, limits};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::delivery::state_sequence;

/// No due time is set further ahead than this; one that is was set before the wall clock went back.
const LONGEST_WAIT: Duration = limits::MAX_RETRY_AFTER.saturating_add(limits::MAX_DELIVERY_BACKOFF);

/// The hash of an alert's identity. Should two share one, they wait for each other without need, and nothing worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line(u64);

impl Line {
    pub(super) fn of(alert: &Alert) -> Self {
        let mut hash = Xxh3::new();
        hash.update(alert.monitor.as_bytes());
        hash.update(&[0]);
        hash.update(alert.key.as_bytes());
        Self(hash.digest())
    }
}

/// The order of an identity's states: the ids of its alerts grow.
fn place(alert: &Alert) -> (Uuid, u64) {
    (alert.alert_id, state_sequence(alert))
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The waiting states of each identity, earliest state first.
    lines: BTreeMap<Line, VecDeque<Row>>,
    /// The first state of each identity of which none is on its way: by due time, then by arrival.
    heads: BTreeMap<(Timestamp, u64), Line>,
    on_the_way: BTreeSet<Line>,
    waiting: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Row {
    arrival: u64,
    delivery: PendingDelivery,
}

impl Row {
    fn turn(&self) -> (Timestamp, u64) {
        (self.delivery.due, self.arrival)
    }
}

impl Queue {
    /// Adds a row.
    pub(super) fn insert(&mut self, delivery: PendingDelivery) {
        let line = Line::of(&delivery.alert);
        let row = Row { arrival: self.arrivals, delivery };
        let states = self.lines.entry(line).or_default();
        let index =
            states.partition_point(|other| place(&other.delivery.alert) <= place(&row.delivery.alert));
        if index == 0 && !self.on_the_way.contains(&line) {
            if let Some(head) = states.front() {
                self.heads.remove(&head.turn());
            }
            self.heads.insert(row.turn(), line);
        }
        states.insert(index, row);
        self.waiting += 1;
        self.arrivals += 1;
    }

    /// Takes up to `max` rows that are due, of different identities, the longest due first. Each must be given back to
    /// [`Self::finish`].
    pub(super) fn take_due(&mut self, now: Timestamp, max: usize) -> Vec<PendingDelivery> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(delivery) = self.due_head(now).and_then(|line| self.take(line)) else { break };
            taken.push(delivery);
        }
        taken
    }

    /// Takes up to `max` rows of different identities that were created at `cutoff` or before, due or not. Each must be given
    /// back to [`Self::finish`].
    pub(super) fn take_created_by(&mut self, cutoff: Timestamp, max: usize) -> Vec<PendingDelivery> {
        let old = |line: &&Line| {
            let head = self.lines.get(line).and_then(VecDeque::front);
            head.is_some_and(|row| row.delivery.created <= cutoff)
        };
        let lines: Vec<Line> = self.heads.values().filter(old).take(max).copied().collect();
        lines.into_iter().filter_map(|line| self.take(line)).collect()
    }

    /// A row that was taken is done with; or it waits again, as `again`.
    pub(super) fn finish(&mut self, line: Line, again: Option<PendingDelivery>) {
        self.on_the_way.remove(&line);
        match self.lines.get(&line).map(VecDeque::front) {
            Some(Some(head)) => {
                self.heads.insert(head.turn(), line);
            }
            Some(None) => {
                self.lines.remove(&line);
            }
            None => {}
        }
        if let Some(delivery) = again {
            self.insert(delivery);
        }
    }

    /// When the next row is due; `None` when nothing waits.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.heads.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether a row is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let last = self.heads.last_key_value().map(|((due, _), _)| *due);
        self.next_due().is_some_and(|due| due <= now) || last.is_some_and(|due| due > now.plus(LONGEST_WAIT))
    }

    /// Whether a row with this key waits.
    pub(super) fn holds(&self, line: Line, idempotency_key: &str) -> bool {
        let mut states = self.lines.get(&line).into_iter().flatten();
        states.any(|row| row.delivery.idempotency_key == idempotency_key)
    }

    /// Rows that wait, and rows that are on their way.
    pub(super) fn depth(&self) -> (usize, usize) {
        (self.waiting, self.on_the_way.len())
    }

    fn due_head(&self, now: Timestamp) -> Option<Line> {
        let head = match self.next_due() {
            Some(due) if due <= now => self.heads.first_key_value(),
            Some(_) if self.is_due(now) => self.heads.last_key_value(),
            _ => None,
        };
        head.map(|(_, line)| *line)
    }

    /// Takes the first state of an identity that is among the heads.
    fn take(&mut self, line: Line) -> Option<PendingDelivery> {
        let row = self.lines.get_mut(&line)?.pop_front()?;
        self.heads.remove(&row.turn());
        self.on_the_way.insert(line);
        self.waiting = self.waiting.saturating_sub(1);
        Some(row.delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::delivery::fresh;
    use crate::alerts::model::alert;
    use proptest::prelude::*;
    use telemetry_core::{Alert, Severity};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn state(alert: &Alert, times_seen: u64, due: Timestamp) -> PendingDelivery {
        fresh(&Alert { times_seen, ..alert.clone() }, "r", due)
    }

    fn take(queue: &mut Queue, now: Timestamp) -> Vec<u64> {
        queue.take_due(now, 10).iter().map(|delivery| delivery.alert.times_seen).collect()
    }

    #[test]
    fn a_later_state_waits_for_an_earlier_one() {
        let alert = alert("m", "k", Severity::Info);
        let mut queue = Queue::default();
        queue.insert(state(&alert, 2, at(0)));
        queue.insert(state(&alert, 1, at(0)));
        assert_eq!(take(&mut queue, at(0)), [1]);
        assert_eq!(take(&mut queue, at(0)), [0; 0], "the second waits while the first is on its way");
        queue.insert(state(&alert, 0, at(0)));
        assert_eq!(take(&mut queue, at(0)), [0; 0], "an older one too");
        queue.finish(Line::of(&alert), Some(state(&alert, 1, at(0))));
        assert_eq!(take(&mut queue, at(0)), [0]);
        queue.finish(Line::of(&alert), None);
        assert_eq!(take(&mut queue, at(0)), [1]);
        queue.finish(Line::of(&alert), Some(state(&alert, 1, at(9))));
        assert_eq!(take(&mut queue, at(8)), [0; 0], "the second waits for the first to be tried again");
        assert_eq!(queue.next_due(), Some(at(9)));
        assert_eq!(take(&mut queue, at(9)), [1]);
        queue.finish(Line::of(&alert), None);
        assert_eq!(take(&mut queue, at(9)), [2]);
        queue.finish(Line::of(&alert), None);
        assert_eq!((queue.depth(), queue.next_due()), ((0, 0), None));
    }

    #[test]
    fn an_older_state_that_comes_back_goes_first() {
        let alert = alert("m", "k", Severity::Info);
        let mut queue = Queue::default();
        queue.insert(state(&alert, 5, at(0)));
        queue.insert(state(&alert, 3, at(1)));
        assert_eq!(queue.next_due(), Some(at(1)));
        assert_eq!(take(&mut queue, at(1)), [3]);
        queue.insert(state(&alert, 4, at(1)));
        queue.finish(Line::of(&alert), None);
        assert_eq!(take(&mut queue, at(1)), [4]);
    }

    #[test]
    fn the_next_alert_of_a_key_waits_for_the_one_before() {
        let mut earlier = alert("m", "k", Severity::Info);
        let mut later = earlier.clone();
        (earlier.alert_id, later.alert_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut queue = Queue::default();
        queue.insert(state(&later, 1, at(0)));
        queue.insert(state(&earlier, 2, at(0)));
        assert_eq!(take(&mut queue, at(0)), [2]);
        queue.finish(Line::of(&earlier), None);
        assert_eq!(take(&mut queue, at(0)), [1]);
    }

    #[test]
    fn old_rows_are_found_whether_due_or_not() {
        let [old, young] = ["old", "young"].map(|key| alert("m", key, Severity::Info));
        let mut queue = Queue::default();
        queue.insert(PendingDelivery { due: at(90), ..state(&old, 1, at(0)) });
        queue.insert(state(&old, 2, at(0)));
        queue.insert(state(&young, 1, at(5)));
        let taken = queue.take_created_by(at(4), 10);
        assert_eq!(
            taken.iter().map(|row| row.alert.times_seen).collect::<Vec<_>>(),
            [1],
            "one of each identity"
        );
        assert_eq!(queue.take_created_by(at(4), 10), [], "the next waits while the first is on its way");
        assert_eq!(queue.depth(), (2, 1));
        queue.finish(Line::of(&old), None);
        assert_eq!(queue.take_created_by(at(4), 0), []);
        assert_eq!(queue.take_created_by(at(4), 10).len(), 1);
        queue.finish(Line::of(&old), None);
        assert_eq!(take(&mut queue, at(5)), [1]);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_clock_that_went_back_holds_nothing_up() {
        let alert = alert("m", "k", Severity::Info);
        let mut queue = Queue::default();
        queue.insert(state(&alert, 1, at(86_400 * 365)));
        assert!(queue.is_due(at(0)));
        assert_eq!(take(&mut queue, at(0)), [1]);
    }

    proptest! {
        /// Whatever the order of arrival and the retries, every row leaves, and each alert's rows in their order.
        #[test]
        fn all_leave_in_order(
            rows in prop::collection::vec((0..4_usize, 1..20_u64, 0..5_i64), 1..40),
            retries in prop::collection::vec(any::<bool>(), 200),
        ) {
            let alerts = ["a", "b", "c", "d"].map(|key| alert("m", key, Severity::Info));
            let mut queue = Queue::default();
            for (which, times_seen, due) in &rows {
                queue.insert(state(&alerts[*which], *times_seen, at(*due)));
            }
            let mut left: Vec<(Uuid, u64)> = Vec::new();
            let mut retries = retries.into_iter();
            for second in 0.. {
                let taken = queue.take_due(at(second), 3);
                if taken.is_empty() && queue.depth() == (0, 0) {
                    break;
                }
                for delivery in taken {
                    let line = Line::of(&delivery.alert);
                    if retries.next() == Some(true) {
                        queue.finish(line, Some(PendingDelivery { due: at(second + 2), ..delivery }));
                    } else {
                        left.push((delivery.alert.alert_id, delivery.alert.times_seen));
                        queue.finish(line, None);
                    }
                }
                prop_assert!(second < 1000);
            }
            for (which, alert) in alerts.iter().enumerate() {
                let mut expected: Vec<u64> =
                    rows.iter().filter(|row| row.0 == which).map(|row| row.1).collect();
                expected.sort_unstable();
                let found: Vec<u64> =
                    left.iter().filter(|row| row.0 == alert.alert_id).map(|row| row.1).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
