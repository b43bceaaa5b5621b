//! One accumulator for every built-in function: a dense list of states, one for each group.

use std::any::Any;

use crate::aggregation::saved::{Damage, StateReader, StateWriter, VERSION};
use crate::aggregation::{Accumulator, AggregateValue, AggregationError, SampleRun, SeriesDigest};
use crate::extension::SavedState;
use crate::limits;

/// The running state of a built-in function over one group.
pub(super) trait GroupState: Default + Send {
    /// The kind of saved state; functions with the same states share it.
    const TAG: u8;
    /// Whether samples must come with their times.
    const NEEDS_TIMES: bool = false;
    /// Whether the state keeps every value, so that they must be limited.
    const KEEPS_VALUES: bool = false;

    /// Adds consecutive samples; `timestamps` has as many as `values` or, unless needed, none.
    fn add(&mut self, timestamps: &[i64], values: &[f64]);
    /// Adds a block by its digest; answers false where digests cannot stand for samples.
    fn add_digest(&mut self, _digest: &SeriesDigest) -> bool {
        false
    }
    /// Adds what another state has seen, as if it came after.
    fn absorb(&mut self, other: Self) -> Result<(), Damage>;
    /// The result; `None` without samples or beyond the range of `f64`.
    fn value(&mut self) -> Option<f64>;
    /// Appends the state.
    fn write(&self, out: &mut StateWriter);
    /// Reads what [`Self::write`] wrote.
    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage>;
    /// Values kept by this state.
    fn kept(&self) -> usize {
        0
    }
    /// Bytes on the heap beside kept values.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Running states of one function for many groups.
#[derive(Debug)]
pub(super) struct Grouped<S> {
    name: &'static str,
    groups: Vec<S>,
    kept: usize,
    heap: usize,
}

impl<S: GroupState + 'static> Grouped<S> {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, groups: Vec::new(), kept: 0, heap: 0 }
    }

    /// The groups' states, in order.
    pub(super) fn states(&mut self) -> &mut [S] {
        &mut self.groups
    }

    fn group(&mut self, number: u32) -> Result<&mut S, AggregationError> {
        let index = number as usize;
        if index >= self.groups.len() {
            self.check(index.saturating_add(1), limits::MAX_ACCUMULATOR_GROUPS, "groups")?;
            self.groups.resize_with(index + 1, S::default);
        }
        // The error has a name of its own, which is not to be made for every run of samples.
        self.groups.get_mut(index).ok_or_else(|| AggregationError::Limit {
            name: self.name.to_owned(),
            what: "groups",
            limit: limits::MAX_ACCUMULATOR_GROUPS as u64,
        })
    }

    /// Changes a group's state and accounts for its memory.
    fn change(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut S) -> Result<(), Damage>,
    ) -> Result<(), AggregationError> {
        let state = self.group(number)?;
        let before = state.heap_bytes();
        let changed = change(state);
        let after = state.heap_bytes();
        self.heap = self.heap.saturating_add(after).saturating_sub(before);
        changed.map_err(|reason| self.damage(reason))
    }

    fn keep(&mut self, more: usize) -> Result<(), AggregationError> {
        if S::KEEPS_VALUES {
            self.kept = self.kept.saturating_add(more);
            self.check(self.kept, limits::MAX_EXACT_VALUES, "values")?;
        }
        Ok(())
    }

    fn check(&self, wanted: usize, limit: usize, what: &'static str) -> Result<(), AggregationError> {
        if wanted <= limit {
            return Ok(());
        }
        Err(AggregationError::Limit { name: self.name.to_owned(), what, limit: limit as u64 })
    }

    fn absorb_groups(&mut self, groups: Vec<S>, group_map: &[u32]) -> Result<(), AggregationError> {
        if groups.len() != group_map.len() {
            return Err(self.damage("the map does not name a group for each of its groups"));
        }
        self.keep(groups.iter().map(S::kept).sum())?;
        let next = self.groups.len();
        if group_map.iter().zip(next..).all(|(number, place)| *number as usize == place) {
            // All of them are new here, and come in their order.
            self.check(next.saturating_add(groups.len()), limits::MAX_ACCUMULATOR_GROUPS, "groups")?;
            self.groups.extend(groups);
            return Ok(());
        }
        for (state, number) in groups.into_iter().zip(group_map) {
            self.change(*number, |ours| ours.absorb(state))?;
        }
        Ok(())
    }

    fn damage(&self, reason: Damage) -> AggregationError {
        AggregationError::SavedState { name: self.name.to_owned(), reason: reason.to_owned() }
    }

    fn unsupported(&self, reason: &str) -> AggregationError {
        AggregationError::Unsupported { name: self.name.to_owned(), reason: Some(reason.to_owned()) }
    }
}

fn read_groups<S: GroupState>(bytes: &[u8]) -> Result<Vec<S>, Damage> {
    let (mut reader, count) = StateReader::open(bytes, S::TAG)?;
    let groups = (0..count).map(|_| S::read(&mut reader)).collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(groups)
}

impl<S: GroupState + 'static> Accumulator for Grouped<S> {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        for run in runs {
            if S::NEEDS_TIMES && run.timestamps.len() != run.values.len() {
                return Err(self.unsupported("its samples must come with their times"));
            }
            self.keep(run.values.len())?;
            self.change(run.group, |state| {
                state.add(run.timestamps, run.values);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn update_digest(&mut self, group: u32, digest: &SeriesDigest) -> Result<(), AggregationError> {
        if self.group(group)?.add_digest(digest) {
            return Ok(());
        }
        Err(self.unsupported("it must see the samples themselves"))
    }

    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        if saved.version != VERSION {
            return Err(self.damage("it is of another version"));
        }
        let groups = read_groups::<S>(&saved.bytes).map_err(|reason| self.damage(reason))?;
        self.absorb_groups(groups, group_map)
    }

    fn absorb(&mut self, mut other: Box<dyn Accumulator>, group_map: &[u32]) -> Result<(), AggregationError> {
        // Of the same type there is no need to write the states down.
        let any: &mut dyn Any = &mut *other;
        if let Some(Self { groups, .. }) = any.downcast_mut::<Self>() {
            return self.absorb_groups(std::mem::take(groups), group_map);
        }
        let saved = other.save()?;
        self.merge(&saved, group_map)
    }

    fn held_bytes(&self) -> u64 {
        let groups = self.groups.capacity().saturating_mul(size_of::<S>());
        let kept = self.kept.saturating_mul(size_of::<f64>());
        groups.saturating_add(kept).saturating_add(self.heap) as u64
    }

    fn save(&mut self) -> Result<SavedState, AggregationError> {
        let count = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let mut writer = StateWriter::new(S::TAG, count);
        for group in &self.groups {
            group.write(&mut writer);
        }
        Ok(SavedState { version: VERSION, bytes: writer.finish() })
    }

    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        Ok(self.groups.iter_mut().map(|group| finite(group.value())).collect())
    }
}

/// Results are finite: what is beyond `f64` is no result.
fn finite(value: Option<f64>) -> AggregateValue {
    match value {
        Some(value) if value.is_finite() => AggregateValue::Number(value),
        _ => AggregateValue::None,
    }
}
