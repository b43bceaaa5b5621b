//! Turns a metric's figures into its answer: labels, times, rates, counts of text, and the limit.

use std::collections::HashMap;

use telemetry_core::Timestamp;
use telemetry_core::aggregation::AggregateValue;
use telemetry_core::time::NANOS_PER_SECOND;

use super::answer::{AnsweredRange, GroupAnswer, MetricAnswer, PointAnswer, Tally};
use super::grouping::Grouping;
use super::outcome::{Figure, GroupPoints, Outcome};
use super::registry::BoundAggregation;
use crate::query::MetricQuery;

/// What an answer is assembled by.
pub(super) struct Assembly<'a> {
    pub(super) query: &'a MetricQuery,
    pub(super) aggregation: &'a BoundAggregation,
    pub(super) step: Option<i64>,
}

impl Assembly<'_> {
    /// The answer; `None` without samples.
    pub(super) fn answer(&self, outcome: Outcome, grouping: &Grouping) -> Option<MetricAnswer> {
        if outcome.total.numeric == 0 && outcome.total.text == 0 {
            return None;
        }
        let asked = self.query.range;
        let time_range = AnsweredRange {
            start: asked.start.unwrap_or(Timestamp::from_nanos(outcome.extent.first)),
            end: asked.end.unwrap_or(Timestamp::from_nanos(outcome.extent.last)),
        };
        let covered = time_range.end.nanos().saturating_sub(time_range.start.nanos());
        let mut points = self.points(outcome.points);
        let mut answer = MetricAnswer {
            tally: self.tally(outcome.total, covered),
            aggregation: self.aggregation.shown.clone(),
            time_range,
            groups: None,
            points: None,
            truncated: false,
        };
        if self.query.group_by.is_empty() {
            answer.points = self.step.map(|_| points.remove(&0).unwrap_or_default());
            return Some(answer);
        }
        let mut groups: Vec<_> = outcome
            .groups
            .into_iter()
            .filter_map(|(group, figure)| Some((grouping.keys.get(group as usize)?, group, figure)))
            .collect();
        groups.sort_unstable_by(|a, b| a.0.cmp(b.0));
        if let Some(limit) = self.query.limit {
            answer.truncated = groups.len() > limit;
            groups.truncate(limit);
        }
        let groups = groups.into_iter().map(|(key, group, figure)| GroupAnswer {
            by: self.query.group_by.iter().cloned().zip(key.iter().cloned()).collect(),
            tally: self.tally(figure, covered),
            points: self.step.map(|_| points.remove(&group).unwrap_or_default()),
        });
        answer.groups = Some(groups.collect());
        Some(answer)
    }

    /// Points by group. A bucket with nothing but skipped samples is as good as empty.
    fn points(&self, points: Vec<GroupPoints>) -> HashMap<u32, Vec<PointAnswer>> {
        let step = self.step.unwrap_or(0);
        let answer = |(start, figure)| PointAnswer {
            time: Timestamp::from_nanos(start),
            tally: self.tally(figure, step),
        };
        let of_group = |points: Vec<(i64, Figure)>| {
            points.into_iter().map(answer).filter(|point| point.tally.sample_count > 0).collect()
        };
        points.into_iter().map(|GroupPoints { group, points }| (group, of_group(points))).collect()
    }

    /// The figure as it is answered; `covered` is the length in nanoseconds that a rate is taken over.
    fn tally(&self, figure: Figure, covered: i64) -> Tally {
        let Figure { mut value, numeric, text } = figure;
        let function = &*self.aggregation.function;
        if function.per_second()
            && let AggregateValue::Number(total) = value
        {
            let rate = total / (covered as f64 / NANOS_PER_SECOND as f64);
            value = if rate.is_finite() { AggregateValue::Number(rate) } else { AggregateValue::None };
        }
        if !function.counts_text() {
            return Tally { value, sample_count: numeric, skipped: text };
        }
        let counted = match value {
            AggregateValue::Number(counted) => counted,
            _ => 0.0,
        };
        let sample_count = numeric.saturating_add(text);
        Tally { value: AggregateValue::Number(counted + text as f64), sample_count, skipped: 0 }
    }
}
