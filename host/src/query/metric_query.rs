//! A query for aggregated metrics, typed.

use std::collections::HashSet;
use std::time::Duration;

use indexmap::IndexMap;
use telemetry_core::time::saturating_nanos;
use telemetry_core::{LabelFilter, MetricSelection, TimeRange, Timestamp, limits};

use super::error::QueryError;

/// The aggregation of metrics for which none is named.
const DEFAULT_AGGREGATION: &str = "MEAN";

/// What `get_metrics` is asked. The default asks for the mean of every metric over all time.
#[derive(Clone, Debug, Default)]
pub struct MetricQuery {
    /// Metric names, in the order in which they are answered; all, by name, when absent.
    pub names: Option<Vec<String>>,
    /// The range, both ends inclusive.
    pub range: TimeRange,
    /// Which aggregation for which metric.
    pub aggregation: AggregationChoice,
    /// Conditions on labels; a series must meet all.
    pub filters: Vec<LabelFilter>,
    /// Labels by whose values the series of a metric are answered in groups.
    pub group_by: Vec<String>,
    /// The length of the half-open buckets of a stepped answer.
    pub step: Option<Duration>,
    /// Most metrics, and most groups of a metric, that are answered.
    pub limit: Option<usize>,
}

/// Texts that name aggregations, as `MEAN` or `percentile(q=0.99)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregationChoice {
    /// For metrics that are not named below.
    pub default: String,
    /// For single metrics.
    pub of_metric: IndexMap<String, String>,
}

impl Default for AggregationChoice {
    fn default() -> Self {
        Self { default: DEFAULT_AGGREGATION.to_owned(), of_metric: IndexMap::new() }
    }
}

impl MetricQuery {
    /// A query for these metrics, with MEAN over all time.
    pub fn of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { names: Some(names.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    /// Only samples from `start` to `end`, both inclusive.
    pub fn between(mut self, start: Timestamp, end: Timestamp) -> Self {
        self.range = TimeRange::between(start, end);
        self
    }

    /// Only samples of this range.
    pub fn within(mut self, range: TimeRange) -> Self {
        self.range = range;
        self
    }

    /// The aggregation of all metrics that have none of their own.
    pub fn aggregate(mut self, text: impl Into<String>) -> Self {
        self.aggregation.default = text.into();
        self
    }

    /// The aggregation of one metric.
    pub fn aggregate_metric(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.aggregation.of_metric.insert(name.into(), text.into());
        self
    }

    /// Only series that also meet this condition.
    pub fn filter(mut self, filter: LabelFilter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Groups by these labels.
    pub fn group_by<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.group_by.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Answers in buckets of this length as well.
    pub fn step(mut self, step: Duration) -> Self {
        self.step = Some(step);
        self
    }

    /// At most so many metrics, and groups of each.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The text that names the aggregation of a metric.
    pub fn aggregation_of(&self, metric: &str) -> &str {
        self.aggregation.of_metric.get(metric).unwrap_or(&self.aggregation.default)
    }

    /// What the store is asked for.
    pub(crate) fn selection(&self) -> MetricSelection {
        MetricSelection { names: self.names.clone(), filters: self.filters.clone() }
    }

    /// Whether the query can be answered at all, short of looking its aggregations up.
    pub fn check(&self) -> Result<(), QueryError> {
        if let (Some(start), Some(end)) = (self.range.start, self.range.end)
            && start > end
        {
            return Err(QueryError::ReversedRange { start, end });
        }
        at_most("metric_names", self.names.as_ref().map_or(0, Vec::len), limits::MAX_QUERY_NAMES)?;
        at_most("aggregation", self.aggregation.of_metric.len(), limits::MAX_QUERY_NAMES)?;
        at_most("filter", self.filters.len(), limits::MAX_QUERY_FILTERS)?;
        at_most("group_by", self.group_by.len(), limits::MAX_QUERY_LABELS)?;
        let mut seen = HashSet::new();
        if let Some(twice) = self.group_by.iter().find(|label| !seen.insert(label.as_str())) {
            return Err(QueryError::invalid("group_by", format!("the label \"{twice}\" is named twice")));
        }
        if let Some(step) = self.step {
            let shortest = limits::MIN_QUERY_STEP;
            if step < shortest || saturating_nanos(step) == i64::MAX {
                let reason = format!("it must be from {shortest:?} to 292 years");
                return Err(QueryError::invalid("step", reason));
            }
        }
        if self.limit == Some(0) {
            return Err(QueryError::invalid("limit", "it must be 1 or more; leave it out for no limit"));
        }
        Ok(())
    }
}

fn at_most(field: &'static str, count: usize, limit: usize) -> Result<(), QueryError> {
    if count <= limit {
        return Ok(());
    }
    Err(QueryError::invalid(field, format!("it has {count} entries, at most {limit} are allowed")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::ErrorCode;

    #[test]
    fn the_builder_and_its_checks() {
        let at = Timestamp::from_millis;
        let good = MetricQuery::of(["a", "b"])
            .between(at(1), at(1))
            .aggregate("SUM")
            .aggregate_metric("b", "MAX")
            .filter(LabelFilter::equal("host", "x"))
            .group_by(["host"])
            .step(Duration::from_secs(1))
            .limit(1);
        good.check().unwrap();
        assert_eq!((good.aggregation_of("a"), good.aggregation_of("b")), ("SUM", "MAX"));
        assert_eq!(MetricQuery::default().aggregation_of("a"), "MEAN");

        let check = |query: MetricQuery, code: ErrorCode| {
            let error = query.check().unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        };
        check(good.clone().between(at(2), at(1)), ErrorCode::InvalidTimeRange);
        check(good.clone().limit(0), ErrorCode::InvalidQuery);
        check(good.clone().step(Duration::ZERO), ErrorCode::InvalidQuery);
        check(good.clone().step(Duration::MAX), ErrorCode::InvalidQuery);
        check(good.clone().group_by(["host"]), ErrorCode::InvalidQuery);
        check(MetricQuery::of(vec!["a"; limits::MAX_QUERY_NAMES + 1]), ErrorCode::InvalidQuery);
        check(MetricQuery::default().group_by((0..40).map(|n| n.to_string())), ErrorCode::InvalidQuery);
    }
}
