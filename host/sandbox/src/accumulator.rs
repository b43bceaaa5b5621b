//! An accumulator of an aggregation plugin: a resource of one of its instances.
//!
//! Invariant: an accumulator holds its instance for its life; the resource inside is dropped before the instance is
//! given to another.

use telemetry_core::aggregation::{Accumulator, AggregateValue, AggregationError, SampleRun};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};
use telemetry_core::{Timestamp, limits};
use wasmtime::component::ResourceAny;

use crate::bindings::types::StateParam;
use crate::convert;
use crate::guest::{Aggregation as Guest, Answer, Runs};
use crate::instance::Instance;
use crate::pool::Lease;
use crate::state::Allowance;

/// Running states inside a plugin.
pub(crate) struct PluginAccumulator {
    name: String,
    /// None once the instance was given back.
    lease: Option<Lease<Guest>>,
    resource: ResourceAny,
    groups: usize,
    needs_timestamps: bool,
    now: Timestamp,
    columns: Columns,
}

/// Runs put together to the columns of one call; kept, so that their buffers are allocated once.
#[derive(Debug, Default)]
struct Columns {
    groups: Vec<u32>,
    lengths: Vec<u32>,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl Columns {
    fn clear(&mut self) {
        self.groups.clear();
        self.lengths.clear();
        self.timestamps.clear();
        self.values.clear();
    }

    fn push(&mut self, run: &SampleRun<'_>, needs_timestamps: bool) {
        self.groups.push(run.group);
        self.lengths.push(u32::try_from(run.values.len()).unwrap_or(u32::MAX));
        self.values.extend_from_slice(run.values);
        if needs_timestamps {
            self.timestamps.extend_from_slice(run.timestamps);
        }
    }
}

impl PluginAccumulator {
    /// The accumulator `resource` of a leased instance, as of `now`.
    pub(crate) fn new(
        name: String,
        lease: Lease<Guest>,
        resource: ResourceAny,
        needs_timestamps: bool,
        now: Timestamp,
    ) -> Self {
        let columns = Columns::default();
        Self { name, lease: Some(lease), resource, groups: 0, needs_timestamps, now, columns }
    }

    /// Runs one call about so many samples or groups.
    fn call<R>(
        &mut self,
        rows: usize,
        call: impl FnOnce(&Guest, &mut wasmtime::Store<crate::state::HostState>, ResourceAny) -> Answer<R>,
    ) -> Result<R, PluginFailure> {
        let (resource, now) = (self.resource, self.now);
        self.with(|instance, deadline| {
            let allowance = Allowance::for_rows(deadline, rows);
            instance.call(allowance, now, |guest, store| call(guest, store, resource))
        })
    }

    /// The same of a call that saves or merges the states of so many groups.
    fn call_with_states<R>(
        &mut self,
        groups: usize,
        call: impl FnOnce(&Guest, &mut wasmtime::Store<crate::state::HostState>, ResourceAny) -> Answer<R>,
    ) -> Result<R, PluginFailure> {
        let (resource, now) = (self.resource, self.now);
        let Some(lease) = &mut self.lease else { return Err(closed(&self.name)) };
        let allowance = Allowance::for_rows(lease.deadline(), groups);
        lease.call_with_states(|instance| {
            instance.call(allowance, now, |guest, store| call(guest, store, resource))
        })
    }

    fn with<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<Guest>, std::time::Duration) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let Some(lease) = &mut self.lease else { return Err(closed(&self.name)) };
        let deadline = lease.deadline();
        lease.call(|instance| call(instance, deadline))
    }

    fn send(&mut self) -> Result<(), PluginFailure> {
        let columns = std::mem::take(&mut self.columns);
        let Columns { groups, lengths, timestamps, values } = &columns;
        if let Some(lease) = &self.lease {
            lease.meters().batch(values.len());
        }
        let runs = Runs { groups, lengths, timestamps, values };
        let sent = self.call(values.len(), |guest, store, resource| guest.call_update(store, resource, runs));
        self.columns = columns;
        self.columns.clear();
        sent
    }

    fn open_groups(&mut self, group: u32) -> Result<(), AggregationError> {
        let groups = group as usize + 1;
        let limit = limits::MAX_ACCUMULATOR_GROUPS;
        if groups > limit {
            return Err(AggregationError::Limit {
                name: self.name.clone(),
                what: "groups",
                limit: limit as u64,
            });
        }
        self.groups = self.groups.max(groups);
        Ok(())
    }
}

impl Accumulator for PluginAccumulator {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        self.columns.clear();
        for run in runs {
            self.open_groups(run.group)?;
            if self.needs_timestamps && run.timestamps.len() != run.values.len() {
                let reason = Some("it needs the samples' times".to_owned());
                return Err(AggregationError::Unsupported { name: self.name.clone(), reason });
            }
            let mut rest = *run;
            loop {
                let room = limits::MAX_SAMPLES_PER_CALL.saturating_sub(self.columns.values.len());
                let (now, later) = split(rest, room);
                self.columns.push(&now, self.needs_timestamps);
                if later.values.is_empty() {
                    break;
                }
                self.send()?;
                rest = later;
            }
        }
        if !self.columns.groups.is_empty() {
            self.send()?;
        }
        Ok(())
    }

    fn is_wanted(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::is_wanted)
    }

    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        if let Some(greatest) = group_map.iter().max() {
            self.open_groups(*greatest)?;
        }
        let state = StateParam { version: saved.version, bytes: &saved.bytes };
        let merged = self.call_with_states(group_map.len(), |guest, store, resource| {
            guest.call_merge(store, resource, state, group_map)
        });
        merged.map_err(|failure| match failure.reason {
            FailureReason::Unsupported(reason) => {
                AggregationError::SavedState { name: self.name.clone(), reason }
            }
            _ => failure.into(),
        })
    }

    fn save(&mut self) -> Result<SavedState, AggregationError> {
        let state =
            self.call_with_states(self.groups, |guest, store, resource| guest.call_save(store, resource))?;
        Ok(SavedState { version: state.version, bytes: state.bytes })
    }

    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        let (resource, now, groups) = (self.resource, self.now, self.groups);
        let values = self.with(|instance, deadline| {
            let allowance = Allowance::for_rows(deadline, groups);
            let values =
                instance.call(allowance, now, |guest, store| guest.call_evaluate(store, resource))?;
            convert::values(values, groups)
        })?;
        Ok(values)
    }
}

fn closed(name: &str) -> PluginFailure {
    let reason = FailureReason::Other("the accumulator is closed".to_owned());
    PluginFailure { plugin: name.to_owned(), reason }
}

/// The first `length` samples of a run, and the others.
fn split(run: SampleRun<'_>, length: usize) -> (SampleRun<'_>, SampleRun<'_>) {
    let (values, later_values) = run.values.split_at_checked(length).unwrap_or((run.values, &[]));
    let (timestamps, later_timestamps) =
        run.timestamps.split_at_checked(length).unwrap_or((run.timestamps, &[]));
    (
        SampleRun { group: run.group, timestamps, values },
        SampleRun { group: run.group, timestamps: later_timestamps, values: later_values },
    )
}

impl Drop for PluginAccumulator {
    fn drop(&mut self) {
        // With its instance the resource is gone, too.
        let Some(mut lease) = self.lease.take().filter(Lease::is_alive) else { return };
        let (resource, now, deadline) = (self.resource, self.now, lease.deadline());
        if lease.call(|instance| instance.drop_resource(deadline, now, resource)).is_ok() {
            lease.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_where_a_call_is_full() {
        let run = SampleRun { group: 3, timestamps: &[1, 2, 3], values: &[1.0, 2.0, 3.0] };
        let (now, later) = split(run, 2);
        assert_eq!(
            (now.values, now.timestamps, later.values, later.timestamps),
            (&[1.0, 2.0][..], &[1, 2][..], &[3.0][..], &[3][..])
        );
        let (now, later) = split(run, 3);
        assert_eq!((now.values.len(), later.values.len()), (3, 0));
        let (now, later) = split(SampleRun { timestamps: &[], ..run }, 0);
        assert_eq!((now.values.len(), later.values.len(), later.timestamps.len()), (0, 3, 0));
    }
}
