//! Loop detection (spec §2): the same content (event type, source and data) again and again.
//!
//! Looked at are the last `window` events that came within the last `period`; an event that was there `threshold`
//! times before is refused. A refused event counts as seen: while the storm lasts nothing of it passes, and it passes
//! again as soon as fewer than `threshold` of it came within the period. Data counts as its JSON text: the same keys in
//! another order are other content.
//!
//! Invariant: the ring holds at most `window` entries, and `counts` exactly those of the ring.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::Clock;

use super::fingerprint::{AlreadyHashed, Fingerprints};
use crate::config::LoopConfig;

/// An event that is taken for part of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the same event came {repeats} times before, within the last {window} events and {period:?}")]
pub struct LoopTrip {
    /// How often the content was there before.
    pub repeats: u32,
    /// How many events are looked at.
    pub window: u32,
    /// How long an event is looked at.
    pub period: Duration,
}

/// Watches the content of events; shared by all threads. One check costs well below a microsecond.
#[derive(Debug)]
pub struct LoopGuard {
    threshold: u32,
    window: u32,
    period: Duration,
    exempt: Exempt,
    fingerprints: Fingerprints,
    clock: Arc<dyn Clock>,
    recent: Mutex<Recent>,
}

impl LoopGuard {
    /// A guard that has seen nothing.
    pub fn new(config: &LoopConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            threshold: config.threshold,
            window: config.window,
            period: config.period(),
            exempt: Exempt::new(&config.exempt_event_types),
            fingerprints: Fingerprints::random(),
            clock,
            recent: Mutex::new(Recent::default()),
        }
    }

    /// Sees one event; `data` is its JSON text. Events of an exempt type are not seen at all.
    pub fn check(&self, event_type: &str, source: &str, data: &str) -> Result<(), LoopTrip> {
        if self.exempt.contains(event_type) {
            return Ok(());
        }
        let print = self.fingerprints.of([event_type, source, data]);
        let mut recent = self.recent.lock();
        // Under the lock, so that the ring is in the order of time.
        let now = self.clock.monotonic();
        recent.forget(now, self.period);
        let repeats = recent.see(print, now, self.window);
        drop(recent);
        if repeats >= self.threshold {
            return Err(LoopTrip { repeats, window: self.window, period: self.period });
        }
        Ok(())
    }
}

/// The events that are looked at.
#[derive(Debug, Default)]
struct Recent {
    ring: VecDeque<(u64, Duration)>,
    counts: HashMap<u64, u32, BuildHasherDefault<AlreadyHashed>>,
}

impl Recent {
    /// Drops what is older than a period. Each entry is dropped once, so a call is cheap on average.
    fn forget(&mut self, now: Duration, period: Duration) {
        while self.ring.front().is_some_and(|(_, seen)| now.saturating_sub(*seen) > period) {
            self.drop_oldest();
        }
    }

    /// Adds an event; how often it was there before among the last `window`.
    fn see(&mut self, print: u64, now: Duration, window: u32) -> u32 {
        let count = self.counts.entry(print).or_insert(0);
        let before = *count;
        *count = count.saturating_add(1);
        self.ring.push_back((print, now));
        while self.ring.len() > window as usize {
            self.drop_oldest();
        }
        before
    }

    fn drop_oldest(&mut self) {
        let Some((print, _)) = self.ring.pop_front() else { return };
        if let Some(count) = self.counts.get_mut(&print) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&print);
            }
        }
    }
}

/// Event types that are not looked at.
#[derive(Debug)]
struct Exempt {
    exact: HashSet<String>,
    prefixes: Vec<String>,
}

impl Exempt {
    fn new(patterns: &[String]) -> Self {
        let (prefixes, exact): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.ends_with('*'));
        Self {
            exact: exact.into_iter().cloned().collect(),
            prefixes: prefixes.into_iter().map(|pattern| pattern.trim_end_matches('*').to_owned()).collect(),
        }
    }

    fn contains(&self, event_type: &str) -> bool {
        // Mostly there are none, and an empty set still hashes its argument.
        (!self.exact.is_empty() && self.exact.contains(event_type))
            || self.prefixes.iter().any(|prefix| event_type.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_core::{ManualClock, Timestamp};

    const PERIOD: Duration = Duration::from_millis(1_000);

    fn guard(config: LoopConfig) -> (LoopGuard, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        (LoopGuard::new(&config, clock.clone()), clock)
    }

    fn same(guard: &LoopGuard) -> Result<(), LoopTrip> {
        guard.check("COMMAND", "module", r#"{"n":1}"#)
    }

    #[test]
    fn the_sixth_of_its_kind_trips() {
        let (guard, _) = guard(LoopConfig::default());
        for _ in 0..5 {
            assert_eq!(same(&guard), Ok(()));
        }
        assert_eq!(same(&guard), Err(LoopTrip { repeats: 5, window: 100, period: PERIOD }));
        for other in
            [("COMMANd", "module", r#"{"n":1}"#), ("COMMAND", "m", r#"{"n":1}"#), ("COMMAND", "module", "{}")]
        {
            assert_eq!(guard.check(other.0, other.1, other.2), Ok(()), "{other:?}");
        }
    }

    #[test]
    fn of_a_thousand_identical_events_in_a_second_five_pass() {
        let (guard, clock) = guard(LoopConfig::default());
        let passed = (0..1_000).filter(|_| {
            clock.advance(Duration::from_millis(1));
            same(&guard).is_ok()
        });
        assert_eq!(passed.count(), 5);
        // The storm keeps itself out as long as it lasts; a second of calm lets five more pass.
        clock.advance(PERIOD / 2);
        assert!(same(&guard).is_err());
        clock.advance(PERIOD + Duration::from_millis(1));
        assert_eq!((0..10).filter(|_| same(&guard).is_ok()).count(), 5);
    }

    #[test]
    fn a_steady_pace_below_the_threshold_never_trips() {
        let (guard, clock) = guard(LoopConfig::default());
        for _ in 0..1_000 {
            clock.advance(Duration::from_millis(201));
            assert_eq!(same(&guard), Ok(()));
        }
    }

    #[test]
    fn the_window_is_of_all_events() {
        let (guard, _) = guard(LoopConfig { window: 10, ..LoopConfig::default() });
        for round in 0..100 {
            assert_eq!(same(&guard), Ok(()));
            for other in 0..2 {
                guard.check("OTHER", "module", &format!("[{round},{other}]")).unwrap();
            }
        }
        let recent = guard.recent.lock();
        assert_eq!(recent.ring.len(), 10);
        assert_eq!(recent.counts.values().sum::<u32>(), 10);
    }

    #[test]
    fn exempt_types_repeat_as_they_like() {
        let config =
            LoopConfig { exempt_event_types: vec!["BEAT".into(), "TRACE_*".into()], ..LoopConfig::default() };
        let (guard, _) = self::guard(config);
        for _ in 0..50 {
            guard.check("BEAT", "m", "{}").unwrap();
            guard.check("TRACE_SPAN", "m", "{}").unwrap();
        }
        assert_eq!(guard.recent.lock().ring.len(), 0);
        assert_eq!((0..10).filter(|_| guard.check("BEATS", "m", "{}").is_ok()).count(), 5);
        let (off, _) =
            self::guard(LoopConfig { exempt_event_types: vec!["*".into()], ..LoopConfig::default() });
        assert_eq!((0..10).filter(|_| same(&off).is_ok()).count(), 10);
    }

    #[test]
    fn threads_see_one_window() {
        let (guard, _) = guard(LoopConfig::default());
        let passed = std::thread::scope(|scope| {
            let threads = [(); 8].map(|()| scope.spawn(|| (0..100).filter(|_| same(&guard).is_ok()).count()));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(passed, 5);
    }

    proptest! {
        /// Against the definition, word by word.
        #[test]
        fn agrees_with_the_definition(
            events in prop::collection::vec((0_u8..4, 0_u64..400), 1..200),
            threshold in 1_u32..4,
            window in 4_u32..12,
        ) {
            let config = LoopConfig { threshold, window, ..LoopConfig::default() };
            let (guard, clock) = guard(config);
            let mut history = Vec::<(u8, Duration)>::new();
            for (content, pause) in events {
                clock.advance(Duration::from_millis(pause));
                let now = clock.monotonic();
                let earlier = history.iter().rev().take(window as usize);
                let repeats = earlier.filter(|(c, at)| *c == content && now - *at <= PERIOD).count();
                let passed = guard.check("T", "s", &content.to_string()).is_ok();
                prop_assert_eq!(passed, repeats < threshold as usize);
                history.push((content, now));
            }
        }
    }
}
