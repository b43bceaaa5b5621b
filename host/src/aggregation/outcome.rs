//! What was worked out of one metric, before it becomes an answer.

use telemetry_core::aggregation::AggregateValue;

use super::cells::Cell;
use super::intake::Extent;

/// A value and what it was made of.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) value: AggregateValue,
    pub(super) numeric: u64,
    pub(super) text: u64,
}

/// A metric's figures.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) total: Figure,
    /// By group; groups without samples are absent.
    pub(super) groups: Vec<(u32, Figure)>,
    /// By group, 0 where nothing is grouped.
    pub(super) points: Vec<GroupPoints>,
    pub(super) extent: Extent,
}

/// The figures of a group's buckets.
#[derive(Debug)]
pub(super) struct GroupPoints {
    pub(super) group: u32,
    /// By the start of the bucket, ascending.
    pub(super) points: Vec<(i64, Figure)>,
}

impl Outcome {
    pub(super) fn empty() -> Self {
        let total = Figure { value: AggregateValue::None, numeric: 0, text: 0 };
        Self { total, groups: Vec::new(), points: Vec::new(), extent: Extent::NONE }
    }

    /// Adds the points among `cells`, whose numbers are places in `values`.
    pub(super) fn take_points(
        &mut self,
        cells: &[Cell],
        values: &[AggregateValue],
        group: impl Fn(u32) -> u32,
    ) {
        // Cells of many groups come in turns, those of one group by time within a partition: put apart they are nearly sorted.
        let points =
            || cells.iter().filter_map(|cell| Some((cell, cell.bucket()?, group(cell.owner()) as usize)));
        let mut counts: Vec<usize> = Vec::new();
        for (_, _, group) in points() {
            if counts.len() <= group {
                counts.resize(group + 1, 0);
            }
            if let Some(count) = counts.get_mut(group) {
                *count += 1;
            }
        }
        let mut apart: Vec<Vec<(i64, Figure)>> = counts.into_iter().map(Vec::with_capacity).collect();
        for (cell, start, group) in points() {
            if let Some(points) = apart.get_mut(group) {
                points.push((start, figure(cell, values)));
            }
        }
        for (group, mut points) in (0_u32..).zip(apart).filter(|(_, points)| !points.is_empty()) {
            if !points.is_sorted_by_key(|(start, _)| *start) {
                points.sort_unstable_by_key(|(start, _)| *start);
            }
            self.points.push(GroupPoints { group, points });
        }
    }

    /// How many points there are.
    pub(super) fn point_count(&self) -> usize {
        self.points.iter().map(|group| group.points.len()).sum()
    }
}

/// The figure of a cell whose number is a place in `values`.
pub(super) fn figure(cell: &Cell, values: &[AggregateValue]) -> Figure {
    let value = cell.number().and_then(|number| values.get(number as usize)).cloned();
    Figure { value: value.unwrap_or(AggregateValue::None), numeric: cell.numeric, text: cell.text }
}
