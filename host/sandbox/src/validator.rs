//! A validator plugin as core's `Validator`.

use std::sync::Arc;

use telemetry_core::Subscription;
use telemetry_core::batch::{EventBatch, SampleBatch, TextColumn};
use telemetry_core::extension::{Door, EventVerdict, PluginFailure, SampleVerdict, SavedState, Validator};

use crate::bindings::types;
use crate::convert::{self, time_of};
use crate::guest::Validation;
use crate::instance::{Instance, Template};
use crate::pool::Pool;
use crate::state::Allowance;

/// A validator plugin.
pub(crate) struct PluginValidator {
    pool: Arc<Pool<Validation>>,
    subscription: Subscription,
}

impl PluginValidator {
    /// Asks an initialised instance what it wants to see and takes it as the first one of the pool.
    pub(crate) fn new(
        template: Template<Validation>,
        mut first: Instance<Validation>,
        restored: Option<SavedState>,
    ) -> Result<Self, PluginFailure> {
        let plugin = Arc::clone(&template.plugin);
        let subscription = first
            .ask(|guest, store| guest.call_subscribe(store))
            .and_then(convert::subscription)
            .map_err(|reason| plugin.answered(reason))?;
        let instances = plugin.runtime.instances(plugin.limits.instances);
        Ok(Self { pool: Arc::new(Pool::new(template, instances, first, restored)), subscription })
    }
}

impl PluginValidator {
    /// The state of one of its instances.
    pub(crate) fn snapshot(&self) -> Result<Option<SavedState>, PluginFailure> {
        self.pool.with(Instance::snapshot)
    }
}

impl Validator for PluginValidator {
    fn name(&self) -> &str {
        &self.pool.plugin().name
    }

    fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    fn door(&self) -> Option<Arc<Door>> {
        Some(Arc::clone(self.pool.plugin().supervisor.door()))
    }

    fn validate_events(&self, batch: &EventBatch) -> Result<EventVerdict, PluginFailure> {
        if batch.is_empty() {
            return Ok(EventVerdict::default());
        }
        let allowance = Allowance::for_rows(self.pool.plugin().limits.deadline(), batch.len());
        self.pool.plugin().meters.batch(batch.len());
        self.pool.with(|instance| {
            let verdict = instance.call_with(allowance, batch, |guest, store| {
                guest.call_validate_events(store, events(batch))
            })?;
            convert::event_verdict(verdict, batch)
        })
    }

    fn validate_samples(&self, batch: &SampleBatch) -> Result<SampleVerdict, PluginFailure> {
        if batch.is_empty() {
            return Ok(SampleVerdict::default());
        }
        let allowance = Allowance::for_rows(self.pool.plugin().limits.deadline(), batch.len());
        self.pool.plugin().meters.batch(batch.len());
        self.pool.with(|instance| {
            let verdict = instance.call(allowance, time_of(batch.timestamps()), |guest, store| {
                guest.call_validate_samples(store, samples(batch))
            })?;
            convert::sample_verdict(verdict, batch)
        })
    }
}

/// The batch's columns as they cross the boundary: borrowed, not copied.
pub(crate) fn events(batch: &EventBatch) -> types::EventBatch<'_> {
    types::EventBatch {
        first_sequence: batch.first_sequence,
        timestamps: batch.timestamps(),
        fields: column(batch.fields()),
    }
}

/// The batch's columns as they cross the boundary: borrowed, not copied.
pub(crate) fn samples(batch: &SampleBatch) -> types::SampleBatch<'_> {
    types::SampleBatch {
        first_sequence: batch.first_sequence,
        series: column(batch.series_column()),
        series_indices: batch.series_indices(),
        timestamps: batch.timestamps(),
        values: batch.values(),
    }
}

fn column(column: &TextColumn) -> types::TextColumnParam<'_> {
    types::TextColumnParam { bytes: column.bytes(), ends: column.ends() }
}
