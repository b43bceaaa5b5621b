//! The active series: found by name and context without allocating, bounded in number.
//!
//! Invariant: a series id has at most one [`Series`]; one is let go only when its head is empty and nobody holds it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use telemetry_core::{Context, SeriesKey};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::head::Series;

/// Spreads numbers that are hashes or counters already over the table.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
    fn write_u32(&mut self, value: u32) {
        // Fibonacci hashing: neighbours end up far apart, in the upper bits too.
        self.0 = u64::from(value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Takes the samples of metrics beyond the limit of series in all, once that many metrics have an overflow series.
const CATCH_ALL_METRIC: &str = "bridge_telemetry_overflow";

type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// How many series may be active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesLimits {
    /// Of one metric.
    pub(crate) per_metric: u32,
    /// In all.
    pub(crate) total: u32,
}

/// All active series.
#[derive(Debug)]
pub(crate) struct Registry {
    index: RwLock<ActiveSeries>,
    ids: Mutex<SeriesIds>,
    limits: SeriesLimits,
    seed: u64,
    /// Memory that the active series take, about, in bytes.
    bytes: AtomicU64,
}

/// What an active series takes beside its texts, about, in bytes: itself and its places in two tables that are half full.
const SERIES_BYTES: u64 = (size_of::<Series>() as u64).saturating_add(176);

/// The memory of one active series with its context, in bytes. Names are shared.
fn bytes_of(series: &Series) -> u64 {
    SERIES_BYTES.saturating_add(series.key.context.as_str().len() as u64)
}

/// The next series ids. Holding it serialises the introduction of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesIds {
    /// The next id to give out.
    pub(crate) next: u32,
    /// Ids below this are noted in the store as given out.
    pub(crate) reserved: u32,
}

/// The tables of active series.
#[derive(Debug, Default)]
pub(crate) struct ActiveSeries {
    by_key: ByNumber<u64, SmallVec<[Arc<Series>; 1]>>,
    by_id: ByNumber<u32, Arc<Series>>,
    metrics: HashMap<Arc<str>, Metric>,
    total: u32,
}

#[derive(Debug, Default)]
struct Metric {
    active: u32,
    overflow: Option<Arc<Series>>,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved<'a> {
    /// The series itself.
    Found(&'a Arc<Series>),
    /// The metric's overflow series: there may be no further series.
    Overflow(&'a Arc<Series>),
    /// Neither yet: the series, or with `overflow` the metric's overflow series, must be introduced.
    Missing {
        /// Whether there may be no further series.
        overflow: bool,
    },
}

impl Registry {
    /// No active series. `seed` must be random: it keeps crafted names from colliding.
    pub(crate) fn new(limits: SeriesLimits, seed: u64, ids: SeriesIds) -> Self {
        let bytes = AtomicU64::new(0);
        Self { index: RwLock::new(ActiveSeries::default()), ids: Mutex::new(ids), limits, seed, bytes }
    }

    /// Memory that the active series take, their samples not counted, about, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The tables, for finding many series.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, ActiveSeries> {
        self.index.read()
    }

    /// The ids, for introducing series; nobody else introduces one meanwhile.
    pub(crate) fn ids(&self) -> MutexGuard<'_, SeriesIds> {
        self.ids.lock()
    }

    fn hash(&self, key: &SeriesKey) -> u64 {
        hash_of(&key.name, self.context_hash(&key.context))
    }

    fn context_hash(&self, context: &Context) -> u64 {
        xxh3_64_with_seed(context.as_str().as_bytes(), self.seed)
    }

    /// Finds series in these tables, which are this registry's.
    pub(crate) fn lookup<'a, 'k>(&'a self, active: &'a ActiveSeries) -> Lookup<'a, 'k> {
        Lookup { registry: self, active, context: None }
    }

    /// What the key of a series that is not active leads to.
    fn beyond<'a>(&self, index: &'a ActiveSeries, key: &SeriesKey) -> Resolved<'a> {
        let metric = index.metrics.get(&key.name);
        let active = metric.map_or(0, |metric| metric.active);
        if active < self.limits.per_metric && index.total < self.limits.total {
            return Resolved::Missing { overflow: false };
        }
        let name = self.overflow_name(index, &key.name);
        match index.metrics.get(name).and_then(|metric| metric.overflow.as_ref()) {
            Some(series) => Resolved::Overflow(series),
            None => Resolved::Missing { overflow: true },
        }
    }

    fn overflow_name<'n>(&self, index: &ActiveSeries, name: &'n str) -> &'n str {
        let bounded = index.metrics.contains_key(name) || index.metrics.len() < self.limits.total as usize;
        if bounded { name } else { CATCH_ALL_METRIC }
    }

    /// The key of the overflow series that takes samples of this metric.
    pub(crate) fn overflow_key(&self, index: &ActiveSeries, key: &SeriesKey) -> SeriesKey {
        let name = self.overflow_name(index, &key.name);
        let name = if *name == *key.name { Arc::clone(&key.name) } else { name.into() };
        SeriesKey { name, context: Context::default() }
    }

    /// Adds a series unless its id is there already; answers the one that is.
    pub(crate) fn insert(&self, series: Series) -> Arc<Series> {
        let hash = self.hash(&series.key);
        let mut index = self.index.write();
        if let Some(present) = index.by_id.get(&series.id) {
            return Arc::clone(present);
        }
        let series = Arc::new(series);
        self.bytes.fetch_add(bytes_of(&series), Ordering::Relaxed);
        index.by_id.insert(series.id, Arc::clone(&series));
        let metric = index.metrics.entry(Arc::clone(&series.key.name)).or_default();
        if series.overflow {
            metric.overflow = Some(Arc::clone(&series));
        } else {
            metric.active = metric.active.saturating_add(1);
            index.total = index.total.saturating_add(1);
            index.by_key.entry(hash).or_default().push(Arc::clone(&series));
        }
        series
    }

    /// Lets go of series whose head is empty and which `idle` says are no longer used. Answers how many.
    pub(crate) fn evict(&self, idle: impl Fn(&Series) -> bool) -> usize {
        let candidates: Vec<u32> = {
            let index = self.index.read();
            index.by_id.values().filter(|series| idle(series)).map(|series| series.id).collect()
        };
        let mut index = self.index.write();
        candidates.into_iter().filter(|id| self.evict_one(&mut index, *id, &idle)).count()
    }

    fn evict_one(&self, index: &mut ActiveSeries, id: u32, idle: &impl Fn(&Series) -> bool) -> bool {
        let Some(series) = index.by_id.get(&id) else { return false };
        // Two of them are this registry's own.
        if Arc::strong_count(series) > 2 || !series.head().is_empty() || !idle(series) {
            return false;
        }
        let Some(series) = index.by_id.remove(&id) else { return false };
        self.bytes.fetch_sub(bytes_of(&series), Ordering::Relaxed);
        let name = &series.key.name;
        if series.overflow {
            if let Some(metric) = index.metrics.get_mut(name) {
                metric.overflow = None;
            }
        } else {
            let hash = self.hash(&series.key);
            if let Some(chain) = index.by_key.get_mut(&hash) {
                chain.retain(|other| other.id != id);
                if chain.is_empty() {
                    index.by_key.remove(&hash);
                }
            }
            if let Some(metric) = index.metrics.get_mut(name) {
                metric.active = metric.active.saturating_sub(1);
            }
            index.total = index.total.saturating_sub(1);
        }
        if index.metrics.get(name).is_some_and(|metric| metric.active == 0 && metric.overflow.is_none()) {
            index.metrics.remove(name);
        }
        true
    }
}

/// Finds one series after the other.
#[derive(Debug)]
pub(crate) struct Lookup<'a, 'k> {
    registry: &'a Registry,
    active: &'a ActiveSeries,
    /// The last context with its hash: the metrics of one source come together and mostly share it.
    context: Option<(&'k Context, u64)>,
}

impl<'a, 'k> Lookup<'a, 'k> {
    /// What a key leads to.
    pub(crate) fn resolve(&mut self, key: &'k SeriesKey) -> Resolved<'a> {
        let context = match self.context {
            Some((context, hash)) if is_shared(context.as_str(), key.context.as_str()) => hash,
            _ => {
                let hash = self.registry.context_hash(&key.context);
                self.context = Some((&key.context, hash));
                hash
            }
        };
        let chain = self.active.by_key.get(&hash_of(&key.name, context));
        match chain.and_then(|chain| chain.iter().find(|series| is_same(&series.key, key))) {
            Some(series) => Resolved::Found(series),
            None => self.registry.beyond(self.active, key),
        }
    }
}

fn hash_of(name: &str, context_hash: u64) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), context_hash)
}

/// Whether both are one text in memory, so that it need not be read.
fn is_shared(one: &str, two: &str) -> bool {
    std::ptr::eq(one, two)
}

fn is_same(one: &SeriesKey, two: &SeriesKey) -> bool {
    let (context, other) = (one.context.as_str(), two.context.as_str());
    (is_shared(&one.name, &two.name) || one.name == two.name)
        && (is_shared(context, other) || context == other)
}

impl ActiveSeries {
    /// The series with this id.
    pub(crate) fn by_id(&self, id: u32) -> Option<&Arc<Series>> {
        self.by_id.get(&id)
    }

    /// All active series.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_id.values()
    }

    /// How many series are active.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Vacancy;

    fn key(name: &str, host: &str) -> SeriesKey {
        SeriesKey { name: name.into(), context: Context::from_labels([("host", host)]) }
    }

    fn registry() -> Registry {
        Registry::new(SeriesLimits { per_metric: 2, total: 3 }, 7, SeriesIds { next: 1, reserved: 1 })
    }

    fn add(registry: &Registry, id: u32, key: SeriesKey, overflow: bool) -> Arc<Series> {
        registry.insert(Series::new(id, key, overflow, Vacancy::ALL))
    }

    #[test]
    fn found_by_key_and_id() {
        let registry = registry();
        let cpu = add(&registry, 1, key("cpu", "a"), false);
        let index = registry.read();
        let Resolved::Found(found) = registry.lookup(&index).resolve(&key("cpu", "a")) else {
            panic!("found")
        };
        assert!(Arc::ptr_eq(found, &cpu));
        assert!(index.by_id(1).is_some());
        let missing = registry.lookup(&index).resolve(&key("cpu", "b"));
        assert!(matches!(missing, Resolved::Missing { overflow: false }));
    }

    #[test]
    fn beyond_the_limits_only_the_overflow_series() {
        let registry = registry();
        add(&registry, 1, key("cpu", "a"), false);
        add(&registry, 2, key("cpu", "b"), false);
        let check = |key: SeriesKey, expected: &str| {
            let index = registry.read();
            let found = match registry.lookup(&index).resolve(&key) {
                Resolved::Found(series) => format!("found {}", series.id),
                Resolved::Overflow(series) => format!("overflow {}", series.id),
                Resolved::Missing { overflow } => format!("missing {overflow}"),
            };
            assert_eq!(found, expected, "{key:?}");
        };
        check(key("cpu", "c"), "missing true");
        add(&registry, 3, SeriesKey { name: "cpu".into(), context: Context::default() }, true);
        check(key("cpu", "c"), "overflow 3");
        check(key("cpu", "a"), "found 1");
        check(key("load", "a"), "missing false");
        add(&registry, 4, key("load", "a"), false);
        check(key("load", "b"), "missing true");
        add(&registry, 5, SeriesKey { name: "load".into(), context: Context::default() }, true);
        add(&registry, 6, SeriesKey { name: "disk".into(), context: Context::default() }, true);
        let further = registry.overflow_key(&registry.read(), &key("net", "a"));
        assert_eq!(&*further.name, CATCH_ALL_METRIC);
        add(&registry, 7, further, true);
        check(key("net", "a"), "overflow 7");
        check(key("disk", "a"), "overflow 6");
    }

    #[test]
    fn only_unused_series_are_let_go() {
        let registry = registry();
        add(&registry, 1, key("cpu", "a"), false);
        let held = add(&registry, 2, key("cpu", "b"), false);
        let buffered = add(&registry, 3, key("load", "a"), false);
        buffered.head().push_published(1, &1.into(), 1);
        drop(buffered);
        assert_eq!(registry.evict(|_| true), 1);
        drop(held);
        assert_eq!(registry.evict(|_| true), 1);
        assert_eq!(registry.read().len(), 1);
        let index = registry.read();
        assert!(matches!(
            registry.lookup(&index).resolve(&key("cpu", "a")),
            Resolved::Missing { overflow: false }
        ));
    }
}
