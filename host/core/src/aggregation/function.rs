//! The traits of an aggregate function. Built-in functions and plugins implement the same ones.

use std::any::Any;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::aggregation::StateIdentity;
use crate::extension::{PluginFailure, SavedState};
use crate::time::Timestamp;

/// Consecutive samples of one group. Unless the function's [`Aggregation::needs_timestamps`], times may be empty.
#[derive(Clone, Copy, Debug)]
pub struct SampleRun<'a> {
    /// The group they belong to; a new number opens a group, numbers are dense from 0.
    pub group: u32,
    /// Nanoseconds since the epoch, one per value, or empty.
    pub timestamps: &'a [i64],
    /// The values.
    pub values: &'a [f64],
}

/// What is known of a block of samples of one series without looking at them. `count` is never 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesDigest {
    /// Numeric samples.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// The first value by time, then by arrival.
    pub first: f64,
    /// The last value by time, then by arrival.
    pub last: f64,
    /// When the first value was measured.
    pub first_time: Timestamp,
    /// When the last value was measured.
    pub last_time: Timestamp,
}

/// The result of an aggregation over one group.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateValue {
    /// Nothing to say: no numeric sample.
    None,
    /// A number; finite.
    Number(f64),
    /// Any JSON; from plugins. Boxed: an answer may have a million values, nearly all of them numbers.
    Json(Box<Value>),
}

/// Why an aggregation cannot be used or did not finish.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregationError {
    /// No aggregation has this name, or it does not take these parameters.
    #[error("Unsupported aggregation method: {name}{}", reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default())]
    Unsupported {
        /// The name, as asked.
        name: String,
        /// What is wrong with the parameters, if the name is known.
        reason: Option<String>,
    },
    /// A saved state is not one of this function's.
    #[error("a saved state of {name} cannot be read: {reason}")]
    SavedState {
        /// The function.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// It would need more of something than it may have.
    #[error("{name} needs more {what} than its limit of {limit}")]
    Limit {
        /// The function.
        name: String,
        /// What is limited, in the plural.
        what: &'static str,
        /// How many of it there may be.
        limit: u64,
    },
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
}

/// The order in which a function must see the samples of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleOrder {
    /// None: samples and digests come as they are found.
    Any,
    /// Each series by time, then by arrival, and each run as well. Runs of several series mix in any order, but of one instant
    /// the sample of the earlier series comes first.
    Series,
    /// All series of the group merged by time; samples of one instant by series, then by arrival.
    Group,
}

/// How many accumulators of a function one query may hold at once, and so whether its work is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccumulatorsAtOnce {
    /// One for each of its threads, of which at most this many work with the function. An accumulator holds something of which there
    /// are few, as those of a plugin hold an instance each: a thread gives up the one that it has before it takes another, so that no
    /// two queries wait for each other, and states go from one accumulator to the other as saved bytes. More than one is for
    /// functions that can be merged and want no order.
    PerThread(usize),
    /// As many as it likes: they take memory alone.
    Unlimited,
}

impl AccumulatorsAtOnce {
    /// One at a time: the work is not split.
    pub const ONE: Self = Self::PerThread(1);

    /// Threads of a query that may work with the function side by side, 1 at least.
    pub fn threads(self) -> usize {
        match self {
            Self::PerThread(threads) => threads.max(1),
            Self::Unlimited => usize::MAX,
        }
    }
}

/// An aggregate function with its parameters bound.
pub trait Aggregation: Send + Sync {
    /// The name as it is shown in answers, in upper case for built-in functions.
    fn name(&self) -> &str;
    /// Whether partial states can be merged, in any order: work may then be split.
    fn mergeable(&self) -> bool;
    /// Whether the result depends on times; samples then come with their times, in the order of [`Self::order`].
    fn needs_timestamps(&self) -> bool;
    /// The order of the samples within a group. By default a function that needs times or cannot be merged sees them
    /// all in time order.
    fn order(&self) -> SampleOrder {
        if self.needs_timestamps() || !self.mergeable() { SampleOrder::Group } else { SampleOrder::Any }
    }
    /// Whether [`Accumulator::update_digest`] can stand for the samples themselves.
    fn accepts_digests(&self) -> bool {
        false
    }
    /// Whether each series is a group of its own and the groups' results are added up, as RATE needs it.
    fn sums_over_series(&self) -> bool {
        false
    }
    /// Whether the accumulator's value is a total that the caller divides by the seconds that it covers: the answered range,
    /// or the step for one of its buckets. So the states know nothing of ranges (RATE alone).
    fn per_second(&self) -> bool {
        false
    }
    /// Whether a bucket of a stepped query also sees, as its first sample, the series' last one before the bucket: what
    /// happened between the two then belongs to the later bucket. It is not counted as the bucket's (RATE alone).
    fn continues_over_buckets(&self) -> bool {
        false
    }
    /// Whether text samples count (COUNT alone).
    fn counts_text(&self) -> bool {
        false
    }
    /// How many accumulators one query may hold at once; one by default.
    fn accumulators_at_once(&self) -> AccumulatorsAtOnce {
        AccumulatorsAtOnce::ONE
    }
    /// Is told that states could not get from one of its accumulators to another. It may then allow one at a time, for a while or from
    /// now on, so that other threads and queries do not meet the same again.
    fn handing_over_failed(&self, error: &AggregationError) {
        let _ = error;
    }
    /// What identifies its saved states, so that a store may keep them and show them instead of samples; `None` where that
    /// makes no sense: states that cannot be merged, that depend on the order of samples, or that are as large as these.
    fn state_identity(&self) -> Option<StateIdentity> {
        None
    }
    /// An empty accumulator. Where there are few it may wait for one.
    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError>;
    /// An empty accumulator for a thread that only helps another: `None` where it would have to wait for one, and where others
    /// wait already.
    fn spare_accumulator(&self) -> Result<Option<Box<dyn Accumulator>>, AggregationError> {
        self.accumulator().map(Some)
    }
}

/// Running states of one aggregate function for many groups, numbered densely from 0.
pub trait Accumulator: Send + Any {
    /// Adds samples, in the order of [`Aggregation::order`]. Unless mergeable, a group sees all its samples in one
    /// accumulator.
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError>;
    /// Adds a block that is known by its digest alone; only called where [`Aggregation::accepts_digests`].
    fn update_digest(&mut self, group: u32, digest: &SeriesDigest) -> Result<(), AggregationError> {
        let _ = (group, digest);
        Err(AggregationError::Unsupported { name: "digest".to_owned(), reason: None })
    }
    /// Merges saved groups into this accumulator: saved group `i` into group `group_map[i]`.
    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError>;
    /// Merges another accumulator of the same function into this one: its group `i` into group `group_map[i]`, as if what it
    /// saw came after.
    fn absorb(&mut self, mut other: Box<dyn Accumulator>, group_map: &[u32]) -> Result<(), AggregationError> {
        let saved = other.save()?;
        drop(other);
        self.merge(&saved, group_map)
    }
    /// Bytes that it holds, as far as they grow with groups and samples; 0 where they are bounded otherwise.
    fn held_bytes(&self) -> u64 {
        0
    }
    /// Whether somebody waits for what it holds. A thread that only helps then gives it up, half done; only such a thread asks.
    fn is_wanted(&self) -> bool {
        false
    }
    /// All groups' states.
    fn save(&mut self) -> Result<SavedState, AggregationError>;
    /// One value per group, in order; leaves the states as they are.
    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError>;
}

/// Finds aggregate functions by name: the built-in ones, and each loaded plugin's.
pub trait AggregationSource: Send + Sync {
    /// The supported names, for error messages and listings.
    fn names(&self) -> Vec<String>;
    /// The function with its parameters bound; `None` when the name is not known here. Names compare in any case.
    fn find(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>>;
}
