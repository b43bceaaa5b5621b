//! The configured rollups, and which of them may answer a query.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::Subscription;
use telemetry_core::aggregation::{Aggregation, AggregationSpec, KeptStates, StateIdentity};
use telemetry_store::StateRollup;

use crate::config::RollupConfig;
use crate::envelope::cause_chain;
use crate::query::QueryError;

/// All configured rollups.
#[derive(Debug, Default)]
pub(crate) struct RollupSet {
    pub(super) entries: Vec<Arc<RollupEntry>>,
}

/// One configured rollup.
#[derive(Debug)]
pub(crate) struct RollupEntry {
    pub(super) aggregation: String,
    name: String,
    parameters: String,
    any_parameters: bool,
    pub(super) width: Duration,
    metrics: Subscription,
    queries: AtomicU64,
    refusals: AtomicU64,
    /// The last state that its function did not take.
    refusal: Mutex<Option<String>>,
    pub(super) progress: Mutex<Progress>,
}

/// How building goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The states that are built; `None` before the first round, and while the function is not to be had.
    pub(super) states: Option<KeptStates>,
    /// Why the function is not to be had, or its states cannot be kept.
    pub(super) unavailable: Option<String>,
    /// How its function failed last, until it succeeds.
    pub(super) failure: Option<String>,
    /// Failures without a success between.
    pub(super) failures: u32,
    /// Nothing is built before this instant of the monotonic clock.
    pub(super) paused_until: Option<Duration>,
    /// Whether there was more to build after the last round.
    pub(super) more: bool,
}

/// A rollup that may answer a query.
#[derive(Clone)]
pub(crate) struct KeptChoice {
    entry: Arc<RollupEntry>,
    /// Its states, as the store names them.
    pub(crate) states: KeptStates,
}

impl RollupSet {
    /// The rollups of a configuration; what cannot be parsed was refused when it was checked.
    pub(crate) fn new(configured: &[RollupConfig]) -> Self {
        Self { entries: configured.iter().filter_map(RollupEntry::new).map(Arc::new).collect() }
    }

    /// Queries that found a state which its function did not take.
    #[cfg(test)]
    pub(crate) fn refusals(&self) -> u64 {
        self.entries.iter().map(|entry| entry.refusals().0).sum()
    }

    /// Queries that looked for states.
    #[cfg(test)]
    pub(crate) fn queries(&self) -> u64 {
        self.entries.iter().map(|entry| entry.queries()).sum()
    }

    /// The rollups whose states a function takes.
    pub(crate) fn choices(&self, function: &dyn Aggregation) -> Vec<KeptChoice> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let Some(identity) = function.state_identity() else { return Vec::new() };
        let of_function = self.entries.iter().filter(|entry| entry.serves(&identity));
        let choice = |entry: &Arc<RollupEntry>| KeptChoice {
            entry: Arc::clone(entry),
            states: StateRollup::states_of(&entry.identity(identity.clone()), entry.width),
        };
        of_function.map(choice).collect()
    }
}

impl RollupEntry {
    fn new(config: &RollupConfig) -> Option<Self> {
        let spec = AggregationSpec::parse(&config.aggregation).ok()?;
        Some(Self {
            aggregation: config.aggregation.clone(),
            parameters: StateIdentity::canonical(&spec.parameters),
            name: spec.name,
            any_parameters: config.any_parameters,
            width: config.resolution.duration(),
            metrics: Subscription { metrics: Some(config.metrics.clone()), ..Subscription::default() },
            queries: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            refusal: Mutex::new(None),
            progress: Mutex::default(),
        })
    }

    /// Whether these states are its function's.
    pub(super) fn is_of(&self, identity: &StateIdentity) -> bool {
        self.name.eq_ignore_ascii_case(&identity.function)
    }

    fn serves(&self, identity: &StateIdentity) -> bool {
        let any = self.any_parameters || identity.parameters.is_empty();
        self.is_of(identity) && (any || self.parameters == identity.parameters)
    }

    /// The identity of the states that are kept of a function with this one.
    fn identity(&self, identity: StateIdentity) -> StateIdentity {
        if self.any_parameters { identity.for_any_parameters() } else { identity }
    }

    /// What the store is to keep of a function.
    pub(super) fn rollup(&self, identity: StateIdentity) -> StateRollup {
        StateRollup { identity: self.identity(identity), width: self.width, metrics: self.metrics() }
    }

    pub(super) fn metrics(&self) -> Vec<String> {
        self.metrics.metrics.clone().unwrap_or_default()
    }

    /// Its states are others from now on: no failure is known of them.
    pub(super) fn begin_anew(&self) -> Progress {
        *self.refusal.lock() = None;
        Progress::default()
    }

    pub(super) fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    pub(super) fn refusals(&self) -> (u64, Option<String>) {
        (self.refusals.load(Ordering::Relaxed), self.refusal.lock().clone())
    }
}

impl KeptChoice {
    /// Whether states of this metric are kept.
    pub(crate) fn wants(&self, metric: &str) -> bool {
        self.entry.metrics.wants_metric(metric)
    }

    /// Counts a query that looked for them, and was answered.
    pub(crate) fn note_query(&self) {
        self.entry.queries.fetch_add(1, Ordering::Relaxed);
    }

    /// The function did not take a state; the query reads samples instead.
    pub(crate) fn note_refusal(&self, error: &QueryError) {
        self.entry.refusals.fetch_add(1, Ordering::Relaxed);
        let reason = cause_chain(error);
        let aggregation = self.entry.aggregation.as_str();
        tracing::warn!(source = "Bridge_Telemetry", aggregation, "a kept state was not taken: {reason}");
        *self.entry.refusal.lock() = Some(reason);
    }
}

impl fmt::Debug for KeptChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptChoice").field(&self.entry.aggregation).field(&self.states).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::aggregation::{AggregationSource, BuiltInAggregations};

    fn choices(set: &RollupSet, text: &str) -> usize {
        let spec = AggregationSpec::parse(text).unwrap();
        let function = BuiltInAggregations.find(&spec.name, &spec.parameters).unwrap().unwrap();
        set.choices(&*function).len()
    }

    #[test]
    fn states_serve_the_functions_that_they_are_of() {
        let set = RollupSet::new(&[RollupConfig::new("approx_quantile(q=0.9)"), RollupConfig::new("STDDEV")]);
        // A sketch serves every quantile.
        assert_eq!(choices(&set, "APPROX_QUANTILE(q=0.5)"), 1);
        assert_eq!(choices(&set, "stddev"), 1);
        assert_eq!(choices(&set, "MEAN"), 0);
        let identity = |parameters: &str| StateIdentity {
            function: "percentile".into(),
            parameters: parameters.into(),
            origin: "plugin".into(),
        };
        let entry = |any_parameters| {
            RollupEntry::new(&RollupConfig { any_parameters, ..RollupConfig::new("percentile(q=0.9)") })
                .unwrap()
        };
        assert!(
            entry(false).serves(&identity("{\"q\":0.9}")) && !entry(false).serves(&identity("{\"q\":0.5}"))
        );
        assert!(entry(true).serves(&identity("{\"q\":0.5}")));
        let states = |entry: &RollupEntry, parameters| entry.rollup(identity(parameters)).states();
        assert_eq!(states(&entry(true), "{\"q\":0.5}"), states(&entry(true), "{}"));
        assert_ne!(states(&entry(false), "{\"q\":0.5}"), states(&entry(false), "{}"));
    }
}
