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
    /// By group (0 where nothing is grouped) and the start of the bucket, in this order.
    pub(super) points: Vec<(u32, i64, Figure)>,
    pub(super) extent: Extent,
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
        for cell in cells {
            if let Some(start) = cell.bucket {
                self.points.push((group(cell.owner), start, figure(cell, values)));
            }
        }
        // Stable, because it makes use of what is sorted already: the cells of a group come by time within a partition.
        self.points.sort_by_key(|(group, start, _)| (*group, *start));
    }
}

/// The figure of a cell whose number is a place in `values`.
pub(super) fn figure(cell: &Cell, values: &[AggregateValue]) -> Figure {
    let value = cell.number.and_then(|number| values.get(number as usize)).cloned();
    Figure { value: value.unwrap_or(AggregateValue::None), numeric: cell.numeric, text: cell.text }
}
