//! Each aggregate function is tried on recent samples: it aggregates, saves, merges and evaluates them.
//!
//! Invariant: each set of parameters is a few calls, however many batches the samples came in, and the time is looked at before it.

use serde_json::{Map, Value};
use telemetry_core::SampleBatch;
use telemetry_core::aggregation::{Aggregation, AggregationError, AggregationSource, SampleRun};
use telemetry_core::extension::SavedState;

use super::{TrialFailure, TrialSummary};

/// Numbers in the order of time, as one group: texts never reach an aggregation.
pub(super) struct Columns {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl Columns {
    /// Those of all batches, put together as a query would: a function may want all samples of a group in the order of time. Of one
    /// instant they come as they arrived.
    pub(super) fn of<'b>(batches: impl Iterator<Item = &'b SampleBatch>) -> Self {
        let samples = |batch: &'b SampleBatch| {
            let samples = batch.timestamps().iter().copied().zip(batch.values().iter().copied());
            samples.filter(|(_, value)| !value.is_nan())
        };
        let mut samples: Vec<(i64, f64)> = batches.flat_map(samples).collect();
        samples.sort_by_key(|(time, _)| *time);
        let (timestamps, values) = samples.into_iter().unzip();
        Self { timestamps, values }
    }

    /// Some where there are none.
    pub(super) fn made_up(now: i64) -> Self {
        let second = 1_000_000_000;
        let timestamps = (0..3_i64).rev().map(|back| now.saturating_sub(back * second)).collect();
        Self { timestamps, values: vec![1.0, 2.5, -3.0] }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Tries each function with each set of `parameters` that there is for it, until the time is over.
pub(super) fn try_each(
    functions: &dyn AggregationSource,
    parameters: impl Fn(&str) -> Vec<Map<String, Value>>,
    columns: &Columns,
    is_over: impl Fn() -> bool,
    summary: &mut TrialSummary,
) -> Result<(), TrialFailure> {
    for name in functions.names() {
        let mut tried = false;
        for parameters in parameters(&name) {
            if is_over() {
                // Whether it would have taken those that are left nobody knows.
                summary.functions = summary.functions.saturating_add(u64::from(tried));
                return Ok(());
            }
            tried |= aggregate(functions, &name, &parameters, columns)
                .map_err(|source| TrialFailure::Function { function: name.clone(), source })?;
        }
        let count = if tried { &mut summary.functions } else { &mut summary.functions_left_out };
        *count = count.saturating_add(1);
    }
    Ok(())
}

/// Aggregates, saves, merges and evaluates with one function; `false` when it does not take these parameters.
fn aggregate(
    functions: &dyn AggregationSource,
    name: &str,
    parameters: &Map<String, Value>,
    columns: &Columns,
) -> Result<bool, AggregationError> {
    let function = match functions.find(name, parameters) {
        Some(Ok(function)) => function,
        None | Some(Err(AggregationError::Unsupported { .. })) => return Ok(false),
        Some(Err(error)) => return Err(error),
    };
    let Some(saved) = accumulate(&*function, columns, None)? else { return Ok(false) };
    if function.mergeable() {
        accumulate(&*function, columns, Some(&saved))?;
    }
    Ok(true)
}

/// The state of one accumulator that saw the samples, or took over `before`; `None` when it does not take its parameters.
fn accumulate(
    function: &dyn Aggregation,
    columns: &Columns,
    before: Option<&SavedState>,
) -> Result<Option<SavedState>, AggregationError> {
    let mut accumulator = match function.accumulator() {
        Ok(accumulator) => accumulator,
        Err(AggregationError::Unsupported { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    match before {
        Some(before) => accumulator.merge(before, &[0])?,
        None => {
            // In two calls: a second one may meet what the first one left.
            let half = columns.values.len() / 2;
            let (times, values) = (columns.timestamps.split_at(half), columns.values.split_at(half));
            for (timestamps, values) in [(times.0, values.0), (times.1, values.1)] {
                if !values.is_empty() {
                    accumulator.update(&[SampleRun { group: 0, timestamps, values }])?;
                }
            }
        }
    }
    accumulator.evaluate()?;
    // A function that cannot be merged need not be able to save.
    if function.mergeable() { accumulator.save().map(Some) } else { Ok(Some(SavedState::default())) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use telemetry_core::aggregation::{Accumulator, AggregateValue};

    use super::*;

    /// Samples by time.
    type Samples = Vec<(i64, f64)>;

    /// Two functions that keep what each of their calls was shown.
    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<Samples>>>);

    impl AggregationSource for Shown {
        fn names(&self) -> Vec<String> {
            vec!["first".to_owned(), "second".to_owned()]
        }

        fn find(
            &self,
            _: &str,
            parameters: &Map<String, Value>,
        ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
            if parameters.contains_key("refused") {
                return Some(Err(AggregationError::Unsupported { name: "shown".to_owned(), reason: None }));
            }
            Some(Ok(Arc::new(self.clone())))
        }
    }

    impl Aggregation for Shown {
        fn name(&self) -> &str {
            "shown"
        }
        fn mergeable(&self) -> bool {
            true
        }
        fn needs_timestamps(&self) -> bool {
            true
        }
        fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Accumulator for Shown {
        fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
            let of_run = |run: &SampleRun<'_>| -> Samples {
                assert_eq!((run.group, run.timestamps.len()), (0, run.values.len()));
                run.timestamps.iter().copied().zip(run.values.iter().copied()).collect()
            };
            self.0.lock().push(runs.iter().flat_map(of_run).collect());
            Ok(())
        }
        fn merge(&mut self, _: &SavedState, _: &[u32]) -> Result<(), AggregationError> {
            Ok(())
        }
        fn save(&mut self) -> Result<SavedState, AggregationError> {
            Ok(SavedState::default())
        }
        fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
            Ok(vec![AggregateValue::None])
        }
    }

    fn batch(samples: &[(i64, f64)]) -> SampleBatch {
        let mut batch = SampleBatch::starting_at(1);
        let series = batch.add_series("m", "{}");
        samples.iter().for_each(|(time, value)| batch.push(series, *time, *value));
        batch
    }

    fn with_key(key: &str) -> Map<String, Value> {
        std::iter::once((key.to_owned(), Value::Null)).collect()
    }

    #[test]
    fn samples_of_all_batches_are_shown_in_the_order_of_time() {
        let batches =
            [batch(&[(5, 5.0), (3, 3.0)]), batch(&[(4, f64::NAN)]), batch(&[(1, 1.0), (3, 3.5), (9, 9.0)])];
        let (shown, mut summary) = (Shown::default(), TrialSummary::default());
        let columns = Columns::of(batches.iter());
        try_each(&shown, |_| vec![Map::new()], &columns, || false, &mut summary).unwrap();
        let calls = [vec![(1, 1.0), (3, 3.0)], vec![(3, 3.5), (5, 5.0), (9, 9.0)]];
        assert_eq!(
            *shown.0.lock(),
            [calls.clone(), calls].concat(),
            "by each of two functions, in two calls"
        );
        assert_eq!((columns.len(), summary.functions, summary.functions_left_out), (5, 2, 0));
    }

    /// What is tried of two functions with four sets of parameters each, the first of which the functions do not take, when the time
    /// is over after so many looks at it: how many sets, and what is counted.
    fn tried(looks: usize) -> (usize, u64, u64) {
        let (shown, mut summary, left) = (Shown::default(), TrialSummary::default(), Cell::new(looks));
        let parameters = |_: &str| ["refused", "a", "b", "c"].map(with_key).to_vec();
        let is_over = || match left.get().checked_sub(1) {
            Some(fewer) => {
                left.set(fewer);
                false
            }
            None => true,
        };
        try_each(&shown, parameters, &Columns::made_up(0), is_over, &mut summary).unwrap();
        let sets = shown.0.lock().len() / 2;
        (sets, summary.functions, summary.functions_left_out)
    }

    #[test]
    fn the_time_is_looked_at_before_each_set_of_parameters() {
        assert_eq!(tried(0), (0, 0, 0));
        assert_eq!(tried(1), (0, 0, 0), "whether it takes none is not known");
        assert_eq!(tried(3), (2, 1, 0));
        assert_eq!(tried(5), (3, 1, 0));
        assert_eq!(tried(7), (5, 2, 0));
        assert_eq!(tried(8), (6, 2, 0));
    }
}
