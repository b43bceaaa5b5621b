//! The ticks of the log: the only clock that monitors have.
//!
//! Each interval has a grid of instants that are multiples of it. A tick is appended for the latest instant of each grid
//! that has passed, so a tick's time alone says whose it is, today and in a replay, whoever else was configured.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry_core::time::saturating_nanos;
use telemetry_core::{Subscription, Timestamp, limits};

/// The monitor's tick interval within the limits, in nanoseconds; `None` when it wants no ticks.
pub(super) fn interval(subscription: &Subscription) -> Option<i64> {
    let asked = subscription.tick?;
    Some(saturating_nanos(asked.clamp(limits::MIN_TICK_INTERVAL, limits::MAX_TICK_INTERVAL)))
}

/// Whether a tick of the log belongs to a monitor with this interval.
pub(super) fn belongs(tick: Timestamp, interval: i64) -> bool {
    tick.floor_to(interval) == tick
}

/// Which ticks are due.
#[derive(Debug, Default)]
pub(super) struct TickGrid {
    /// The last instant of each interval's grid, and how many monitors have that interval.
    grids: BTreeMap<i64, (Timestamp, usize)>,
    seen: Option<Timestamp>,
}

impl TickGrid {
    /// A monitor wants ticks from `now` on.
    pub(super) fn add(&mut self, interval: i64, now: Timestamp) {
        self.grids.entry(interval).or_insert((now.floor_to(interval), 0)).1 += 1;
    }

    /// A monitor wants no ticks any more.
    pub(super) fn remove(&mut self, interval: i64) {
        if let Some((_, monitors)) = self.grids.get_mut(&interval) {
            *monitors = monitors.saturating_sub(1);
            if *monitors == 0 {
                self.grids.remove(&interval);
            }
        }
    }

    /// The ticks to append now, in order. Late ticks carry the time at which they were due; of several missed ones of one
    /// grid only the last is made up for.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Timestamp> {
        let went_back = self.seen.is_some_and(|seen| now < seen);
        self.seen = Some(now);
        let mut ticks = Vec::new();
        for (interval, (last, _)) in &mut self.grids {
            let latest = now.floor_to(*interval);
            if latest > *last && !went_back {
                ticks.push(latest);
            }
            if latest > *last || went_back {
                *last = latest;
            }
        }
        ticks.sort_unstable();
        ticks.dedup();
        ticks
    }

    /// How long until the next tick is due; `None` when nobody wants any.
    pub(super) fn next_in(&self, now: Timestamp) -> Option<Duration> {
        let next = |(interval, (last, _)): (&i64, &(Timestamp, usize))| {
            Timestamp::from_nanos(last.nanos().saturating_add(*interval))
        };
        self.grids.iter().map(next).min().map(|next| next.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn ticks_lie_on_the_grids() {
        let mut grid = TickGrid::default();
        assert_eq!((grid.due(at(0)), grid.next_in(at(0))), (vec![], None));
        grid.add(SECOND, at(300));
        grid.add(5 * SECOND, at(300));
        assert_eq!(grid.next_in(at(300)), Some(Duration::from_millis(700)));
        assert_eq!(grid.due(at(999)), []);
        assert_eq!(grid.due(at(1001)), [at(1000)]);
        assert_eq!(grid.due(at(1999)), []);
        assert_eq!(grid.due(at(6300)), [at(5000), at(6000)], "a stall loses no tick of the slower grid");
        grid.remove(SECOND);
        assert_eq!(grid.due(at(9000)), []);
        assert_eq!(grid.due(at(10_000)), [at(10_000)]);
    }

    #[test]
    fn a_clock_that_goes_back_goes_on_ticking() {
        let mut grid = TickGrid::default();
        grid.add(SECOND, at(0));
        assert_eq!(grid.due(at(100_000)), [at(100_000)]);
        assert_eq!(grid.due(at(2_000)), []);
        assert_eq!(grid.due(at(3_000)), [at(3_000)]);
    }

    #[test]
    fn intervals_are_bounded() {
        let tick = |tick| interval(&Subscription { tick, ..Subscription::default() });
        assert_eq!(tick(None), None);
        assert_eq!(tick(Some(Duration::ZERO)), Some(SECOND / 10));
        assert_eq!(tick(Some(Duration::MAX)), Some(86_400 * SECOND));
    }

    proptest! {
        /// With a clock that goes forward, each monitor gets exactly the latest instant of its grid at each look.
        #[test]
        fn every_monitor_gets_its_own(
            intervals in prop::collection::vec(1..20_i64, 1..4),
            steps in prop::collection::vec(0..5_000_i64, 1..50),
        ) {
            let mut grid = TickGrid::default();
            let intervals: Vec<i64> = intervals.iter().map(|interval| interval * SECOND / 4).collect();
            for interval in &intervals {
                grid.add(*interval, at(0));
            }
            let (mut now, mut log) = (0, Vec::new());
            let mut looks = vec![at(0)];
            for step in steps {
                now += step;
                log.extend(grid.due(at(now)));
                looks.push(at(now));
            }
            prop_assert!(log.is_sorted());
            for interval in intervals {
                let found: Vec<_> = log.iter().copied().filter(|tick| belongs(*tick, interval)).collect();
                let mut expected: Vec<_> = looks.iter().map(|look| look.floor_to(interval)).collect();
                expected.dedup();
                expected.remove(0);
                // Another grid's tick may lie on this one too, at an instant that was passed over between two looks.
                prop_assert!(expected.iter().all(|tick| found.contains(tick)));
                prop_assert!(found.is_sorted());
            }
        }
    }
}
