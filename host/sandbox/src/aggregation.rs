//! An aggregation plugin as core's `AggregationSource`.
//!
//! Invariant: an accumulator holds its instance for its life; the resource inside is dropped before the instance is
//! given to another.

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use telemetry_core::aggregation::{
    Accumulator, AggregateValue, Aggregation, AggregationError, AggregationSource, SampleRun, StateIdentity,
};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};
use telemetry_core::{Timestamp, limits};
use wasmtime::component::ResourceAny;

use crate::bindings::types::StateParam;
use crate::convert::{self, CheckedAggregate};
use crate::guest::{Aggregation as Guest, Answer, Runs};
use crate::inspect::AggregateInfo;
use crate::instance::{Instance, Template};
use crate::pool::{Lease, Pool};
use crate::state::Allowance;

/// What a plugin was made of, as far as its states may depend on it.
pub(crate) struct BirthCertificate<'a> {
    pub(crate) version: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) config: &'a Value,
}

impl BirthCertificate<'_> {
    /// One line that changes with everything that may change saved states. Configurations may be confidential: of theirs only a
    /// hash is kept.
    fn origin(&self, plugin: &str) -> String {
        let config = match self.config {
            Value::Null => "{}".to_owned(),
            config => config.to_string(),
        };
        let config = format!("{:x}", Sha256::digest(config));
        let config = config.get(..16).unwrap_or_default();
        format!("plugin {plugin} {} component {} config {config}", self.version, self.sha256)
    }
}

/// The aggregate functions of one plugin.
pub(crate) struct PluginAggregations {
    pool: Arc<Pool<Guest>>,
    offered: Vec<CheckedAggregate>,
    /// See [`StateIdentity::origin`].
    origin: Arc<str>,
}

impl PluginAggregations {
    /// Asks an initialised instance what it offers and takes it as the first one of the pool.
    pub(crate) fn new(
        template: Template<Guest>,
        mut first: Instance<Guest>,
        birth: &BirthCertificate<'_>,
        restored: Option<SavedState>,
    ) -> Result<Self, PluginFailure> {
        let plugin = Arc::clone(&template.plugin);
        let offered = first
            .ask(|guest, store| guest.call_aggregates(store))
            .and_then(convert::aggregates)
            .map_err(|reason| plugin.answered(reason))?;
        let instances = plugin.runtime.instances(plugin.limits.instances);
        let origin = birth.origin(&plugin.name).into();
        Ok(Self { pool: Arc::new(Pool::new(template, instances, first, restored)), offered, origin })
    }

    /// The state of one of its instances.
    pub(crate) fn snapshot(&self) -> Result<Option<SavedState>, PluginFailure> {
        self.pool.with(Instance::snapshot)
    }

    /// The functions for people.
    pub(crate) fn infos(&self) -> Vec<AggregateInfo> {
        self.offered.iter().map(AggregateInfo::of).collect()
    }
}

impl AggregationSource for PluginAggregations {
    fn names(&self) -> Vec<String> {
        self.offered.iter().map(|aggregate| aggregate.name.clone()).collect()
    }

    fn find(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
        let aggregate = self.offered.iter().find(|aggregate| aggregate.name.eq_ignore_ascii_case(name))?;
        let canonical = StateIdentity::canonical(parameters);
        let parameters = Value::Object(parameters.clone());
        let faults = aggregate.parameters.faults(&parameters);
        if !faults.is_empty() {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let reason = Some(faults.join("; "));
            return Some(Err(AggregationError::Unsupported { name: name.to_owned(), reason }));
        }
        Some(Ok(Arc::new(PluginAggregation {
            pool: Arc::clone(&self.pool),
            name: aggregate.name.clone(),
            parameters: parameters.to_string(),
            mergeable: aggregate.mergeable,
            needs_timestamps: aggregate.needs_timestamps,
            canonical,
            origin: Arc::clone(&self.origin),
        })))
    }
}

/// One aggregate function with its parameters bound.
struct PluginAggregation {
    pool: Arc<Pool<Guest>>,
    name: String,
    parameters: String,
    mergeable: bool,
    needs_timestamps: bool,
    canonical: String,
    origin: Arc<str>,
}

impl Aggregation for PluginAggregation {
    fn name(&self) -> &str {
        &self.name
    }

    fn mergeable(&self) -> bool {
        self.mergeable
    }

    fn needs_timestamps(&self) -> bool {
        self.needs_timestamps
    }

    /// None where times matter: the states of a bucket would have to be merged in order.
    fn state_identity(&self) -> Option<StateIdentity> {
        (self.mergeable && !self.needs_timestamps).then(|| StateIdentity {
            function: self.name.clone(),
            parameters: self.canonical.clone(),
            origin: self.origin.to_string(),
        })
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        let mut lease = self.pool.lease()?;
        let plugin = self.pool.plugin();
        let (deadline, now) = (plugin.limits.deadline(), plugin.runtime.clock.now());
        let created = lease.call(|instance| {
            instance
                .call(deadline, now, |guest, store| guest.call_create(store, &self.name, &self.parameters))
        });
        match created {
            Ok(resource) => Ok(Box::new(PluginAccumulator {
                name: self.name.clone(),
                lease: Some(lease),
                resource,
                groups: 0,
                needs_timestamps: self.needs_timestamps,
                now,
                columns: Columns::default(),
            })),
            Err(failure) => {
                if lease.is_alive() {
                    lease.give_back();
                }
                Err(refused_parameters(&self.name, failure))
            }
        }
    }
}

/// A plugin's own objection to the parameters is the caller's to mend.
fn refused_parameters(name: &str, failure: PluginFailure) -> AggregationError {
    match failure.reason {
        FailureReason::Unsupported(reason) | FailureReason::Config(reason) => {
            AggregationError::Unsupported { name: name.to_owned(), reason: Some(reason) }
        }
        _ => failure.into(),
    }
}

/// Running states inside a plugin.
struct PluginAccumulator {
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

    fn with<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<Guest>, std::time::Duration) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        match &mut self.lease {
            Some(lease) => {
                let deadline = lease.deadline();
                lease.call(|instance| call(instance, deadline))
            }
            None => Err(PluginFailure {
                plugin: self.name.clone(),
                reason: FailureReason::Other("the accumulator is closed".to_owned()),
            }),
        }
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

    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        if let Some(greatest) = group_map.iter().max() {
            self.open_groups(*greatest)?;
        }
        let state = StateParam { version: saved.version, bytes: &saved.bytes };
        let merged = self.call(group_map.len(), |guest, store, resource| {
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
        let state = self.call(self.groups, |guest, store, resource| guest.call_save(store, resource))?;
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
        let (resource, now) = (self.resource, self.now);
        let dropped = self.with(|instance, deadline| instance.drop_resource(deadline, now, resource));
        if let Some(lease) = self.lease.take().filter(|_| dropped.is_ok()) {
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
