//! Built-in functions as if there were few accumulators of them, as of a plugin's: a pool that counts them, and waits.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};
use telemetry_core::ManualClock;
use telemetry_core::aggregation::{
    Accumulator, AccumulatorsAtOnce, AggregateValue, Aggregation, AggregationError, AggregationSource,
    BuiltIn, SampleOrder, SampleRun,
};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};

use crate::aggregation::AggregationRegistry;
use crate::query::MetricQuery;

/// What stands before the name of a built-in function of which there are few accumulators.
const FEW: &str = "few_";

thread_local! {
    /// Accumulators that this thread has.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

/// The accumulators that there are, and what became of them.
#[derive(Default)]
pub(super) struct Pool {
    pub(super) most: usize,
    pub(super) used: Mutex<usize>,
    pub(super) freed: Condvar,
    pub(super) waiting: AtomicUsize,
    /// The value at which a function fails.
    pub(super) fatal: Option<f64>,
    /// Helpers are always told to give way.
    pub(super) crowded: bool,
    /// States cannot be saved.
    pub(super) unsaved: bool,
    /// How often whoever asks is told that all are busy, once so many were given out. Each time takes a second of the clock.
    pub(super) busy: AtomicUsize,
    pub(super) busy_after: usize,
    pub(super) clock: Option<Arc<ManualClock>>,
    pub(super) whole: AtomicBool,
    /// Another query's states do not get across when so many were saved and merged here; 0 for never.
    pub(super) whole_after: usize,
    pub(super) saves: AtomicUsize,
    pub(super) merges: AtomicUsize,
    pub(super) failures: AtomicUsize,
    /// Accumulators that were given out, and those of them that helpers got.
    pub(super) given: AtomicUsize,
    pub(super) spares: AtomicUsize,
}

impl Pool {
    pub(super) fn of(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    fn refuse(&self) -> Result<(), AggregationError> {
        let wait = Duration::from_secs(1);
        let less = |busy: usize| busy.checked_sub(1);
        let is_busy = self.given.load(Ordering::SeqCst) >= self.busy_after
            && self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if !is_busy {
            return Ok(());
        }
        if let Some(clock) = &self.clock {
            clock.advance(wait);
        }
        Err(failure(FailureReason::Busy(wait)))
    }

    fn take(&self) {
        let mut used = self.used.lock().unwrap();
        if *used >= self.most {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let (freed, waited) = self
                .freed
                .wait_timeout_while(used, Duration::from_secs(60), |used| *used >= self.most)
                .unwrap();
            assert!(!waited.timed_out(), "threads wait for each other");
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            used = freed;
        }
        *used += 1;
    }

    fn take_spare(&self) -> bool {
        let mut used = self.used.lock().unwrap();
        let is_free = *used < self.most && self.waiting.load(Ordering::SeqCst) == 0;
        *used += usize::from(is_free);
        is_free
    }

    fn give_back(&self) {
        *self.used.lock().unwrap() -= 1;
        self.freed.notify_one();
    }

    fn note_moved(&self) {
        let moved = self.saves.load(Ordering::SeqCst) + self.merges.load(Ordering::SeqCst);
        if moved == self.whole_after {
            self.whole.store(true, Ordering::SeqCst);
        }
    }

    /// The pool as a source of functions.
    pub(super) fn registry(self: &Arc<Self>) -> AggregationRegistry {
        let source: Arc<dyn AggregationSource> = Arc::new(Source(Arc::clone(self)));
        AggregationRegistry::new([source])
    }
}

struct Source(Arc<Pool>);

impl AggregationSource for Source {
    fn names(&self) -> Vec<String> {
        BuiltIn::ALL.map(|function| format!("{FEW}{}", function.as_str())).to_vec()
    }

    fn find(
        &self,
        name: &str,
        _: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
        let function = BuiltIn::from_name(name.strip_prefix(FEW)?)?;
        Some(Ok(Arc::new(Few { function, pool: Arc::clone(&self.0) })))
    }
}

/// A built-in function with few accumulators. It goes by the built-in one's name.
struct Few {
    function: BuiltIn,
    pool: Arc<Pool>,
}

impl Few {
    fn begin(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        assert_eq!(MINE.replace(1), 0, "a thread has one at a time");
        self.pool.given.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FewStates { inner: self.function.accumulator()?, pool: Arc::clone(&self.pool) }))
    }
}

impl Aggregation for Few {
    fn name(&self) -> &str {
        self.function.as_str()
    }
    fn mergeable(&self) -> bool {
        self.function.mergeable()
    }
    fn needs_timestamps(&self) -> bool {
        self.function.needs_timestamps()
    }
    fn order(&self) -> SampleOrder {
        self.function.order()
    }
    fn sums_over_series(&self) -> bool {
        self.function.sums_over_series()
    }
    fn per_second(&self) -> bool {
        self.function.per_second()
    }
    fn continues_over_buckets(&self) -> bool {
        self.function.continues_over_buckets()
    }
    fn counts_text(&self) -> bool {
        self.function.counts_text()
    }
    fn accumulators_at_once(&self) -> AccumulatorsAtOnce {
        let whole = self.pool.whole.load(Ordering::SeqCst);
        AccumulatorsAtOnce::PerThread(if whole { 1 } else { self.pool.most })
    }
    fn handing_over_failed(&self, _: &AggregationError) {
        self.pool.whole.store(true, Ordering::SeqCst);
    }
    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        self.pool.refuse()?;
        self.pool.take();
        self.begin()
    }
    fn spare_accumulator(&self) -> Result<Option<Box<dyn Accumulator>>, AggregationError> {
        if !self.pool.take_spare() {
            return Ok(None);
        }
        self.pool.spares.fetch_add(1, Ordering::SeqCst);
        self.begin().map(Some)
    }
}

struct FewStates {
    inner: Box<dyn Accumulator>,
    pool: Arc<Pool>,
}

impl Drop for FewStates {
    fn drop(&mut self) {
        assert_eq!(MINE.replace(0), 1, "dropped by the thread that took it");
        self.pool.give_back();
    }
}

fn failure(reason: FailureReason) -> AggregationError {
    PluginFailure { plugin: "few".to_owned(), reason }.into()
}

impl Accumulator for FewStates {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        let mut values = runs.iter().flat_map(|run| run.values);
        if self.pool.fatal.is_some_and(|fatal| values.any(|value| *value == fatal)) {
            self.pool.failures.fetch_add(1, Ordering::SeqCst);
            return Err(failure(FailureReason::Trap("the fatal value".to_owned())));
        }
        self.inner.update(runs)
    }
    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        self.pool.merges.fetch_add(1, Ordering::SeqCst);
        self.pool.note_moved();
        self.inner.merge(saved, group_map)
    }
    /// As a plugin's, whose memory its instance bounds.
    fn held_bytes(&self) -> u64 {
        0
    }
    fn is_wanted(&self) -> bool {
        self.pool.crowded || self.pool.waiting.load(Ordering::SeqCst) > 0
    }
    fn save(&mut self) -> Result<SavedState, AggregationError> {
        self.pool.saves.fetch_add(1, Ordering::SeqCst);
        self.pool.note_moved();
        if self.pool.unsaved {
            return Err(failure(FailureReason::Output("too large".to_owned())));
        }
        self.inner.save()
    }
    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        self.inner.evaluate()
    }
}

/// The same query with functions of which there are few accumulators.
pub(super) fn few(mut query: MetricQuery) -> MetricQuery {
    let choice = &mut query.aggregation;
    for text in choice.of_metric.values_mut().chain([&mut choice.default]) {
        text.insert_str(0, FEW);
    }
    query
}
