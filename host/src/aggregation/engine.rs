//! Answers metric queries: one metric after the other, each in the way that its function allows.

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indexmap::IndexMap;
use telemetry_core::aggregation::SampleOrder;
use telemetry_core::time::saturating_nanos;
use telemetry_core::{Clock, Context, TimeRange, Timestamp, limits};

use super::answer::{MetricAnswer, MetricsAnswer};
use super::assembly::Assembly;
use super::cells::too_many_points;
use super::grouping::{Grouping, too_many_groups};
use super::joining::side_by_side;
use super::kept::KeptUse;
use super::memory::{Bounds, Charge, Memory, SharedMemory};
use super::outcome::Outcome;
use super::parallel::{Crew, Helpers, Parts, Role, each, is_worth_a_thread};
use super::reader::{SampleReader, SelectedSeries};
use super::registry::{AggregationRegistry, Aggregations, BoundAggregation};
use super::stop::Stop;
use super::task::Task;
use super::watch::Watch;
use super::{merging, per_series, sequential};
use crate::query::{MetricQuery, QueryError};
use crate::rollups::KeptChoice;

/// Answers metric queries. Cheap to share; it holds no samples.
#[derive(Clone, Debug)]
pub struct Engine {
    clock: Arc<dyn Clock>,
    deadline: Duration,
    helpers: Arc<Helpers>,
    bounds: Bounds,
    memory: Arc<SharedMemory>,
}

/// Bytes that one selected series is taken to need: its key, its place in the query and in its group.
const SERIES_BYTES: u64 = 256;

/// One query on its way.
#[derive(Clone, Copy)]
struct Run<'a> {
    query: &'a MetricQuery,
    reader: &'a dyn SampleReader,
    watch: &'a Watch<'a>,
    /// The samples that are seen: the asked range, cut off where the query is as of an earlier time.
    range: TimeRange,
    /// Nanoseconds from the start of that to its end, or to now.
    length: i64,
    step: Option<i64>,
    helpers: &'a Helpers,
    merged_samples: usize,
    left: Left,
}

/// Points and groups that a query may still answer.
#[derive(Clone, Copy)]
struct Left {
    points: usize,
    groups: usize,
}

/// What was worked out of one metric. `'q` is the query's, `'b` that of its functions.
struct Worked<'q, 'b> {
    /// `None` when it has no samples in the range.
    answer: Option<MetricAnswer>,
    /// What it takes of the query's bounds.
    used: Left,
    /// The rollup whose states were looked for.
    kept: Option<&'b KeptChoice>,
    /// The memory of the answer, which waits for those of other metrics.
    charge: Charge<'q>,
}

/// A metric's answer, with its memory.
type Answered<'q> = (Option<MetricAnswer>, Charge<'q>);

impl<'q> Worked<'q, '_> {
    /// The answer, which the query gives: whatever else was worked out for it before counts for nothing.
    fn answered(self) -> Answered<'q> {
        if let Some(kept) = self.kept {
            kept.note_query();
        }
        (self.answer, self.charge)
    }
}

impl Left {
    fn take(&mut self, used: Left) -> Result<(), QueryError> {
        self.groups = self.groups.checked_sub(used.groups).ok_or_else(too_many_groups)?;
        self.points = self.points.checked_sub(used.points).ok_or_else(too_many_points)?;
        Ok(())
    }
}

impl Engine {
    /// An engine with the default deadline and as many threads as there are cores.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            clock,
            deadline: limits::QUERY_DEADLINE,
            helpers: helpers(cores),
            bounds: Bounds::default(),
            memory: Arc::new(SharedMemory::limited(limits::MAX_QUERIES_BYTES)),
        }
    }

    /// Queries that were refused because others held the memory that there is for all of them.
    pub fn overloaded(&self) -> u64 {
        self.memory.refused()
    }

    /// The time that a query may take.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The threads that may work on queries at once, the caller's of one query included; 1 keeps to the callers'.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.helpers = helpers(threads);
        self
    }

    /// Bounds that a test reaches with few samples.
    #[cfg(test)]
    pub(super) fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// So many bytes for all queries together.
    #[cfg(test)]
    pub(super) fn with_shared_bytes(mut self, bytes: u64) -> Self {
        self.memory = Arc::new(SharedMemory::limited(bytes));
        self
    }

    /// Answers a query. With `as_of`, samples later than that are not seen.
    pub fn run(
        &self,
        query: &MetricQuery,
        reader: &dyn SampleReader,
        registry: &AggregationRegistry,
        as_of: Option<Timestamp>,
    ) -> Result<MetricsAnswer, QueryError> {
        self.run_unless(query, reader, registry, as_of, None)
    }

    /// As [`Self::run`], and given up with [`QueryError::Cancelled`] soon after `cancelled` becomes true.
    pub fn run_unless(
        &self,
        query: &MetricQuery,
        reader: &dyn SampleReader,
        registry: &AggregationRegistry,
        as_of: Option<Timestamp>,
        cancelled: Option<&AtomicBool>,
    ) -> Result<MetricsAnswer, QueryError> {
        let answered = self.answer(query, reader, registry, as_of, cancelled);
        if let Err(QueryError::Overloaded { .. }) = &answered {
            self.memory.note_refused();
        }
        answered
    }

    fn answer(
        &self,
        query: &MetricQuery,
        reader: &dyn SampleReader,
        registry: &AggregationRegistry,
        as_of: Option<Timestamp>,
        cancelled: Option<&AtomicBool>,
    ) -> Result<MetricsAnswer, QueryError> {
        query.check()?;
        let memory = Memory::limited(self.bounds.bytes, Arc::clone(&self.memory));
        let watch = Watch::start(&*self.clock, self.deadline, memory, cancelled);
        let aggregations = Aggregations::of(query, registry)?;
        let end = match (query.range.end, as_of) {
            (Some(end), Some(as_of)) => Some(end.min(as_of)),
            (end, as_of) => end.or(as_of),
        };
        let range = TimeRange { start: query.range.start, end };
        let mut answer = MetricsAnswer::default();
        if range.is_reversed() || query.names.as_ref().is_some_and(Vec::is_empty) {
            return Ok(answer);
        }
        let until = range.end.unwrap_or_else(|| self.clock.now());
        let run = Run {
            query,
            reader,
            watch: &watch,
            range,
            length: until.nanos().saturating_sub(range.first().nanos()),
            step: query.step.map(saturating_nanos),
            helpers: &self.helpers,
            merged_samples: self.bounds.merged_samples,
            left: Left { points: self.bounds.points, groups: self.bounds.groups },
        };
        let (metrics, _charge) = run.series_by_metric()?;
        let outcomes = match run.side_by_side(&metrics, &aggregations)? {
            Some(outcomes) => outcomes,
            None => run.one_by_one(&metrics, &aggregations)?,
        };
        let (outcomes, _charges): (Vec<_>, Vec<_>) = outcomes.into_iter().unzip();
        for ((name, _), metric) in metrics.iter().zip(outcomes) {
            let Some(metric) = metric else { continue };
            if query.limit.is_some_and(|limit| answer.metrics.len() >= limit) {
                answer.truncated = true;
                break;
            }
            answer.truncated |= metric.truncated;
            answer.metrics.insert(name.to_string(), metric);
        }
        answer.incomplete = watch.met_damage();
        Ok(answer)
    }
}

fn helpers(threads: usize) -> Arc<Helpers> {
    Arc::new(Helpers::new(threads.clamp(1, limits::MAX_QUERY_THREADS) - 1))
}

/// A series of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneSeries {
    /// The reader's number.
    pub(super) id: u32,
    pub(super) context: Context,
    pub(super) overflow: bool,
}

/// The series of one metric, in the reader's order.
type MetricSeries = Vec<OneSeries>;

/// The selected series by metric, in the order of the answer, and the memory that they hold.
type Selected<'a> = (Vec<(Arc<str>, MetricSeries)>, Charge<'a>);

impl<'a> Run<'a> {
    /// The selected series by metric, in the order of the answer.
    fn series_by_metric(&self) -> Result<Selected<'a>, QueryError> {
        let selected =
            self.reader.select(&self.query.selection(), self.range).map_err(QueryError::Retrieval)?;
        self.watch.check()?;
        let mut charge = self.watch.memory.holder();
        charge.resize((selected.len() as u64).saturating_mul(SERIES_BYTES))?;
        let mut metrics: IndexMap<Arc<str>, MetricSeries> = IndexMap::new();
        for SelectedSeries { id, key, overflow } in selected {
            let one = OneSeries { id, context: key.context, overflow };
            metrics.entry(key.name).or_default().push(one);
        }
        let mut ordered = Vec::with_capacity(metrics.len());
        if let Some(names) = &self.query.names {
            for name in names {
                ordered.extend(metrics.swap_remove_entry(name.as_str()));
            }
        } else {
            metrics.sort_unstable_keys();
            ordered.extend(metrics);
        }
        Ok((ordered, charge))
    }

    /// The metrics' answers, worked out one after the other; those beyond the query's limit are left out, but for one.
    fn one_by_one(
        mut self,
        metrics: &[(Arc<str>, MetricSeries)],
        aggregations: &Aggregations,
    ) -> Result<Vec<Answered<'a>>, QueryError> {
        let mut answers = Vec::with_capacity(metrics.len());
        let mut found = 0_usize;
        for (name, series) in metrics {
            let metric = self.metric(name, series, aggregations.of_metric(name), Role::Asker);
            let worked = metric.map_err(Stop::into_error)?;
            self.left.take(worked.used)?;
            found = found.saturating_add(usize::from(worked.answer.is_some()));
            answers.push(worked.answered());
            if self.query.limit.is_some_and(|limit| found > limit) {
                break;
            }
        }
        Ok(answers)
    }

    /// The same, worked out by several threads; `None` where that does not pay, is not allowed or failed. Who then works them out
    /// one by one finds that it was too much at once, or meets the failure of the first metric that has one. A plugin that failed is
    /// not asked again: its failure is answered, and of several metrics' the one that came first.
    fn side_by_side(
        mut self,
        metrics: &[(Arc<str>, MetricSeries)],
        aggregations: &Aggregations,
    ) -> Result<Option<Vec<Answered<'a>>>, QueryError> {
        let all: usize = metrics.iter().map(|(_, series)| series.len()).sum();
        let is_cut = self.query.limit.is_some_and(|limit| limit < metrics.len());
        let threads = metrics.iter().map(|(name, _)| aggregations.of_metric(name).at_once().threads());
        let most = threads.min().unwrap_or(1);
        if metrics.len() < 2 || is_cut || !is_worth_a_thread(all) || most < 2 {
            return Ok(None);
        }
        let crew = Crew { helpers: self.helpers, watch: self.watch, role: Role::Asker, most };
        let points = AtomicUsize::new(0);
        let done = each(metrics.len(), crew, |place, role| {
            let (name, series) = metrics.get(place).ok_or(QueryError::Cancelled)?;
            let worked = self.metric(name, series, aggregations.of_metric(name), role)?;
            let own = worked.used.points;
            if points.fetch_add(own, Ordering::Relaxed).saturating_add(own) > self.left.points {
                return Err(too_many_points().into());
            }
            Ok(worked)
        });
        let taken = done.and_then(|done| {
            for worked in &done {
                self.left.take(worked.used)?;
            }
            Ok(done)
        });
        match taken {
            Ok(done) => Ok(Some(done.into_iter().map(Worked::answered).collect())),
            Err(Stop::Failed(error @ QueryError::Plugin { .. })) => Err(error),
            Err(_) => {
                self.watch.resume();
                Ok(None)
            }
        }
    }

    /// Works one metric out.
    fn metric<'b>(
        &self,
        name: &str,
        series: &MetricSeries,
        aggregation: &'b BoundAggregation,
        role: Role,
    ) -> Result<Worked<'a, 'b>, Stop> {
        let labels = &self.query.group_by;
        let (series, continued) = match aggregation.function.sums_over_series() {
            true => side_by_side(series),
            false => (Cow::Borrowed(series.as_slice()), Vec::new()),
        };
        let contexts = series.iter().map(|one| &one.context);
        let grouping = Grouping::by_labels(labels, contexts, self.left.groups)?;
        let groups = grouping.keys.len();
        if groups > self.left.groups {
            return Err(too_many_groups().into());
        }
        let ids: Vec<u32> = series.iter().map(|one| one.id).collect();
        let kept = KeptUse::of(aggregation, name, self.step);
        let outcome = self.work_out(&Task {
            reader: self.reader,
            watch: self.watch,
            aggregation,
            range: self.range,
            series: &ids,
            continued: &continued,
            groups: &grouping.groups,
            grouped: !labels.is_empty(),
            step: self.step,
            wants_extent: self.query.range.start.is_none() || self.query.range.end.is_none(),
            points_left: self.left.points,
            merged_samples: self.merged_samples,
            kept: kept.as_ref(),
            helpers: self.helpers,
            role,
            parts: Parts::of(aggregation.at_once(), self.length),
        })?;
        let used = Left { points: outcome.point_count(), groups };
        let mut charge = self.watch.memory.holder();
        charge.resize(outcome.bytes())?;
        let answer = Assembly { query: self.query, aggregation, step: self.step }.answer(outcome, &grouping);
        Ok(Worked { answer, used, kept: kept.as_ref().map(KeptUse::choice), charge })
    }

    fn work_out(&self, task: &Task<'_>) -> Result<Outcome, Stop> {
        let function = &*task.aggregation.function;
        if function.sums_over_series() {
            per_series::run(task)
        } else if function.mergeable() && function.order() != SampleOrder::Group {
            merging::run(task)
        } else {
            sequential::run(task)
        }
    }
}
