//! Which events of what is asked for again and again were not shown yet.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use telemetry_core::Timestamp;

/// How much later an event with an older time may come and still be shown: calls that record at once overtake each
/// other on their way into the store.
const OVERLAP: Duration = Duration::from_secs(1);

/// Remembers what was shown of the last [`OVERLAP`].
#[derive(Debug)]
pub(crate) struct Follower {
    from: Timestamp,
    newest: Timestamp,
    shown: BTreeSet<(Timestamp, String)>,
}

impl Follower {
    /// Nothing before `from` is shown.
    pub(crate) fn starting(from: Timestamp) -> Self {
        Self { from, newest: from, shown: BTreeSet::new() }
    }

    /// The time from which to ask.
    pub(crate) fn from(&self) -> Timestamp {
        self.from.max(self.newest.minus(OVERLAP))
    }

    /// Whether the event was not shown yet; from now on it was.
    pub(crate) fn is_new(&mut self, event: &Value) -> bool {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(id), Some(at)) =
            (text("event_id"), text("timestamp").and_then(|time| Timestamp::parse(time).ok()))
        else {
            return true;
        };
        self.newest = self.newest.max(at);
        let new = self.shown.insert((at, id.to_owned()));
        let kept = (self.from(), String::new());
        self.shown = self.shown.split_off(&kept);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_event_is_shown_once_also_those_that_were_overtaken() {
        let start = Timestamp::parse("2025-05-21T14:00:00Z").unwrap();
        let mut follower = Follower::starting(start);
        let event = |millis: u64, id: &str| {
            let time = start.plus(Duration::from_millis(millis)).to_string();
            json!({"event_id": id, "timestamp": time})
        };
        assert_eq!(follower.from(), start);
        assert!(follower.is_new(&event(500, "a")));
        assert_eq!(follower.from(), start, "nothing from before the start");
        assert!(follower.is_new(&event(500, "b")));
        assert!(!follower.is_new(&event(500, "a")));
        assert!(follower.is_new(&event(1_800, "c")));
        assert!(follower.is_new(&event(900, "overtaken")));
        assert!(!follower.is_new(&event(900, "overtaken")));
        assert!(!follower.is_new(&event(1_800, "c")));
        assert_eq!(follower.from(), start.plus(Duration::from_millis(800)));
        assert_eq!(follower.shown.len(), 2, "what is not asked for any more is forgotten");
    }
}
