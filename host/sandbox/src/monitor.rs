//! A monitor plugin as core's `Monitor`.
//!
//! Invariant: there is one instance at a time; what it wrote since the last durable checkpoint dies with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use telemetry_core::batch::{EventBatch, SampleBatch};
use telemetry_core::extension::{FailureReason, Monitor, MonitorCheckpoint, PluginFailure, SavedState};
use telemetry_core::{Signal, Subscription, Timestamp, limits};

use crate::bindings::monitoring;
use crate::convert::{self, time_of};
use crate::failure::loses_instance;
use crate::guest::Monitoring;
use crate::instance::{Instance, Template};
use crate::plugin::PluginShared;
use crate::state::Allowance;
use crate::validator::{events, samples};

/// A monitor plugin, which can be started once at a time.
pub(crate) struct MonitorRole {
    template: Template<Monitoring>,
    subscription: Subscription,
    taken: AtomicBool,
}

impl MonitorRole {
    /// Asks an initialised instance what it wants to see. The instance is not used further: the monitor starts from the
    /// state that its checkpoint has.
    pub(crate) fn new(
        template: Template<Monitoring>,
        mut first: Instance<Monitoring>,
    ) -> Result<Self, PluginFailure> {
        let plugin = &template.plugin;
        let subscription = first
            .ask(|guest, store| guest.call_subscribe(store))
            .and_then(convert::subscription)
            .map_err(|reason| plugin.answered(reason))?;
        Ok(Self { template, subscription, taken: AtomicBool::new(false) })
    }

    /// The monitor, started from `restored`.
    pub(crate) fn start(
        self: &Arc<Self>,
        restored: Option<SavedState>,
    ) -> Result<PluginMonitor, PluginFailure> {
        if self.taken.swap(true, Ordering::AcqRel) {
            let reason =
                FailureReason::Other("it runs already; there is one instance of a monitor".to_owned());
            return Err(self.template.plugin.refused(reason));
        }
        let mut monitor = PluginMonitor { role: Arc::clone(self), instance: None };
        monitor.begin(restored.as_ref())?;
        Ok(monitor)
    }
}

/// The one live copy of a monitor.
pub(crate) struct PluginMonitor {
    role: Arc<MonitorRole>,
    instance: Option<Instance<Monitoring>>,
}

impl PluginMonitor {
    fn plugin(&self) -> &Arc<PluginShared> {
        &self.role.template.plugin
    }

    fn begin(&mut self, restored: Option<&SavedState>) -> Result<(), PluginFailure> {
        let plugin = self.plugin();
        plugin.supervisor.admit(true).map_err(|reason| plugin.refused(reason))?;
        let begun = Instant::now();
        let started = self.role.template.start(restored);
        let instance = started.map_err(|reason| plugin.unmade_since(begun, reason))?;
        self.instance = Some(instance);
        Ok(())
    }

    /// Runs one call; an instance that was lost by it is dropped, and the supervisor hears of it.
    fn run<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<Monitoring>) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let plugin = Arc::clone(self.plugin());
        let Some(instance) = &mut self.instance else {
            let reason = match plugin.supervisor.admit(true) {
                Err(reason) => reason,
                Ok(()) => FailureReason::Other("it stopped after a failure; restart it first".to_owned()),
            };
            return Err(plugin.refused(reason));
        };
        match call(instance) {
            Ok(answer) => Ok(answer),
            Err(reason) if loses_instance(&reason) => {
                self.instance = None;
                Err(plugin.lost(reason))
            }
            Err(reason) => Err(plugin.answered(reason)),
        }
    }

    /// Shows records or a tick to the plugin and checks what it finds.
    fn watch(
        &mut self,
        rows: usize,
        call: impl FnOnce(&mut Instance<Monitoring>, Allowance) -> Result<Vec<monitoring::Signal>, FailureReason>,
    ) -> Result<Vec<Signal>, PluginFailure> {
        let allowance = Allowance::for_rows(self.plugin().limits.deadline(), rows);
        let checked = self.run(|instance| call(instance, allowance).and_then(convert::signals))?;
        self.plugin().meters.signals_cut(checked.keys_replaced, checked.labels_cut);
        // A restart that only starts is no recovery: the plugin has recovered when it took records or a tick again.
        self.plugin().supervisor.succeeded();
        Ok(checked.signals)
    }
}

impl Monitor for PluginMonitor {
    fn name(&self) -> &str {
        &self.plugin().name
    }

    fn subscription(&self) -> &Subscription {
        &self.role.subscription
    }

    fn on_events(&mut self, batch: &EventBatch) -> Result<Vec<Signal>, PluginFailure> {
        self.plugin().meters.batch(batch.len());
        self.watch(batch.len(), |instance, allowance| {
            instance.call_with(allowance, batch, |guest, store| guest.call_on_events(store, events(batch)))
        })
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>, PluginFailure> {
        self.plugin().meters.batch(batch.len());
        self.watch(batch.len(), |instance, allowance| {
            instance.call(allowance, time_of(batch.timestamps()), |guest, store| {
                guest.call_on_samples(store, samples(batch))
            })
        })
    }

    fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>, PluginFailure> {
        self.watch(0, |instance, allowance| {
            instance.call(allowance, now, |guest, store| guest.call_tick(store, now.nanos()))
        })
    }

    fn checkpoint(&mut self) -> Result<MonitorCheckpoint, PluginFailure> {
        // As many as there are of them: one that took as long as a start may would keep the monitor from its records.
        let time = self.plugin().limits.deadline().max(limits::CHECKPOINT_INTERVAL);
        self.run(|instance| {
            let state = instance.snapshot_within(time)?;
            let writes = instance.key_value().map(|space| space.checkpoint()).unwrap_or_default();
            Ok(MonitorCheckpoint { state, writes })
        })
    }

    fn committed(&mut self) {
        if let Some(space) = self.instance.as_mut().and_then(Instance::key_value) {
            space.committed();
        }
    }

    fn restart(&mut self, restored: Option<SavedState>) -> Result<(), PluginFailure> {
        self.instance = None;
        self.begin(restored.as_ref())?;
        self.plugin().meters.restarted();
        Ok(())
    }
}

impl Drop for PluginMonitor {
    fn drop(&mut self) {
        self.role.taken.store(false, Ordering::Release);
    }
}
