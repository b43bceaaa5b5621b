//! What becomes of deliveries after an attempt: pure rules from a sink's outcomes to changes of the outbox.

use std::collections::BTreeSet;
use std::time::Duration;

use telemetry_core::extension::{DeliveryOutcome, FailureReason, PluginFailure};
use telemetry_core::{DeadLetter, PendingDelivery, Timestamp, limits};
use telemetry_store::{AlertChanges, DeliveryKey};

use super::backoff::Backoff;
use super::bounds::cut;
use super::counts::{FULL, Plan};
use super::delivery::fresh;
use super::queue::Line;
use super::status::Tally;

const BACKOFF: Backoff = Backoff { min: limits::MIN_DELIVERY_BACKOFF, max: limits::MAX_DELIVERY_BACKOFF };

/// An attempt that was made: when, by which receiver, among which others.
pub(super) struct Attempt<'a> {
    pub(super) now: Timestamp,
    pub(super) receiver: &'a str,
    /// Whether there is a receiver of this name.
    pub(super) knows: &'a dyn Fn(&str) -> bool,
    /// Whether the same state waits for the same receiver already.
    pub(super) waits: &'a dyn Fn(&PendingDelivery) -> bool,
    /// Whether the outbox has room for one more row of this monitor's, beside those that are planned.
    pub(super) has_room: &'a dyn Fn(&str, &Plan) -> bool,
}

/// What must be stored, and what the queues do once it is.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    pub(super) changes: AlertChanges,
    pub(super) finished: Vec<Finished>,
    pub(super) forwarded: Vec<PendingDelivery>,
    pub(super) tally: Tally,
    /// The rows that are forwarded, and those that they come of.
    plan: Plan,
}

/// A delivery of the attempt.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) line: Line,
    pub(super) monitor: String,
    /// The row that takes its place, if it waits again.
    pub(super) again: Option<PendingDelivery>,
}

impl Settlement {
    /// Judges a whole attempt. A failed call, or one with a wrong number of outcomes, is a retry of every delivery.
    pub(super) fn of(
        attempt: &Attempt<'_>,
        deliveries: Vec<PendingDelivery>,
        answer: Result<Vec<DeliveryOutcome>, PluginFailure>,
    ) -> Self {
        let mut settlement = Self::default();
        let outcomes = match answer {
            Ok(outcomes) if outcomes.len() == deliveries.len() => outcomes,
            Ok(outcomes) => {
                let reason =
                    format!("it answered {} outcomes for {} alerts", outcomes.len(), deliveries.len());
                vec![DeliveryOutcome::Retry { after: None, reason }; deliveries.len()]
            }
            Err(failure) => {
                let after = match failure.reason {
                    FailureReason::Quarantined { retry_in } => Some(retry_in),
                    _ => None,
                };
                vec![DeliveryOutcome::Retry { after, reason: failure.to_string() }; deliveries.len()]
            }
        };
        for (delivery, outcome) in deliveries.into_iter().zip(outcomes) {
            settlement.settle(attempt, delivery, outcome);
        }
        settlement
    }

    /// Gives up deliveries that waited too long for a sink that is not there.
    pub(super) fn without_sink(attempt: &Attempt<'_>, deliveries: Vec<PendingDelivery>) -> Self {
        let mut settlement = Self::default();
        for delivery in deliveries {
            let (line, monitor) = (Line::of(&delivery.alert), delivery.alert.monitor.clone());
            settlement.changes.settle.push(DeliveryKey::from(&delivery));
            let hours = hours(delivery.created, attempt.now);
            settlement.bury(attempt, delivery, &format!("given up after {hours} hours without its sink"));
            settlement.finished.push(Finished { line, monitor, again: None });
        }
        settlement
    }

    fn settle(&mut self, attempt: &Attempt<'_>, mut delivery: PendingDelivery, outcome: DeliveryOutcome) {
        let (line, monitor) = (Line::of(&delivery.alert), delivery.alert.monitor.clone());
        self.changes.settle.push(DeliveryKey::from(&delivery));
        delivery.attempts = delivery.attempts.saturating_add(1);
        let again = match outcome {
            DeliveryOutcome::Delivered(_) => {
                self.tally.delivered += 1;
                None
            }
            DeliveryOutcome::Duplicate => {
                self.tally.duplicates += 1;
                None
            }
            DeliveryOutcome::Rejected(reason) => {
                self.bury(attempt, delivery, &format!("rejected: {reason}"));
                None
            }
            DeliveryOutcome::Retry { after, reason } => self.retry(attempt, delivery, after, &reason),
            DeliveryOutcome::Forward(receivers) => {
                self.forward(attempt, &delivery, receivers);
                None
            }
        };
        self.finished.push(Finished { line, monitor, again });
    }

    fn retry(
        &mut self,
        attempt: &Attempt<'_>,
        mut delivery: PendingDelivery,
        after: Option<Duration>,
        reason: &str,
    ) -> Option<PendingDelivery> {
        let reason = cut(reason, limits::MAX_REASON_BYTES);
        self.tally.last_error = Some(reason.to_owned());
        if delivery.attempts >= limits::MAX_DELIVERY_ATTEMPTS {
            let attempts = delivery.attempts;
            self.bury(attempt, delivery, &format!("given up after {attempts} attempts: {reason}"));
            return None;
        }
        if attempt.now.since(delivery.created) >= limits::MAX_DELIVERY_AGE {
            let (hours, attempts) = (hours(delivery.created, attempt.now), delivery.attempts);
            let reason = format!("given up after {hours} hours and {attempts} attempts: {reason}");
            self.bury(attempt, delivery, &reason);
            return None;
        }
        let asked = after.unwrap_or_default().min(limits::MAX_RETRY_AFTER);
        let pause = BACKOFF.pause_with_jitter(delivery.attempts).max(asked);
        delivery.due = attempt.now.plus(pause);
        delivery.last_error = Some(reason.to_owned());
        self.tally.retried += 1;
        self.changes.enqueue.push(delivery.clone());
        Some(delivery)
    }

    fn forward(&mut self, attempt: &Attempt<'_>, delivery: &PendingDelivery, receivers: Vec<String>) {
        let mut forwarded_by = delivery.forwarded_by.clone();
        forwarded_by.push(attempt.receiver.to_owned());
        let hops = u32::try_from(forwarded_by.len()).unwrap_or(u32::MAX);
        if hops > limits::MAX_FORWARD_HOPS {
            let way = forwarded_by.join(" → ");
            let reason = format!("forwarded more than {} times: {way}", limits::MAX_FORWARD_HOPS);
            return self.bury(attempt, delivery.clone(), &reason);
        }
        let distinct: BTreeSet<String> = receivers.into_iter().collect();
        if distinct.is_empty() {
            let reason = format!("{} forwarded it to nobody", attempt.receiver);
            return self.bury(attempt, delivery.clone(), &reason);
        }
        if distinct.len() > limits::MAX_RECEIVERS {
            let reason = format!("forwarded to {} receivers at once", distinct.len());
            return self.bury(attempt, delivery.clone(), &reason);
        }
        self.tally.forwarded += 1;
        let monitor = delivery.alert.monitor.as_str();
        // One of those that are forwarded takes the place of the row that it comes of.
        self.plan.take(monitor);
        for receiver in distinct {
            let receiver = cut(&receiver, limits::MAX_NAME_BYTES);
            let onward = PendingDelivery {
                forwarded_by: forwarded_by.clone(),
                ..fresh(&delivery.alert, receiver, attempt.now)
            };
            if forwarded_by.iter().any(|before| before == receiver) {
                let reason = format!("forwarded in a circle: {} → {receiver}", forwarded_by.join(" → "));
                self.bury(attempt, onward, &reason);
            } else if !(attempt.knows)(receiver) {
                let reason =
                    format!("{} forwarded it to \"{receiver}\", which is no receiver", attempt.receiver);
                self.bury(attempt, onward, &reason);
            } else if (attempt.waits)(&onward) {
                // It is told already.
            } else if (attempt.has_room)(monitor, &self.plan) {
                self.plan.add(monitor);
                self.changes.enqueue.push(onward.clone());
                self.forwarded.push(onward);
            } else {
                self.bury(attempt, onward, FULL);
            }
        }
    }

    fn bury(&mut self, attempt: &Attempt<'_>, delivery: PendingDelivery, reason: &str) {
        let reason = cut(reason, limits::MAX_REASON_BYTES).to_owned();
        self.tally.dead += 1;
        self.tally.last_error = Some(reason.clone());
        self.changes.bury.push(DeadLetter { delivery, reason, since: attempt.now });
    }
}

fn hours(from: Timestamp, to: Timestamp) -> u64 {
    to.since(from).as_secs() / 3600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::model::alert;
    use telemetry_core::Severity;

    fn delivery() -> PendingDelivery {
        fresh(&alert("m", "k", Severity::Error), "a", Timestamp::from_millis(5))
    }

    fn settle(
        deliveries: Vec<PendingDelivery>,
        answer: Result<Vec<DeliveryOutcome>, PluginFailure>,
    ) -> Settlement {
        let attempt = Attempt {
            now: Timestamp::from_millis(10_000),
            receiver: "a",
            knows: &|name| ["a", "b", "c", "d"].contains(&name),
            waits: &|onward| onward.receiver == "d",
            has_room: &|_, _| true,
        };
        Settlement::of(&attempt, deliveries, answer)
    }

    fn one(delivery: PendingDelivery, outcome: DeliveryOutcome) -> Settlement {
        settle(vec![delivery], Ok(vec![outcome]))
    }

    fn forward(names: &[&str]) -> DeliveryOutcome {
        DeliveryOutcome::Forward(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn delivered_and_duplicate_settle() {
        for outcome in [DeliveryOutcome::Delivered(None), DeliveryOutcome::Duplicate] {
            let delivery = delivery();
            let settlement = one(delivery.clone(), outcome);
            assert_eq!(settlement.changes.settle, [DeliveryKey::from(&delivery)]);
            assert!(settlement.changes.enqueue.is_empty() && settlement.changes.bury.is_empty());
            assert_eq!(settlement.finished.len(), 1);
        }
    }

    #[test]
    fn a_retry_waits_at_least_as_long_as_asked() {
        let after = Duration::from_secs(600);
        let before = delivery();
        let settlement =
            one(before.clone(), DeliveryOutcome::Retry { after: Some(after), reason: "busy".to_owned() });
        let again = settlement.finished[0].again.clone().unwrap();
        assert_eq!(again.attempts, 1);
        assert!(again.due >= Timestamp::from_millis(10_000).plus(after));
        assert_eq!(again.idempotency_key, before.idempotency_key);
        assert_eq!(settlement.changes.enqueue, [again]);
        let greedy = DeliveryOutcome::Retry { after: Some(Duration::MAX), reason: String::new() };
        let due = one(delivery(), greedy).finished[0].again.clone().unwrap().due;
        assert!(due <= Timestamp::from_millis(10_001).plus(limits::MAX_RETRY_AFTER));
    }

    #[test]
    fn failures_and_wrong_answers_are_retries_of_all() {
        let failure = PluginFailure { plugin: "a".to_owned(), reason: FailureReason::Trap("x".to_owned()) };
        for answer in [Err(failure), Ok(vec![DeliveryOutcome::Duplicate])] {
            let settlement = settle(vec![delivery(), delivery()], answer);
            assert_eq!((settlement.tally.retried, settlement.changes.enqueue.len()), (2, 2));
            assert!(settlement.finished.iter().all(|finished| finished.again.is_some()));
        }
    }

    #[test]
    fn a_rejection_was_an_attempt() {
        let settlement = one(delivery(), DeliveryOutcome::Rejected("no".to_owned()));
        assert_eq!(settlement.changes.bury[0].delivery.attempts, 1);
    }

    #[test]
    fn attempts_end() {
        let mut last = delivery();
        last.attempts = limits::MAX_DELIVERY_ATTEMPTS - 1;
        let settlement = one(last, DeliveryOutcome::Retry { after: None, reason: "no".to_owned() });
        assert_eq!(settlement.changes.bury[0].reason, "given up after 300 attempts: no");
        assert!(settlement.changes.enqueue.is_empty() && settlement.finished[0].again.is_none());
    }

    #[test]
    fn age_ends_a_delivery_whose_attempt_failed() {
        let created = Timestamp::from_millis(10_000).minus(limits::MAX_DELIVERY_AGE);
        let retry = || DeliveryOutcome::Retry { after: None, reason: "no".to_owned() };
        let old = PendingDelivery { created, attempts: 4, ..delivery() };
        let settlement = one(old.clone(), retry());
        assert_eq!(settlement.changes.bury[0].reason, "given up after 72 hours and 5 attempts: no");
        assert!(settlement.changes.enqueue.is_empty() && settlement.finished[0].again.is_none());
        assert_eq!(one(old.clone(), DeliveryOutcome::Duplicate).changes.bury, [], "never unattempted");
        let younger = PendingDelivery { created: created.plus(Duration::from_nanos(1)), ..old };
        let again = one(younger.clone(), retry()).finished[0].again.clone().unwrap();
        assert_eq!(again.created, younger.created);
    }

    #[test]
    fn forwarding_goes_on_and_never_in_a_circle() {
        let settlement = one(delivery(), forward(&["b", "c", "b", "d"]));
        let names: Vec<_> = settlement.forwarded.iter().map(|onward| onward.receiver.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(settlement.forwarded.iter().all(|onward| onward.forwarded_by == ["a"]));
        assert_eq!(settlement.changes.enqueue, settlement.forwarded);

        let circle = one(delivery(), forward(&["a"]));
        assert_eq!(circle.changes.bury[0].reason, "forwarded in a circle: a → a");
        let unknown = one(delivery(), forward(&["nobody"]));
        assert_eq!(unknown.changes.bury[0].reason, "a forwarded it to \"nobody\", which is no receiver");
        assert_eq!(unknown.changes.bury[0].delivery.receiver, "nobody");
    }

    #[test]
    fn forwarded_to_nobody_is_given_up() {
        let before = delivery();
        let settlement = one(before.clone(), forward(&[]));
        assert_eq!(settlement.changes.settle, [DeliveryKey::from(&before)]);
        let [letter] = &settlement.changes.bury[..] else { panic!("{settlement:?}") };
        assert_eq!(letter.reason, "a forwarded it to nobody");
        assert_eq!((letter.delivery.receiver.as_str(), letter.delivery.attempts), ("a", 1));
        assert_eq!((settlement.tally.dead, settlement.tally.forwarded), (1, 0));
    }

    #[test]
    fn four_hops_are_the_most() {
        let mut far = delivery();
        far.forwarded_by = ["w", "x", "y"].map(str::to_owned).to_vec();
        assert_eq!(one(far.clone(), forward(&["b"])).forwarded.len(), 1);
        far.forwarded_by.push("z".to_owned());
        let settlement = one(far, forward(&["b"]));
        assert_eq!(settlement.changes.bury[0].reason, "forwarded more than 4 times: w → x → y → z → a");
        assert!(settlement.forwarded.is_empty());
    }
}
