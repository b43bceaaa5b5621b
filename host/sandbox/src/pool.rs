//! The instances of a validator or aggregation: reused, made when they are needed, never more than the limit.
//!
//! Invariant: an instance is either idle in the pool, or held by one lease; a lease that is not given back is a loss.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};

use crate::failure::loses_instance;
use crate::guest::Export;
use crate::instance::{Instance, Template};
use crate::meters::Meters;
use crate::plugin::PluginShared;

/// The instances of one plugin.
pub(crate) struct Pool<G: Export> {
    template: Template<G>,
    /// What the version before handed over; every instance begins with it.
    restored: Option<SavedState>,
    max: usize,
    slots: Mutex<Slots<G>>,
    freed: Condvar,
}

struct Slots<G> {
    /// The last used is the next one used: its memory is warm, and the others may stay unmade.
    /// Boxed: an instance's handles are some hundred bytes, and are moved several times in a call.
    idle: Vec<Box<Instance<G>>>,
    /// Idle, leased and being made.
    live: usize,
    /// Lost and not replaced yet.
    lost: usize,
}

/// An instance in use.
pub(crate) struct Lease<G: Export> {
    pool: Arc<Pool<G>>,
    instance: Option<Box<Instance<G>>>,
}

impl<G: Export> Pool<G> {
    /// A pool of at most `max` instances, with its first one.
    pub(crate) fn new(
        template: Template<G>,
        max: usize,
        first: Instance<G>,
        restored: Option<SavedState>,
    ) -> Self {
        let slots = Mutex::new(Slots { idle: vec![Box::new(first)], live: 1, lost: 0 });
        Self { template, restored, max: max.max(1), slots, freed: Condvar::new() }
    }

    pub(crate) fn plugin(&self) -> &Arc<PluginShared> {
        &self.template.plugin
    }

    /// Runs one call on an instance.
    pub(crate) fn with<R>(
        self: &Arc<Self>,
        call: impl FnOnce(&mut Instance<G>) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let mut lease = self.lease()?;
        let answer = lease.call(call);
        if answer.is_ok() || lease.is_alive() {
            lease.give_back();
        }
        answer
    }

    /// An instance, as soon as one is free.
    pub(crate) fn lease(self: &Arc<Self>) -> Result<Lease<G>, PluginFailure> {
        let plugin = self.plugin();
        plugin.supervisor.admit(false).map_err(|reason| plugin.refused(reason))?;
        let instance = match self.take() {
            Ok(Some(instance)) => instance,
            Ok(None) => self.make()?,
            Err(reason) => {
                plugin.supervisor.abandoned();
                return Err(plugin.refused(reason));
            }
        };
        Ok(Lease { pool: Arc::clone(self), instance: Some(instance) })
    }

    /// An idle instance, or `None` for leave to make one.
    fn take(&self) -> Result<Option<Box<Instance<G>>>, FailureReason> {
        let mut slots = self.slots.lock();
        let mut until = None;
        loop {
            if let Some(instance) = slots.idle.pop() {
                return Ok(Some(instance));
            }
            if slots.live < self.max {
                slots.live += 1;
                if slots.lost > 0 {
                    slots.lost -= 1;
                    self.plugin().meters.restarted();
                }
                return Ok(None);
            }
            let wait = self.plugin().limits.wait();
            let until = *until.get_or_insert_with(|| Instant::now() + wait);
            if self.freed.wait_until(&mut slots, until).timed_out() {
                return Err(FailureReason::Busy(wait));
            }
        }
    }

    fn make(&self) -> Result<Box<Instance<G>>, PluginFailure> {
        self.template.start(self.restored.as_ref()).map(Box::new).map_err(|reason| {
            self.forget();
            self.plugin().lost(reason)
        })
    }

    /// A leased instance is no more.
    fn forget(&self) {
        let mut slots = self.slots.lock();
        slots.live = slots.live.saturating_sub(1);
        slots.lost += 1;
        drop(slots);
        self.freed.notify_one();
    }
}

impl<G: Export> Lease<G> {
    /// Runs one call; an instance that was lost by it is dropped, and the supervisor hears of it.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<G>) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let plugin = self.pool.plugin();
        let Some(instance) = &mut self.instance else {
            return Err(plugin.refused(FailureReason::Other("its instance was lost".to_owned())));
        };
        match call(instance) {
            Ok(answer) => {
                plugin.supervisor.succeeded();
                Ok(answer)
            }
            Err(reason) if loses_instance(&reason) => {
                self.instance = None;
                self.pool.forget();
                Err(self.pool.plugin().lost(reason))
            }
            Err(reason) => {
                plugin.supervisor.succeeded();
                Err(plugin.answered(reason))
            }
        }
    }

    /// The plugin's counts.
    pub(crate) fn meters(&self) -> &Meters {
        &self.pool.plugin().meters
    }

    /// Time for one call.
    pub(crate) fn deadline(&self) -> Duration {
        self.pool.plugin().limits.deadline()
    }

    /// Whether the instance can still be used.
    pub(crate) fn is_alive(&self) -> bool {
        self.instance.is_some()
    }

    /// Back into the pool; a worn instance makes room for a fresh one.
    pub(crate) fn give_back(mut self) {
        let Some(instance) = self.instance.take() else { return };
        let worn = instance.is_worn();
        let mut slots = self.pool.slots.lock();
        if worn {
            slots.live = slots.live.saturating_sub(1);
        } else {
            slots.idle.push(instance);
        }
        drop(slots);
        self.pool.freed.notify_one();
    }
}

impl<G: Export> Drop for Lease<G> {
    fn drop(&mut self) {
        if self.instance.take().is_some() {
            self.pool.forget();
        }
    }
}
