//! Aggregations by name: the built-in ones, then those of plugins in their order.

use std::collections::HashMap;
use std::sync::Arc;

use telemetry_core::aggregation::{
    Accumulator, AccumulatorsAtOnce, Aggregation, AggregationError, AggregationSource, AggregationSpec,
    BuiltInAggregations, SampleOrder,
};

use crate::query::{MetricQuery, QueryError};
use crate::rollups::{KeptChoice, RollupSet};

/// Every aggregation that a query can name. A name is looked up in the built-in functions first, then in each plugin in order.
#[derive(Clone)]
pub struct AggregationRegistry {
    sources: Vec<Arc<dyn AggregationSource>>,
    rollups: Arc<RollupSet>,
}

/// An aggregation with its parameters, ready for a query.
#[derive(Clone)]
pub struct BoundAggregation {
    /// The function.
    pub function: Arc<dyn Aggregation>,
    /// How answers name it: its own spelling and the parameters.
    pub shown: String,
    supported: Arc<[String]>,
    /// Kept states that it may be answered from.
    pub(super) kept: Vec<KeptChoice>,
}

impl Default for AggregationRegistry {
    fn default() -> Self {
        Self::new([])
    }
}

impl std::fmt::Debug for AggregationRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl AggregationRegistry {
    /// The built-in functions, then these.
    pub fn new(plugins: impl IntoIterator<Item = Arc<dyn AggregationSource>>) -> Self {
        let built_in: Arc<dyn AggregationSource> = Arc::new(BuiltInAggregations);
        Self { sources: std::iter::once(built_in).chain(plugins).collect(), rollups: Arc::default() }
    }

    /// With states that may be kept of some functions.
    pub(crate) fn with_rollups(mut self, rollups: Arc<RollupSet>) -> Self {
        self.rollups = rollups;
        self
    }

    /// The same with other plugins in the place of its own; states are kept as before.
    pub(crate) fn with_plugins(&self, plugins: impl IntoIterator<Item = Arc<dyn AggregationSource>>) -> Self {
        Self::new(plugins).with_rollups(Arc::clone(&self.rollups))
    }

    #[cfg(test)]
    pub(super) fn rollups(&self) -> &RollupSet {
        &self.rollups
    }

    /// Every supported name, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.sources.iter().flat_map(|source| source.names()) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                names.push(name);
            }
        }
        names
    }

    /// Finds what a text such as `MEAN` or `percentile(q=0.99)` names.
    pub fn bind(&self, text: &str) -> Result<BoundAggregation, QueryError> {
        let unsupported = |method: &str, reason: Option<String>| QueryError::UnsupportedAggregation {
            method: method.chars().take(64).collect(),
            reason,
            supported: self.names(),
        };
        let spec = AggregationSpec::parse(text).map_err(|error| unsupported(text, Some(error.reason)))?;
        let found = self.sources.iter().find_map(|source| source.find(&spec.name, &spec.parameters));
        let function = found
            .ok_or_else(|| unsupported(&spec.name, None))?
            .map_err(|error| QueryError::of_binding(&spec.name, error, self.names()))?;
        let shown = AggregationSpec { name: function.name().to_owned(), ..spec }.to_string();
        let kept = self.rollups.choices(&*function);
        Ok(BoundAggregation { function, shown, supported: self.names().into(), kept })
    }
}

impl BoundAggregation {
    /// An empty accumulator. A plugin may refuse its parameters only here.
    pub(super) fn accumulator(&self) -> Result<Box<dyn Accumulator>, QueryError> {
        self.function.accumulator().map_err(|error| self.refused(error))
    }

    /// An empty accumulator for a thread that only helps; see [`Aggregation::spare_accumulator`].
    pub(super) fn spare_accumulator(&self) -> Result<Option<Box<dyn Accumulator>>, QueryError> {
        self.function.spare_accumulator().map_err(|error| self.refused(error))
    }

    /// How many accumulators a query may hold at once. Of those of which there are few, one only where parts cannot be brought
    /// together in any order.
    pub(super) fn at_once(&self) -> AccumulatorsAtOnce {
        let function = &*self.function;
        let may_split =
            function.mergeable() && function.order() == SampleOrder::Any && !function.sums_over_series();
        match function.accumulators_at_once() {
            AccumulatorsAtOnce::PerThread(_) if !may_split => AccumulatorsAtOnce::ONE,
            at_once => at_once,
        }
    }

    fn refused(&self, error: AggregationError) -> QueryError {
        QueryError::of_binding(&self.shown, error, self.supported.to_vec())
    }
}

impl std::fmt::Debug for BoundAggregation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The aggregations that a query names, looked up before anything is read.
pub(super) struct Aggregations {
    default: BoundAggregation,
    of_metric: HashMap<String, BoundAggregation>,
}

impl Aggregations {
    pub(super) fn of(query: &MetricQuery, registry: &AggregationRegistry) -> Result<Self, QueryError> {
        let of_metric = query
            .aggregation
            .of_metric
            .iter()
            .map(|(metric, text)| Ok((metric.clone(), registry.bind(text)?)))
            .collect::<Result<_, QueryError>>()?;
        Ok(Self { default: registry.bind(&query.aggregation.default)?, of_metric })
    }

    pub(super) fn of_metric(&self, name: &str) -> &BoundAggregation {
        self.of_metric.get(name).unwrap_or(&self.default)
    }
}
