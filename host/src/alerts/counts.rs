//! How many rows the outbox holds, and whether it has room for more.

use std::collections::BTreeMap;

use telemetry_core::limits;

/// Why a row that has no room becomes a dead letter.
pub(super) const FULL: &str = "the outbox is full";

/// A number of rows, in all and by monitor.
#[derive(Debug, Default)]
struct Rows {
    in_all: usize,
    by_monitor: BTreeMap<String, usize>,
}

impl Rows {
    fn of(&self, monitor: &str) -> usize {
        self.by_monitor.get(monitor).copied().unwrap_or(0)
    }

    fn add(&mut self, monitor: &str) {
        self.in_all = self.in_all.saturating_add(1);
        let count = self.by_monitor.entry(monitor.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    fn remove(&mut self, monitor: &str) {
        self.in_all = self.in_all.saturating_sub(1);
        if let Some(count) = self.by_monitor.get_mut(monitor) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_monitor.remove(monitor);
            }
        }
    }
}

/// What one write is about to change in the outbox.
#[derive(Debug, Default)]
pub(super) struct Plan {
    added: Rows,
    taken: Rows,
}

impl Plan {
    /// A row of this monitor's is to be added.
    pub(super) fn add(&mut self, monitor: &str) {
        self.added.add(monitor);
    }

    /// A row of this monitor's leaves in the same write.
    pub(super) fn take(&mut self, monitor: &str) {
        self.taken.add(monitor);
    }
}

/// What the outbox holds. Who asks for room and stores later may meet others who were told of the same room: the limits hold
/// give or take what is being stored just then.
#[derive(Debug, Default)]
pub(super) struct Counts {
    rows: Rows,
    pub(super) dead: usize,
    pub(super) dead_dropped: u64,
}

impl Counts {
    /// No rows yet, and so many dead letters.
    pub(super) fn of_dead(dead: usize) -> Self {
        Self { dead, ..Self::default() }
    }

    /// Rows that wait or are on their way.
    pub(super) fn pending(&self) -> usize {
        self.rows.in_all
    }

    /// Whether one more row of this monitor's may wait, beside those that are planned.
    pub(super) fn has_room_for(&self, monitor: &str, plan: &Plan) -> bool {
        let is_below = |rows: usize, added: usize, taken: usize, limit: usize| {
            rows.saturating_add(added) < limit.saturating_add(taken)
        };
        let Plan { added, taken } = plan;
        is_below(self.rows.in_all, added.in_all, taken.in_all, limits::MAX_PENDING_DELIVERIES)
            && is_below(
                self.rows.of(monitor),
                added.of(monitor),
                taken.of(monitor),
                limits::MAX_PENDING_PER_MONITOR,
            )
    }

    pub(super) fn add(&mut self, monitor: &str) {
        self.rows.add(monitor);
    }

    pub(super) fn remove(&mut self, monitor: &str) {
        self.rows.remove(monitor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(monitors: usize) -> Counts {
        let mut counts = Counts::default();
        for monitor in 0..monitors {
            for _ in 0..limits::MAX_PENDING_PER_MONITOR {
                counts.add(&monitor.to_string());
            }
        }
        counts
    }

    #[test]
    fn a_monitor_has_its_share_and_all_have_theirs_together() {
        let counts = holding(1);
        assert!(!counts.has_room_for("0", &Plan::default()));
        assert!(counts.has_room_for("1", &Plan::default()));
        let mut counts = holding(limits::MAX_PENDING_DELIVERIES / limits::MAX_PENDING_PER_MONITOR);
        assert_eq!(counts.pending(), limits::MAX_PENDING_DELIVERIES);
        assert!(!counts.has_room_for("another", &Plan::default()));
        counts.remove("0");
        assert!(counts.has_room_for("another", &Plan::default()));
    }

    #[test]
    fn what_is_planned_takes_room_and_gives_it() {
        let mut counts = holding(1);
        let mut plan = Plan::default();
        plan.take("0");
        assert!(counts.has_room_for("0", &plan));
        plan.add("0");
        assert!(!counts.has_room_for("0", &plan), "one for one");
        counts.remove("0");
        assert!(counts.has_room_for("0", &plan));
    }
}
