//! Kept states in a query: which ones stand for samples, and what became of them.

use std::sync::atomic::{AtomicBool, Ordering};

use telemetry_core::aggregation::{KeptStates, SampleOrder};

use super::registry::BoundAggregation;
use crate::query::QueryError;
use crate::rollups::KeptChoice;

/// The kept states that one metric of a query is answered from. What they do not cover is read sample by sample.
pub(super) struct KeptUse<'a> {
    choice: &'a KeptChoice,
    refused: AtomicBool,
}

impl<'a> KeptUse<'a> {
    /// The longest buckets that make up the steps; the shortest ones where there are no steps, since days are kept in any case.
    pub(super) fn of(aggregation: &'a BoundAggregation, metric: &str, step: Option<i64>) -> Option<Self> {
        let function = &*aggregation.function;
        if !function.mergeable() || function.order() != SampleOrder::Any {
            return None;
        }
        let fits = |choice: &&KeptChoice| step.is_none_or(|step| step % choice.states.width == 0);
        let wanted = aggregation.kept.iter().filter(|choice| choice.wants(metric)).filter(fits);
        let width = |choice: &&KeptChoice| choice.states.width;
        let choice = if step.is_some() { wanted.max_by_key(width) } else { wanted.min_by_key(width) }?;
        Some(Self { choice, refused: AtomicBool::new(false) })
    }

    /// Which rollup's they are.
    pub(super) fn choice(&self) -> &'a KeptChoice {
        self.choice
    }

    pub(super) fn states(&self) -> KeptStates {
        self.choice.states
    }

    /// The function did not take a state: the query begins anew without them.
    pub(super) fn refuse(&self, error: &QueryError) {
        if !self.refused.swap(true, Ordering::Relaxed) {
            self.choice.note_refusal(error);
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}
