//! Which events of what is asked for again and again were not shown yet.
//!
//! Events are asked for by their own times, which need not be those of their recording: one may come late, and one may lie
//! ahead of the clock. The clock alone says how far back to ask; no event's time does.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use telemetry_core::Timestamp;
use uuid::Uuid;

/// How much later an event with an older time may come and still be shown, within [`FULL_LOOK_INTERVAL`].
const OVERLAP: Duration = Duration::from_secs(60);
/// How far back is looked each time: calls that record at once overtake each other on their way into the store.
const SHORT_OVERLAP: Duration = Duration::from_secs(2);
/// How often is looked back by all of [`OVERLAP`].
const FULL_LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Shown events that are remembered, of those up to now and of those ahead each: an hour of 27 a second, a minute of 1,600.
const MAX_REMEMBERED: usize = 100_000;

/// An event that was shown.
type Shown = (Timestamp, Uuid);

/// Remembers what was shown and may be answered again.
#[derive(Debug)]
pub(crate) struct Follower {
    start: Timestamp,
    now: Timestamp,
    full_look: Option<Timestamp>,
    /// Nothing before is asked for, because it is not known any more what of it was shown.
    forgotten: Timestamp,
    /// With times up to `now`.
    past: BTreeSet<Shown>,
    /// With times after `now`.
    ahead: BTreeSet<Shown>,
}

impl Follower {
    /// Nothing before `start` is shown.
    pub(crate) fn starting(start: Timestamp) -> Self {
        Self {
            start,
            now: start,
            full_look: None,
            forgotten: start,
            past: BTreeSet::new(),
            ahead: BTreeSet::new(),
        }
    }

    /// The time from which to ask `now`; there is no end to it. A clock that is set back shows again what it comes to again.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Timestamp {
        // What was recorded since the last question counts as recent, also where that is long ago or the clock was set back.
        let since = if self.full_look.is_some() { self.now.min(now) } else { self.start };
        self.now = now;
        let oldest = self.start.max(self.forgotten.min(now)).max(since.minus(OVERLAP));
        let later = self.ahead.split_off(&(now, Uuid::max()));
        let came = std::mem::replace(&mut self.ahead, later);
        self.past.extend(came);
        self.past = self.past.split_off(&(oldest, Uuid::nil()));
        self.forget();
        let due = self.full_look.is_none_or(|last| now < last || now.since(last) >= FULL_LOOK_INTERVAL);
        if due {
            self.full_look = Some(now);
            return oldest;
        }
        oldest.max(since.minus(SHORT_OVERLAP))
    }

    /// Whether the event is to be shown now; it counts as shown from then on. One ahead of the clock waits until its time
    /// has come where no more of them can be remembered.
    pub(crate) fn is_new(&mut self, event: &Value) -> bool {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(id), Some(at)) = (
            text("event_id").and_then(|id| Uuid::parse_str(id).ok()),
            text("timestamp").and_then(|time| Timestamp::parse(time).ok()),
        ) else {
            return true;
        };
        if at > self.now {
            return self.ahead.len() < MAX_REMEMBERED && self.ahead.insert((at, id));
        }
        if !self.past.insert((at, id)) {
            return false;
        }
        self.forget();
        true
    }

    /// Forgets the oldest of what is too much to be remembered.
    fn forget(&mut self) {
        while self.past.len() > MAX_REMEMBERED
            && let Some((oldest, _)) = self.past.pop_first()
        {
            self.forgotten = self.forgotten.max(oldest.plus(Duration::from_nanos(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// So many milliseconds after the start.
    fn at(millis: u64) -> Timestamp {
        Timestamp::parse("2025-05-21T14:00:00Z").unwrap().plus(Duration::from_millis(millis))
    }

    fn event(millis: u64, id: u128) -> Value {
        json!({"event_id": Uuid::from_u128(id), "timestamp": at(millis)})
    }

    #[test]
    fn each_event_is_shown_once_also_those_that_were_overtaken() {
        let mut follower = Follower::starting(at(0));
        assert_eq!(follower.ask(at(600)), at(0));
        assert!(follower.is_new(&event(500, 1)));
        assert!(follower.is_new(&event(500, 2)));
        assert!(!follower.is_new(&event(500, 1)));
        assert_eq!(follower.ask(at(1_000)), at(0), "nothing from before the start");
        assert!(follower.is_new(&event(900, 3)));
        assert!(follower.is_new(&event(300, 4)), "it was overtaken");
        assert!(!follower.is_new(&event(300, 4)) && !follower.is_new(&event(900, 3)));
    }

    #[test]
    fn an_event_of_the_future_holds_back_no_other() {
        let mut follower = Follower::starting(at(0));
        follower.ask(at(1_000));
        let ahead = event(3_600_000, 1);
        assert!(follower.is_new(&ahead));
        for second in 2..4_000 {
            let now = second * 1_000;
            assert!(follower.ask(at(now)) < at(now));
            assert!(!follower.is_new(&ahead), "shown already, {second}");
            assert!(follower.is_new(&event(now - 500, u128::from(second))));
            if now > 3_659_000 {
                break;
            }
        }
    }

    #[test]
    fn late_events_are_looked_for_now_and_then() {
        let mut follower = Follower::starting(at(0));
        follower.ask(at(100_000));
        assert_eq!(follower.ask(at(101_000)), at(98_000), "shortly before the question before");
        assert_eq!(follower.ask(at(104_999)), at(99_000));
        assert_eq!(follower.ask(at(105_000)), at(44_999), "by all of the overlap");
        assert!(follower.is_new(&event(50_000, 1)));
        assert_eq!(follower.ask(at(106_000)), at(103_000));
        assert_eq!(follower.ask(at(400_000)), at(46_000), "what came while it did not ask");
        assert!(!follower.is_new(&event(50_000, 1)));
        follower.ask(at(401_000));
        assert!(follower.past.is_empty(), "what is not asked for any more is forgotten");
    }

    #[test]
    fn a_clock_that_is_set_back_holds_back_nothing() {
        let mut follower = Follower::starting(at(0));
        follower.ask(at(7_200_000));
        assert!(follower.ask(at(3_600_000)) <= at(3_600_000));
        assert!(follower.is_new(&event(3_600_000, 1)));
        assert!(follower.ask(at(3_600_500)) <= at(3_600_000));
        assert!(!follower.is_new(&event(3_600_000, 1)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut follower = Follower::starting(at(0));
        follower.ask(at(10_000));
        let many = u64::try_from(MAX_REMEMBERED).unwrap() + 10;
        for number in 0..many {
            let (past, ahead) = (event(number / 100, number.into()), event(20_000, number.into()));
            assert!(follower.is_new(&past));
            assert_eq!(follower.is_new(&ahead), number < many - 10, "{number}");
        }
        assert_eq!((follower.past.len(), follower.ahead.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert!(follower.ask(at(15_000)) > at(0), "what was forgotten is not shown again");
        assert!(!follower.is_new(&event((many - 1) / 100, u128::from(many - 1))));
        // The time of those ahead has come: those that had to wait are shown, the others are not shown again.
        follower.ask(at(21_000));
        assert!(!follower.is_new(&event(20_000, 0)));
        assert!(follower.is_new(&event(20_000, u128::from(many - 1))));
    }
}
