//! A column of sample values. Homogeneous columns stay packed; the first value of another kind makes it mixed.

use telemetry_core::MetricValue;

/// Values in order. Integers, floats and texts stay what they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueColumn {
    /// Only floats.
    Float(Vec<f64>),
    /// Only integers.
    Integer(Vec<i64>),
    /// Any values.
    Mixed(Vec<MetricValue>),
}

impl Default for ValueColumn {
    fn default() -> Self {
        Self::Float(Vec::new())
    }
}

impl ValueColumn {
    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Mixed(values) => values.len(),
        }
    }

    /// Whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value; changes the column's kind where it must.
    pub(crate) fn push(&mut self, value: &MetricValue) {
        match (&mut *self, value) {
            (Self::Float(values), MetricValue::Float(value)) => values.push(*value),
            (Self::Integer(values), MetricValue::Integer(value)) => values.push(*value),
            (Self::Mixed(values), value) => values.push(value.clone()),
            (Self::Float(values), MetricValue::Integer(value)) if values.is_empty() => {
                *self = Self::Integer(vec![*value]);
            }
            (Self::Integer(values), MetricValue::Float(value)) if values.is_empty() => {
                *self = Self::Float(vec![*value]);
            }
            (_, value) => {
                self.mix().push(value.clone());
            }
        }
    }

    fn mix(&mut self) -> &mut Vec<MetricValue> {
        let mixed = match std::mem::take(self) {
            Self::Float(values) => values.into_iter().map(MetricValue::Float).collect(),
            Self::Integer(values) => values.into_iter().map(MetricValue::Integer).collect(),
            Self::Mixed(values) => values,
        };
        *self = Self::Mixed(mixed);
        match self {
            Self::Mixed(values) => values,
            Self::Float(_) | Self::Integer(_) => unreachable!("set to Mixed above"),
        }
    }

    /// Value `index`; `None` beyond the end.
    pub(crate) fn get(&self, index: usize) -> Option<MetricValue> {
        match self {
            Self::Float(values) => values.get(index).map(|value| MetricValue::Float(*value)),
            Self::Integer(values) => values.get(index).map(|value| MetricValue::Integer(*value)),
            Self::Mixed(values) => values.get(index).cloned(),
        }
    }

    /// Value `index` as a number; `None` for text and beyond the end.
    pub(crate) fn number(&self, index: usize) -> Option<f64> {
        match self {
            Self::Float(values) => values.get(index).copied(),
            #[allow(clippy::cast_precision_loss, reason = "the contract aggregates integers as f64")]
            Self::Integer(values) => values.get(index).map(|value| *value as f64),
            Self::Mixed(values) => values.get(index).and_then(MetricValue::as_f64),
        }
    }

    /// Removes the first `count` values.
    pub(crate) fn drop_front(&mut self, count: usize) {
        fn cut<T>(values: &mut Vec<T>, count: usize) {
            values.drain(..count.min(values.len()));
        }
        match self {
            Self::Float(values) => cut(values, count),
            Self::Integer(values) => cut(values, count),
            Self::Mixed(values) => cut(values, count),
        }
    }

    /// Gives back memory that is not needed for what is left.
    pub(crate) fn shrink(&mut self) {
        match self {
            Self::Float(values) => values.shrink_to_fit(),
            Self::Integer(values) => values.shrink_to_fit(),
            Self::Mixed(values) => values.shrink_to_fit(),
        }
    }

    /// The first `count` values.
    pub(crate) fn prefix(&self, count: usize) -> ValueColumn {
        match self {
            Self::Float(values) => Self::Float(values.get(..count).unwrap_or(values).to_vec()),
            Self::Integer(values) => Self::Integer(values.get(..count).unwrap_or(values).to_vec()),
            Self::Mixed(values) => Self::Mixed(values.get(..count).unwrap_or(values).to_vec()),
        }
    }

    /// The values at these places, in the order of `places`; places beyond the end are left out.
    pub(crate) fn select(&self, places: impl Iterator<Item = usize>) -> ValueColumn {
        match self {
            Self::Float(values) => {
                Self::Float(places.filter_map(|place| values.get(place).copied()).collect())
            }
            Self::Integer(values) => {
                Self::Integer(places.filter_map(|place| values.get(place).copied()).collect())
            }
            Self::Mixed(values) => {
                let mut column = Self::default();
                places.filter_map(|place| values.get(place)).for_each(|value| column.push(value));
                column
            }
        }
    }

    /// Adds all values of `other`.
    pub(crate) fn extend(&mut self, other: ValueColumn) {
        if self.is_empty() {
            *self = other;
            return;
        }
        match (&mut *self, other) {
            (Self::Float(values), Self::Float(more)) => values.extend(more),
            (Self::Integer(values), Self::Integer(more)) => values.extend(more),
            (_, more) => {
                (0..more.len()).filter_map(|index| more.get(index)).for_each(|value| self.push(&value))
            }
        }
    }

    /// What the values weigh in a head; see [`weight`].
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Float(values) => values.len().saturating_mul(NUMBER_BYTES),
            Self::Integer(values) => values.len().saturating_mul(NUMBER_BYTES),
            Self::Mixed(values) => values.iter().map(weight).sum(),
        }
    }
}

/// Memory of a buffered number: its time and itself.
const NUMBER_BYTES: usize = 16;

/// About how much memory a buffered sample takes, in bytes.
pub(crate) fn weight(value: &MetricValue) -> usize {
    match value {
        MetricValue::Float(_) | MetricValue::Integer(_) => NUMBER_BYTES,
        MetricValue::Text(text) => size_of::<MetricValue>().saturating_add(8).saturating_add(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = MetricValue> {
        prop_oneof![
            any::<i64>().prop_map(MetricValue::Integer),
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(MetricValue::Float),
            "[a-z]{0,3}".prop_map(|text| MetricValue::Text(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_list(values in prop::collection::vec(value(), 0..40), cut in 0_usize..40) {
            let mut column = ValueColumn::default();
            values.iter().for_each(|value| column.push(value));
            let list = |column: &ValueColumn| (0..column.len()).filter_map(|i| column.get(i)).collect::<Vec<_>>();
            prop_assert_eq!(list(&column), values.clone());
            let cut = cut.min(values.len());
            let mut joined = column.prefix(cut);
            let mut rest = column.clone();
            rest.drop_front(cut);
            joined.extend(rest);
            prop_assert_eq!(list(&joined), values.clone());
            let reversed = column.select((0..values.len()).rev());
            prop_assert_eq!(list(&reversed), values.iter().rev().cloned().collect::<Vec<_>>());
        }
    }
}
