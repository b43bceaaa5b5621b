//! Which states are kept, and what is to be done for them; in memory, with the kinds of states in `meta`.
//!
//! Invariant: a kind whose rows may exist is known, from its registration until after its last row is removed: sealing removes
//! the rows of all known kinds.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::{Mutex, RwLock};
use telemetry_core::aggregation::{KeptStates, StateIdentity};
use telemetry_core::{Timestamp, limits};

use super::registration::StateRollup;
use super::stats::StateRollupStats;
use crate::database::Database;
use crate::error::StoreError;
use crate::families::META;
use crate::meta;

/// What is known of all kinds of kept states.
#[derive(Debug, Default)]
pub(crate) struct StateBook {
    kinds: RwLock<BTreeMap<u64, Kind>>,
    /// Held by who builds: one at a time.
    pub(super) building: Mutex<()>,
}

/// One kind of kept states.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) states: KeptStates,
    identity: StateIdentity,
    /// What is to be built; absent for a kind that nobody registered since the store was opened.
    pub(super) rollup: Option<StateRollup>,
    /// What is to be looked at, by the partition's first instant.
    pub(super) work: BTreeMap<i64, Work>,
    /// Partitions that certainly have no mark of being looked through.
    unmarked: BTreeSet<i64>,
    pub(super) counts: StateRollupStats,
}

/// What is to be looked at in one partition.
#[derive(Debug)]
pub(super) enum Work {
    /// All of it.
    All,
    /// These series.
    Series(Waiting),
}

/// Series that are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Now.
    ready: BTreeSet<u32>,
    /// From an instant on, when a bucket closes.
    later: BTreeMap<u32, i64>,
}

/// One series of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) partition: i64,
    pub(super) series: u32,
    pub(super) due: i64,
}

/// What is to be looked at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// All series of a partition.
    Partition(i64),
    /// One series.
    Series(Item),
}

impl Waiting {
    fn len(&self) -> usize {
        self.ready.len().saturating_add(self.later.len())
    }

    fn holds(&self, series: u32) -> bool {
        self.ready.contains(&series) || self.later.contains_key(&series)
    }

    fn add(&mut self, series: u32, due: i64) {
        if due == i64::MIN {
            self.later.remove(&series);
            self.ready.insert(series);
        } else if !self.ready.contains(&series) {
            let held = self.later.entry(series).or_insert(due);
            *held = (*held).min(due);
        }
    }

    fn wake(&mut self, now: i64) {
        let ready = &mut self.ready;
        self.later.retain(|series, due| {
            let due = *due <= now;
            if due {
                ready.insert(*series);
            }
            !due
        });
    }
}

impl Kind {
    pub(super) fn new(identity: StateIdentity, states: KeptStates) -> Self {
        Self {
            states,
            identity,
            rollup: None,
            work: BTreeMap::new(),
            unmarked: BTreeSet::new(),
            counts: StateRollupStats::default(),
        }
    }

    fn pending(&self) -> usize {
        self.work.values().map(|work| if let Work::Series(waiting) = work { waiting.len() } else { 0 }).sum()
    }

    /// Notes that a series is to be looked at once `due` is past.
    pub(super) fn add(&mut self, Item { partition, series, due }: Item) {
        let full = self.pending() >= limits::MAX_PENDING_STATE_SERIES;
        let work = self.work.entry(partition).or_insert_with(|| Work::Series(Waiting::default()));
        let Work::Series(waiting) = work else { return };
        if full && !waiting.holds(series) {
            // Looking through the partition finds it as well.
            *work = Work::All;
        } else {
            waiting.add(series, due);
        }
    }

    /// What is to be looked at next, the latest partition first; it is taken out.
    pub(super) fn next(&mut self) -> Option<Next> {
        for (partition, work) in self.work.iter_mut().rev() {
            match work {
                Work::All => {
                    *work = Work::Series(Waiting::default());
                    return Some(Next::Partition(*partition));
                }
                Work::Series(waiting) => {
                    if let Some(series) = waiting.ready.pop_first() {
                        return Some(Next::Series(Item { partition: *partition, series, due: i64::MIN }));
                    }
                }
            }
        }
        None
    }

    /// Makes ready what is due at `now`.
    pub(super) fn wake(&mut self, now: i64) {
        for work in self.work.values_mut() {
            if let Work::Series(waiting) = work {
                waiting.wake(now);
            }
        }
    }

    /// The partitions of which everything was looked at.
    pub(super) fn looked_through(&self) -> Vec<i64> {
        let is_done = |work: &Work| matches!(work, Work::Series(waiting) if waiting.len() == 0);
        self.work.iter().filter(|(_, work)| is_done(work)).map(|(partition, _)| *partition).collect()
    }

    fn stats(&self) -> StateRollupStats {
        let due = self.work.iter().filter_map(|(partition, work)| match work {
            Work::All => Some(*partition),
            Work::Series(waiting) if !waiting.ready.is_empty() => Some(*partition),
            Work::Series(_) => None,
        });
        StateRollupStats {
            fingerprint: format!("{:016x}", self.states.fingerprint),
            function: self.identity.function.clone(),
            parameters: self.identity.parameters.clone(),
            origin: self.identity.origin.clone(),
            bucket_seconds: self.states.width.unsigned_abs() / 1_000_000_000,
            registered: self.rollup.is_some(),
            pending_series: self.pending() as u64,
            pending_partitions: self.work.values().filter(|work| matches!(work, Work::All)).count() as u64,
            behind_since: due.min().map(Timestamp::from_nanos),
            ..self.counts.clone()
        }
    }
}

impl StateBook {
    /// The kinds that the store's last owner left.
    pub(crate) fn load(database: &Database) -> Result<Self, StoreError> {
        let (lower, upper) = meta::kept_states_keys();
        let family = database.family(META)?;
        let mut rows = database.rows(&family, lower, upper);
        let mut kinds = BTreeMap::new();
        rows.first();
        while let Some((key, value)) = rows.row() {
            match meta::read_kept_states(key, value) {
                Ok((identity, states)) => drop(kinds.insert(states.fingerprint, Kind::new(identity, states))),
                // Its rows are unknown to everybody, until it is registered again and they are removed.
                Err(damage) => database.reports().add(damage.to_string()),
            }
            rows.forward();
        }
        rows.check("kinds of kept states")?;
        Ok(Self { kinds: RwLock::new(kinds), building: Mutex::new(()) })
    }

    /// All kinds.
    pub(super) fn known(&self) -> Vec<KeptStates> {
        self.kinds.read().values().map(|kind| kind.states).collect()
    }

    /// All kinds with what determines them.
    pub(crate) fn identities(&self) -> Vec<(StateIdentity, KeptStates)> {
        self.kinds.read().values().map(|kind| (kind.identity.clone(), kind.states)).collect()
    }

    /// Whether there is any kind.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.read().is_empty()
    }

    /// The state of all kinds.
    pub(crate) fn stats(&self) -> Vec<StateRollupStats> {
        self.kinds.read().values().map(Kind::stats).collect()
    }

    /// Looks at or changes one kind; `None` when it is not known.
    pub(super) fn with<T>(&self, fingerprint: u64, look: impl FnOnce(&mut Kind) -> T) -> Option<T> {
        self.kinds.write().get_mut(&fingerprint).map(look)
    }

    /// Adds a kind, unless it is known.
    pub(super) fn learn(&self, identity: &StateIdentity, states: KeptStates) {
        let kind = || Kind::new(identity.clone(), states);
        self.kinds.write().entry(states.fingerprint).or_insert_with(kind);
    }

    /// Forgets a kind that has no rows.
    pub(super) fn forget(&self, fingerprint: u64) {
        self.kinds.write().remove(&fingerprint);
    }

    /// Notes that samples of a series were sealed, which removed so many states of each kind.
    pub(super) fn note_sealed(&self, partition: i64, series: u32, metric: &str, removed: &[(u64, u64)]) {
        for kind in self.kinds.write().values_mut() {
            let gone = removed.iter().find(|(fingerprint, _)| *fingerprint == kind.states.fingerprint);
            let gone = gone.map_or(0, |(_, count)| *count);
            kind.counts.states_invalidated = kind.counts.states_invalidated.saturating_add(gone);
            if kind.rollup.as_ref().is_some_and(|rollup| rollup.wants(metric)) {
                kind.add(Item { partition, series, due: i64::MIN });
            }
        }
    }

    /// Whether a partition may have a mark of being looked through; after asking, it counts as unmarked.
    pub(super) fn takes_mark(&self, fingerprint: u64, partition: i64) -> bool {
        self.with(fingerprint, |kind| kind.unmarked.insert(partition)).unwrap_or(false)
    }

    /// Notes that marks which were taken may still be there.
    pub(super) fn doubt_marks(&self) {
        self.kinds.write().values_mut().for_each(|kind| kind.unmarked.clear());
    }

    /// Notes that a partition has a mark.
    pub(super) fn marked(&self, fingerprint: u64, partition: i64) {
        self.with(fingerprint, |kind| kind.unmarked.remove(&partition));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> Kind {
        let identity =
            StateIdentity { function: "f".into(), parameters: String::new(), origin: "built-in".into() };
        Kind::new(identity, KeptStates { fingerprint: 1, width: 1 })
    }

    #[test]
    fn a_series_is_looked_at_as_soon_as_anybody_wants() {
        let mut kind = kind();
        let item = |partition, series, due| Item { partition, series, due };
        for due in [50, 20, 90] {
            kind.add(item(0, 7, due));
        }
        kind.add(item(1, 7, i64::MIN));
        assert_eq!(kind.stats().pending_series, 2);
        assert_eq!(kind.next(), Some(Next::Series(item(1, 7, i64::MIN))));
        assert_eq!((kind.next(), kind.looked_through()), (None, vec![1]));
        kind.wake(19);
        assert_eq!(kind.next(), None);
        kind.wake(20);
        assert_eq!(kind.stats().behind_since, Some(Timestamp::EPOCH));
        assert_eq!(kind.next(), Some(Next::Series(item(0, 7, i64::MIN))));
    }

    #[test]
    fn all_of_a_partition_includes_each_series() {
        let mut kind = kind();
        kind.work.insert(0, Work::All);
        kind.add(Item { partition: 0, series: 8, due: i64::MIN });
        assert_eq!(kind.next(), Some(Next::Partition(0)));
        // What is sealed while it is looked through is looked at again.
        kind.add(Item { partition: 0, series: 8, due: i64::MIN });
        assert!(matches!(kind.next(), Some(Next::Series(Item { series: 8, .. }))));
    }
}
