//! An aggregation plugin's functions; an accumulator is a resource of the guest's.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::{Answer, versions};
use crate::bindings::aggregation::{Aggregate, Value};
use crate::bindings::types::{StateParam, StateResult};
use crate::bindings::v0_1;
use crate::state::HostState;

versions! {
    /// The functions of an aggregation plugin.
    Aggregation, AggregationIndices, aggregation
}

/// The columns of one call: runs of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'a> {
    pub(crate) groups: &'a [u32],
    pub(crate) lengths: &'a [u32],
    pub(crate) timestamps: &'a [i64],
    pub(crate) values: &'a [f64],
}

impl Aggregation {
    pub(crate) fn call_aggregates(&self, store: &mut Store<HostState>) -> wasmtime::Result<Vec<Aggregate>> {
        match self {
            Self::Current(guest) => guest.call_aggregates(store),
            Self::V0_1(guest) => Ok(guest.call_aggregates(store)?.into_iter().map(Aggregate::from).collect()),
        }
    }

    pub(crate) fn call_create(
        &self,
        store: &mut Store<HostState>,
        aggregate: &str,
        parameters: &str,
    ) -> Answer<ResourceAny> {
        match self {
            Self::Current(guest) => guest.accumulator().call_create(store, aggregate, parameters),
            Self::V0_1(guest) => guest.accumulator().call_create(store, aggregate, parameters),
        }
    }

    pub(crate) fn call_update(
        &self,
        store: &mut Store<HostState>,
        accumulator: ResourceAny,
        runs: Runs<'_>,
    ) -> Answer<()> {
        let Runs { groups, lengths, timestamps, values } = runs;
        match self {
            Self::Current(guest) => {
                guest.accumulator().call_update(store, accumulator, groups, lengths, timestamps, values)
            }
            Self::V0_1(guest) => {
                guest.accumulator().call_update(store, accumulator, groups, lengths, timestamps, values)
            }
        }
    }

    pub(crate) fn call_merge(
        &self,
        store: &mut Store<HostState>,
        accumulator: ResourceAny,
        saved: StateParam<'_>,
        group_map: &[u32],
    ) -> Answer<()> {
        match self {
            Self::Current(guest) => guest.accumulator().call_merge(store, accumulator, saved, group_map),
            Self::V0_1(guest) => guest.accumulator().call_merge(store, accumulator, saved, group_map),
        }
    }

    pub(crate) fn call_save(
        &self,
        store: &mut Store<HostState>,
        accumulator: ResourceAny,
    ) -> Answer<StateResult> {
        match self {
            Self::Current(guest) => guest.accumulator().call_save(store, accumulator),
            Self::V0_1(guest) => guest.accumulator().call_save(store, accumulator),
        }
    }

    pub(crate) fn call_evaluate(
        &self,
        store: &mut Store<HostState>,
        accumulator: ResourceAny,
    ) -> Answer<Vec<Value>> {
        match self {
            Self::Current(guest) => guest.accumulator().call_evaluate(store, accumulator),
            Self::V0_1(guest) => {
                let values = guest.accumulator().call_evaluate(store, accumulator)?;
                Ok(values.map(|values| values.into_iter().map(Value::from).collect()))
            }
        }
    }
}

impl From<v0_1::aggregation::Aggregate> for Aggregate {
    fn from(aggregate: v0_1::aggregation::Aggregate) -> Self {
        Self {
            name: aggregate.name,
            description: aggregate.description,
            parameters_schema_json: aggregate.parameters_schema_json,
            mergeable: aggregate.mergeable,
            needs_timestamps: aggregate.needs_timestamps,
        }
    }
}

impl From<v0_1::aggregation::Value> for Value {
    fn from(value: v0_1::aggregation::Value) -> Self {
        match value {
            v0_1::aggregation::Value::None => Self::None,
            v0_1::aggregation::Value::Number(number) => Self::Number(number),
            v0_1::aggregation::Value::Json(json) => Self::Json(json),
        }
    }
}
