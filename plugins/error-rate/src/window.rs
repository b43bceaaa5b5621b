//! A sliding window: events counted in slots of a sixtieth of it. Invariant: the totals are the sums over the slots.

use bridge_telemetry_plugin::Timestamp;
use serde::{Deserialize, Serialize};

/// Slots of a window: the share that the window's edge is off is at most one in so many.
const SLOTS: i64 = 60;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Window {
    /// A slot's start, its events and its errors, by the start. So few are kept that a list is as fast as a map, and smaller.
    slots: Vec<(Timestamp, (u64, u64))>,
    events: u64,
    errors: u64,
}

impl Window {
    /// Counts an event; `length` is the window's, in nanoseconds. The oldest slots beyond the window's number of slots go.
    pub(crate) fn add(&mut self, timestamp: Timestamp, length: i64, is_error: bool) {
        let width = (length / SLOTS).max(1);
        let start = timestamp.saturating_sub(timestamp.rem_euclid(width));
        let error = u64::from(is_error);
        let at = self.slots.partition_point(|(there, _)| *there < start);
        match self.slots.get_mut(at) {
            Some((there, slot)) if *there == start => {
                *slot = (slot.0.saturating_add(1), slot.1.saturating_add(error));
            }
            _ => self.slots.insert(at, (start, (1, error))),
        }
        self.events = self.events.saturating_add(1);
        self.errors = self.errors.saturating_add(error);
        if self.slots.len() as i64 > SLOTS + 1 {
            self.forget_first();
        }
    }

    /// Drops the slots that start before `cutoff`.
    pub(crate) fn forget_before(&mut self, cutoff: Timestamp) {
        while self.slots.first().is_some_and(|(start, _)| *start < cutoff) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if !self.slots.is_empty() {
            let (_, (events, errors)) = self.slots.remove(0);
            self.events = self.events.saturating_sub(events);
            self.errors = self.errors.saturating_sub(errors);
        }
    }

    /// Events and errors in the window.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.events, self.errors)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_slots_go_and_the_totals_with_them() {
        let mut window = Window::default();
        for second in 0..120 {
            window.add(second, 60, second % 10 == 0);
        }
        assert_eq!(window.counts(), (61, 6), "a window and the slot at its edge");
        window.forget_before(110);
        assert_eq!(window.counts(), (10, 1));
        window.add(115, 60, true);
        assert_eq!(window.counts(), (11, 2), "a late one");
        window.forget_before(1_000);
        assert!(window.is_empty());
        assert_eq!(window.counts(), (0, 0));
    }

    #[test]
    fn slots_were_saved_from_a_map_and_are_read_alike() {
        let map = std::collections::BTreeMap::from([(-5_i64, (1_u64, 0_u64)), (60, (2, 1))]);
        let old = bridge_telemetry_plugin::SavedState::new(1, &(&map, 3_u64, 1_u64)).unwrap();
        let window: Window = old.read().unwrap();
        assert_eq!((&window.slots[..], window.counts()), (&[(-5, (1, 0)), (60, (2, 1))][..], (3, 1)));
    }

    #[test]
    fn times_at_the_ends_of_the_range_are_counted() {
        let mut window = Window::default();
        window.add(i64::MIN, i64::MAX, false);
        window.add(i64::MAX, i64::MAX, false);
        assert_eq!(window.counts(), (2, 0));
    }
}
