//! The `aggregation` interface over [`Aggregation`].

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::Timestamp;
use crate::aggregation::{Accumulator, AggregateValue, Aggregation, Runs};
use crate::bindings::aggregation::exports::bridge::telemetry::aggregation::{
    self as wit, Guest, GuestAccumulator,
};
use crate::bindings::imports::types;
use crate::error::{PluginError, Result};
use crate::guest::{Exported, with};

impl<E: Exported> Guest for E
where
    E::Plugin: Aggregation,
{
    type Accumulator = Held<E>;

    fn aggregates() -> Vec<wit::Aggregate> {
        let infos = with::<E, _>(|plugin| Ok(plugin.aggregates().infos())).unwrap_or_default();
        let aggregates = infos.into_iter().map(|info| wit::Aggregate {
            name: info.name,
            description: info.description,
            parameters_schema_json: info.parameters_schema_json,
            mergeable: info.mergeable,
            needs_timestamps: info.needs_timestamps,
        });
        aggregates.collect()
    }
}

/// The resource behind one accumulator.
pub struct Held<E> {
    accumulator: RefCell<Box<dyn Accumulator>>,
    plugin: PhantomData<E>,
}

impl<E> Held<E> {
    fn call<T>(&self, call: impl FnOnce(&mut dyn Accumulator) -> Result<T>) -> Result<T, types::PluginError> {
        let held = self.accumulator.try_borrow_mut();
        let mut held = held.map_err(|_| PluginError::other("called while a call is under way"))?;
        Ok(call(&mut **held)?)
    }
}

impl<E: Exported> GuestAccumulator for Held<E>
where
    E::Plugin: Aggregation,
{
    fn create(aggregate: String, parameters_json: String) -> Result<wit::Accumulator, types::PluginError> {
        let accumulator = with::<E, _>(|plugin| plugin.aggregates().open(&aggregate, &parameters_json))?;
        Ok(wit::Accumulator::new(Self { accumulator: RefCell::new(accumulator), plugin: PhantomData }))
    }

    fn update(
        &self,
        groups: Vec<u32>,
        lengths: Vec<u32>,
        timestamps: Vec<Timestamp>,
        values: Vec<f64>,
    ) -> Result<(), types::PluginError> {
        self.call(|accumulator| accumulator.update(Runs::new(&groups, &lengths, &timestamps, &values)?))
    }

    fn merge(&self, saved: types::State, group_map: Vec<u32>) -> Result<(), types::PluginError> {
        self.call(|accumulator| accumulator.merge(saved.into(), &group_map))
    }

    fn save(&self) -> Result<types::State, types::PluginError> {
        self.call(|accumulator| Ok(accumulator.save()?.into()))
    }

    fn evaluate(&self) -> Result<Vec<wit::Value>, types::PluginError> {
        let values = self.call(|accumulator| accumulator.evaluate())?;
        let values = values.into_iter().map(|value| match value {
            AggregateValue::None => wit::Value::None,
            AggregateValue::Number(number) => wit::Value::Number(number),
            AggregateValue::Json(json) => wit::Value::Json(json),
        });
        Ok(values.collect())
    }
}
