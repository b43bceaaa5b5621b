//! What was worked out of one metric, before it becomes an answer.

use serde_json::Value;
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

    /// Adds the figures of other groups, all but the total.
    pub(super) fn append(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.points.extend(other.points);
        self.extent.absorb(other.extent);
    }

    /// How many points there are.
    pub(super) fn point_count(&self) -> usize {
        self.points.iter().map(|group| group.points.len()).sum()
    }

    /// Memory of all figures in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let points = self.point_count().saturating_mul(size_of::<(i64, Figure)>());
        let lists = self.points.capacity().saturating_mul(size_of::<GroupPoints>());
        let groups = self.groups.capacity().saturating_mul(size_of::<(u32, Figure)>());
        let of_points = self.points.iter().flat_map(|group| &group.points).map(|(_, figure)| figure);
        let of_groups = self.groups.iter().map(|(_, figure)| figure);
        let figures = std::iter::once(&self.total).chain(of_groups).chain(of_points);
        let json = figures.map(|figure| match &figure.value {
            AggregateValue::Json(value) => json_bytes(value),
            _ => 0,
        });
        let own = points.saturating_add(lists).saturating_add(groups);
        json.fold(own, usize::saturating_add) as u64
    }
}

/// Memory of a JSON value in bytes, about. It is a parsed one, so that the depth is limited.
fn json_bytes(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(json_bytes).fold(0, usize::saturating_add),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| json_bytes(value).saturating_add(name.len() + size_of::<String>()))
            .fold(0, usize::saturating_add),
        _ => 0,
    };
    within.saturating_add(size_of::<Value>())
}

/// The figure of a cell whose number is a place in `values`.
pub(super) fn figure(cell: &Cell, values: &[AggregateValue]) -> Figure {
    let value = cell.number().and_then(|number| values.get(number as usize)).cloned();
    Figure { value: value.unwrap_or(AggregateValue::None), numeric: cell.numeric, text: cell.text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_points_and_what_is_in_them() {
        let outcome = |value: AggregateValue| {
            let figure = Figure { value, numeric: 1, text: 0 };
            let points = vec![GroupPoints { group: 0, points: vec![(0, figure.clone()); 100] }];
            Outcome { points, groups: vec![(0, figure)], ..Outcome::empty() }
        };
        let numbers = outcome(AggregateValue::Number(1.0)).bytes();
        assert!((4_000..8_000).contains(&numbers), "{numbers}");
        let json = |text: &str| AggregateValue::Json(Box::new(serde_json::json!({"of": ["a", text, null]})));
        let (short, long) = (outcome(json("")).bytes(), outcome(json(&"x".repeat(1_000))).bytes());
        assert!(short > numbers + 101 * 4 * 24, "{short}");
        assert_eq!(long - short, 101 * 1_000);
        let total = Figure { value: json(&"x".repeat(1_000)), numeric: 1, text: 0 };
        assert!(Outcome { total, ..Outcome::empty() }.bytes() > 1_000);
    }
}
