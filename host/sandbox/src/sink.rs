//! A sink plugin as core's `Sink`.
//!
//! Invariant: there is one instance at a time; one that was lost is replaced at a later delivery, when the supervisor allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use telemetry_core::extension::{
    AlertForDelivery, DeliveryOutcome, FailureReason, PluginFailure, SavedState, Sink,
};

use crate::convert;
use crate::failure::loses_instance;
use crate::guest::Delivery;
use crate::instance::{Instance, Template};
use crate::state::Allowance;

/// A sink plugin, which can be opened once at a time.
pub(crate) struct SinkRole {
    template: Template<Delivery>,
    /// The instance that nobody holds.
    spare: Mutex<Option<Instance<Delivery>>>,
    /// What the version before handed over; every instance begins with it.
    restored: Option<SavedState>,
    taken: AtomicBool,
}

impl SinkRole {
    /// A sink with an initialised instance.
    pub(crate) fn new(
        template: Template<Delivery>,
        first: Instance<Delivery>,
        restored: Option<SavedState>,
    ) -> Self {
        Self { template, spare: Mutex::new(Some(first)), restored, taken: AtomicBool::new(false) }
    }

    /// The state of the instance that nobody holds; of none when it was lost.
    pub(crate) fn snapshot(&self) -> Result<Option<SavedState>, PluginFailure> {
        let plugin = &self.template.plugin;
        let mut spare = self.spare.lock();
        let Some(instance) = spare.as_mut() else { return Ok(None) };
        match instance.snapshot() {
            Ok(state) => Ok(state),
            Err(reason) if loses_instance(&reason) => {
                *spare = None;
                Err(plugin.lost(reason))
            }
            Err(reason) => Err(plugin.answered(reason)),
        }
    }

    /// The sink, unless it is held already.
    pub(crate) fn open(self: &Arc<Self>) -> Option<PluginSink> {
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        let instance = self.spare.lock().take();
        Some(PluginSink { role: Arc::clone(self), instance, lost: false })
    }
}

/// The one live copy of a sink.
pub(crate) struct PluginSink {
    role: Arc<SinkRole>,
    instance: Option<Instance<Delivery>>,
    /// Whether the instance that is to be replaced was lost.
    lost: bool,
}

impl PluginSink {
    /// The live instance; made anew after a loss.
    fn instance(&mut self) -> Result<&mut Instance<Delivery>, PluginFailure> {
        let plugin = &self.role.template.plugin;
        plugin.supervisor.admit(true).map_err(|reason| plugin.refused(reason))?;
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => {
                let begun = Instant::now();
                let instance = self.role.template.start(self.role.restored.as_ref()).map_err(|reason| {
                    self.lost = true;
                    plugin.unmade_since(begun, reason)
                })?;
                if std::mem::take(&mut self.lost) {
                    plugin.meters.restarted();
                }
                instance
            }
        };
        Ok(self.instance.insert(instance))
    }
}

impl Sink for PluginSink {
    fn name(&self) -> &str {
        &self.role.template.plugin.name
    }

    fn deliver(
        &mut self,
        alerts: &[AlertForDelivery],
        deadline: Duration,
    ) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
        let plugin = Arc::clone(&self.role.template.plugin);
        let now = plugin.runtime.clock.now();
        let instance = self.instance()?;
        plugin.meters.batch(alerts.len());
        match deliver(instance, alerts, deadline, plugin.limits.deadline(), now) {
            Ok(outcomes) => {
                plugin.supervisor.succeeded();
                Ok(outcomes)
            }
            Err(reason) if loses_instance(&reason) => {
                self.instance = None;
                self.lost = true;
                Err(plugin.lost(reason))
            }
            Err(reason) => {
                plugin.supervisor.succeeded();
                Err(plugin.answered(reason))
            }
        }
    }
}

fn deliver(
    instance: &mut Instance<Delivery>,
    alerts: &[AlertForDelivery],
    deadline: Duration,
    answering: Duration,
    now: telemetry_core::Timestamp,
) -> Result<Vec<DeliveryOutcome>, FailureReason> {
    let prepared = convert::Alerts::new(alerts)?;
    let given = prepared.borrowed();
    let millis = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
    // Beyond the delivery's own time there is an ordinary call's, to answer in what became of it. What is not waiting for the
    // far side is an ordinary call's work, however long the delivery may take.
    let whole = deadline.saturating_add(answering);
    let allowance = Allowance { whole, own: Some(answering), rows: alerts.len() };
    let outcomes = instance.call(allowance, now, |guest, store| guest.call_deliver(store, &given, millis))?;
    convert::outcomes(outcomes, alerts.len())
}

impl Drop for PluginSink {
    fn drop(&mut self) {
        *self.role.spare.lock() = self.instance.take();
        self.role.taken.store(false, Ordering::Release);
    }
}
