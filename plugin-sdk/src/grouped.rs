//! Many groups of one aggregate. Invariant: groups are numbered without gaps, and input that does not fit together changes none.

use crate::Timestamp;
use crate::aggregation::{Accumulator, Aggregate, AggregateValue, Runs};
use crate::error::{PluginError, Result};
use crate::state::SavedState;

/// Most groups of one accumulator. A query has at most a million points; four times that leaves room and keeps a wrong number
/// from filling the memory.
pub const MAX_GROUPS: usize = 1 << 22;

/// Running states of one [`Aggregate`] for many groups.
pub struct Grouped<A: Aggregate> {
    aggregate: A,
    groups: Vec<A::Group>,
}

impl<A: Aggregate> Grouped<A> {
    /// No groups yet.
    ///
    /// # Errors
    /// When [`Aggregate::prepare`] refuses the parameters.
    pub fn new(aggregate: A) -> Result<Self> {
        Ok(Self { aggregate: aggregate.prepare()?, groups: Vec::new() })
    }

    /// The result for a single group: a shortcut for the author's unit tests.
    ///
    /// # Errors
    /// Whatever the aggregate refuses.
    pub fn evaluate_one(aggregate: A, timestamps: &[Timestamp], values: &[f64]) -> Result<AggregateValue> {
        let mut grouped = Self::new(aggregate)?;
        let length =
            u32::try_from(values.len()).map_err(|_| PluginError::other("too many samples for one run"))?;
        grouped.update(Runs::new(&[0], &[length], timestamps, values)?)?;
        let first = grouped.evaluate()?.into_iter().next();
        Ok(first.unwrap_or(AggregateValue::None))
    }

    /// The groups, in order.
    pub fn groups(&self) -> &[A::Group] {
        &self.groups
    }

    fn open_through(&mut self, highest: Option<u32>) -> Result<()> {
        let needed = highest.map_or(0, |group| group as usize + 1);
        if needed > MAX_GROUPS {
            return Err(PluginError::Unsupported(format!("{needed} groups; at most {MAX_GROUPS} are kept")));
        }
        let aggregate = &self.aggregate;
        if self.groups.len() < needed {
            self.groups.resize_with(needed, || aggregate.open());
        }
        Ok(())
    }

    fn group(&mut self, number: u32) -> Result<(&A, &mut A::Group)> {
        let group = self.groups.get_mut(number as usize);
        Ok((&self.aggregate, group.ok_or_else(|| PluginError::other("a group was not opened"))?))
    }

    fn read(&self, saved: &SavedState) -> Result<Vec<A::Group>> {
        let groups: Vec<Vec<u8>> = saved.read()?;
        let version = saved.version();
        let read = |bytes: Vec<u8>| {
            let group = SavedState::from_bytes(version, bytes);
            if version == A::STATE_VERSION { group.read() } else { self.aggregate.upgrade(&group) }
        };
        groups.into_iter().map(read).collect()
    }
}

impl<A: Aggregate> Accumulator for Grouped<A> {
    fn update(&mut self, runs: Runs<'_>) -> Result<()> {
        if A::NEEDS_TIMESTAMPS && !runs.has_timestamps() {
            return Err(PluginError::other("this aggregate needs the samples' times"));
        }
        self.open_through(runs.highest_group())?;
        for run in runs.iter() {
            let (aggregate, group) = self.group(run.group)?;
            aggregate.update(group, run.timestamps, run.values)?;
        }
        Ok(())
    }

    fn merge(&mut self, saved: SavedState, group_map: &[u32]) -> Result<()> {
        let groups = self.read(&saved)?;
        if groups.len() != group_map.len() {
            return Err(PluginError::other("the map does not cover the saved groups"));
        }
        self.open_through(group_map.iter().copied().max())?;
        for (&number, other) in group_map.iter().zip(groups) {
            let (aggregate, group) = self.group(number)?;
            aggregate.merge(group, other)?;
        }
        Ok(())
    }

    fn save(&self) -> Result<SavedState> {
        let bytes = |group: &A::Group| Ok(SavedState::new(A::STATE_VERSION, group)?.into_bytes());
        let groups = self.groups.iter().map(bytes).collect::<Result<Vec<_>>>()?;
        SavedState::new(A::STATE_VERSION, &groups)
    }

    fn evaluate(&self) -> Result<Vec<AggregateValue>> {
        self.groups.iter().map(|group| self.aggregate.evaluate(group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::Aggregates;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Scaled {
        factor: f64,
    }

    impl Aggregate for Scaled {
        const NAME: &'static str = "scaled";
        const DESCRIPTION: &'static str = "Sum times a factor";
        const STATE_VERSION: u32 = 2;
        type Group = f64;

        fn prepare(self) -> Result<Self> {
            if self.factor == 0.0 { Err(PluginError::unsupported("factor is 0")) } else { Ok(self) }
        }
        fn open(&self) -> f64 {
            0.0
        }
        fn update(&self, group: &mut f64, _: &[Timestamp], values: &[f64]) -> Result<()> {
            *group += values.iter().sum::<f64>();
            Ok(())
        }
        fn merge(&self, group: &mut f64, other: f64) -> Result<()> {
            *group += other;
            Ok(())
        }
        fn upgrade(&self, saved: &SavedState) -> Result<f64> {
            saved.read_version::<f32>(1).map(f64::from)
        }
        fn evaluate(&self, group: &f64) -> Result<AggregateValue> {
            Ok((group * self.factor).into())
        }
    }

    fn numbers(accumulator: &dyn Accumulator) -> Vec<f64> {
        let number = |value| match value {
            AggregateValue::Number(number) => number,
            other => panic!("{other:?}"),
        };
        accumulator.evaluate().unwrap().into_iter().map(number).collect()
    }

    fn opened() -> Box<dyn Accumulator> {
        Aggregates::of::<Scaled>().open("scaled", "{\"factor\":2}").unwrap()
    }

    #[test]
    fn runs_go_to_their_groups_and_gaps_are_opened() {
        let mut accumulator = opened();
        accumulator.update(Runs::new(&[0, 3, 0], &[1, 2, 1], &[], &[1.0, 2.0, 3.0, 4.0]).unwrap()).unwrap();
        assert_eq!(numbers(&*accumulator), [10.0, 0.0, 0.0, 10.0]);
        assert_eq!(
            numbers(&*accumulator),
            [10.0, 0.0, 0.0, 10.0],
            "evaluating leaves the states as they are"
        );
    }

    #[test]
    fn saved_groups_merge_where_the_map_says() {
        let mut accumulator = opened();
        accumulator.update(Runs::new(&[0, 1], &[1, 1], &[], &[1.0, 5.0]).unwrap()).unwrap();
        let mut other = opened();
        other.update(Runs::new(&[0], &[1], &[], &[100.0]).unwrap()).unwrap();
        other.merge(accumulator.save().unwrap(), &[2, 0]).unwrap();
        assert_eq!(numbers(&*other), [210.0, 0.0, 2.0]);
    }

    #[test]
    fn groups_of_an_older_version_are_upgraded() {
        let old = vec![SavedState::new(1, &1.5_f32).unwrap().into_bytes()];
        let mut accumulator = opened();
        accumulator.merge(SavedState::new(1, &old).unwrap(), &[0]).unwrap();
        assert_eq!(numbers(&*accumulator), [3.0]);
        assert!(accumulator.merge(SavedState::new(9, &old).unwrap(), &[0]).is_err());
    }

    #[test]
    fn broken_input_is_refused_and_changes_nothing() {
        assert!(Runs::new(&[0], &[2], &[], &[1.0]).is_err());
        assert!(Runs::new(&[0, 1], &[1], &[], &[1.0]).is_err());
        assert!(Runs::new(&[0], &[u32::MAX], &[], &[]).is_err());
        assert!(Runs::new(&[0], &[1], &[1, 2], &[1.0]).is_err());
        let mut accumulator = opened();
        assert!(accumulator.update(Runs::new(&[u32::MAX], &[0], &[], &[]).unwrap()).is_err());
        assert!(accumulator.merge(SavedState::from_bytes(2, vec![0xff]), &[]).is_err());
        let one = SavedState::new(2, &vec![SavedState::new(2, &1.0).unwrap().into_bytes()]).unwrap();
        assert!(accumulator.merge(one, &[0, 1]).is_err());
        assert_eq!(numbers(&*accumulator), [0.0; 0]);
    }

    #[test]
    fn names_and_parameters_are_checked() {
        let refusal = |name: &str, json: &str| match Aggregates::of::<Scaled>().open(name, json) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        };
        assert!(refusal("other", "{}").contains("\"other\""));
        assert!(refusal("scaled", "").contains("factor"));
        assert!(refusal("scaled", "{\"factor\":\"x\"}").contains("factor"));
        assert!(refusal("scaled", "{\"factor\":0}").contains("factor is 0"));
    }
}
