//! The instances of a validator or aggregation: reused, made when they are needed, never more than the limit.
//!
//! Invariant: an instance is either idle in the pool, or held by one lease; a lease that is not given back is a loss. Who can do with
//! fewer instances takes those alone that nobody waits for, and learns when somebody does.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};
use telemetry_core::limits;

use crate::failure::loses_instance;
use crate::faults::{Mark, User};
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
    /// Calls that wait for an instance. Changes with the slots locked.
    waiting: AtomicUsize,
    /// Those of them for whom no helper is about to give an instance back. Grows with the slots locked.
    wanted: AtomicUsize,
}

struct Slots<G> {
    /// The last used is the next one used: its memory is warm, and the others may stay unmade.
    /// Boxed: an instance's handles are some hundred bytes, and are moved several times in a call.
    idle: Vec<Box<Instance<G>>>,
    /// Idle, leased and being made.
    live: usize,
    /// Lost and not replaced yet.
    lost: usize,
    for_helpers: ForHelpers,
}

/// Whether an instance may be made for a helper. The query that it helps waits until that is done, so that one at a time is enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ForHelpers {
    /// It may.
    Makes,
    /// One is being made.
    Making,
    /// None could be made: none is until this moment of the monotonic clock, unless who cannot do without one could make his before.
    Not {
        /// Until then.
        until: Duration,
    },
}

/// Who comes first where several want an instance.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Whoever comes while one is free. A call is short, and less is lost than by waking another thread for each.
    Any,
    /// Who waits already. Accumulators are held for long, and those who give one back want the next one at once.
    InOrder,
}

/// Where an instance is to be had at once.
enum Free<G> {
    /// This one is idle.
    Idle(Box<Instance<G>>),
    /// One may be made, and counts already.
    Unmade,
}

/// An instance in use.
pub(crate) struct Lease<G: Export> {
    pool: Arc<Pool<G>>,
    instance: Option<Box<Instance<G>>>,
    /// The faults that there had been before.
    mark: Mark,
    /// The number of its last failure that was left open.
    open: Option<u64>,
    /// Whether its helper was told that it is wanted.
    is_claimed: Cell<bool>,
}

impl<G: Export> Pool<G> {
    /// A pool of at most `max` instances, with its first one.
    pub(crate) fn new(
        template: Template<G>,
        max: usize,
        first: Instance<G>,
        restored: Option<SavedState>,
    ) -> Self {
        let for_helpers = ForHelpers::Makes;
        let slots = Mutex::new(Slots { idle: vec![Box::new(first)], live: 1, lost: 0, for_helpers });
        let (waiting, wanted) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { template, restored, max: max.max(1), slots, freed: Condvar::new(), waiting, wanted }
    }

    /// Instances that there may be at once.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn plugin(&self) -> &Arc<PluginShared> {
        &self.template.plugin
    }

    /// Runs one call on an instance.
    pub(crate) fn with<R>(
        self: &Arc<Self>,
        call: impl FnOnce(&mut Instance<G>) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let mut lease = self.lease_at(Turn::Any)?;
        let answer = lease.call(call);
        if answer.is_ok() || lease.is_alive() {
            lease.give_back();
        }
        answer
    }

    /// An instance, as soon as one is free and those who waited before have theirs.
    pub(crate) fn lease(self: &Arc<Self>) -> Result<Lease<G>, PluginFailure> {
        self.lease_at(Turn::InOrder)
    }

    fn lease_at(self: &Arc<Self>, turn: Turn) -> Result<Lease<G>, PluginFailure> {
        let plugin = self.plugin();
        plugin.supervisor.admit(false).map_err(|reason| plugin.refused(reason))?;
        let instance = match self.take(turn) {
            Ok(Free::Idle(instance)) => instance,
            Ok(Free::Unmade) => {
                let begun = Instant::now();
                let instance = self.make().map_err(|reason| plugin.unmade_since(begun, reason))?;
                let mut slots = self.slots.lock();
                if matches!(slots.for_helpers, ForHelpers::Not { .. }) {
                    slots.for_helpers = ForHelpers::Makes;
                }
                instance
            }
            Err(reason) => {
                plugin.supervisor.abandoned();
                return Err(plugin.refused(reason));
            }
        };
        Ok(self.leased(instance, User::Asker))
    }

    /// An instance that is free now and that nobody waits for. None of a plugin that has yet to show that it recovered: who can do
    /// without is not the one to try.
    pub(crate) fn spare(self: &Arc<Self>) -> Option<Lease<G>> {
        if !self.plugin().supervisor.is_calm() {
            return None;
        }
        let instance = match self.take_spare()? {
            Free::Idle(instance) => instance,
            Free::Unmade => {
                let made = self.make();
                let until = self.now().saturating_add(limits::UNSPLIT_PAUSE);
                let outcome = if made.is_ok() { ForHelpers::Makes } else { ForHelpers::Not { until } };
                self.slots.lock().for_helpers = outcome;
                // It is seen that it could not be made, and no reason to give up what goes on without it.
                made.inspect_err(|reason| self.plugin().meters.failed(reason)).ok()?
            }
        };
        Some(self.leased(instance, User::Helper))
    }

    fn leased(self: &Arc<Self>, instance: Box<Instance<G>>, user: User) -> Lease<G> {
        let mark = self.plugin().faults.mark(user);
        Lease {
            pool: Arc::clone(self),
            instance: Some(instance),
            mark,
            open: None,
            is_claimed: Cell::new(false),
        }
    }

    fn now(&self) -> Duration {
        self.plugin().runtime.clock.monotonic()
    }

    fn makes_for_helpers(&self, state: ForHelpers) -> bool {
        match state {
            ForHelpers::Makes => true,
            ForHelpers::Making => false,
            ForHelpers::Not { until } => self.now() >= until,
        }
    }

    fn take_spare(&self) -> Option<Free<G>> {
        let mut slots = self.slots.lock();
        let must_be_made = slots.idle.is_empty();
        if self.waiting.load(Ordering::Relaxed) > 0
            || (must_be_made && !self.makes_for_helpers(slots.for_helpers))
        {
            return None;
        }
        let free = self.free(&mut slots)?;
        if must_be_made {
            slots.for_helpers = ForHelpers::Making;
        }
        Some(free)
    }

    fn take(&self, turn: Turn) -> Result<Free<G>, FailureReason> {
        let mut slots = self.slots.lock();
        let may_take = turn == Turn::Any || self.waiting.load(Ordering::Relaxed) == 0;
        if let Some(free) = may_take.then(|| self.free(&mut slots)).flatten() {
            return Ok(free);
        }
        let wait = self.plugin().limits.wait();
        let until = Instant::now() + wait;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.wanted.fetch_add(1, Ordering::Relaxed);
        let taken = loop {
            let timed_out = self.freed.wait_until(&mut slots, until).timed_out();
            if let Some(free) = self.free(&mut slots) {
                break Ok(free);
            }
            if timed_out {
                break Err(FailureReason::Busy(wait));
            }
        };
        let others = self.waiting.load(Ordering::Relaxed).saturating_sub(1);
        self.waiting.store(others, Ordering::Relaxed);
        // What was claimed for those who are gone is not wanted any more.
        self.wanted.fetch_min(others, Ordering::Relaxed);
        if others > 0 {
            // They queued behind this one, and there may be more.
            self.freed.notify_one();
        }
        taken
    }

    /// What is to be had at once.
    fn free(&self, slots: &mut Slots<G>) -> Option<Free<G>> {
        if let Some(instance) = slots.idle.pop() {
            return Some(Free::Idle(instance));
        }
        if slots.live >= self.max {
            return None;
        }
        slots.live += 1;
        if slots.lost > 0 {
            slots.lost -= 1;
            self.plugin().meters.restarted();
        }
        Some(Free::Unmade)
    }

    fn make(&self) -> Result<Box<Instance<G>>, FailureReason> {
        let made = self.template.start(self.restored.as_ref());
        made.map(Box::new).inspect_err(|_| self.forget())
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
        self.enter(call, PluginShared::failed_since)
    }

    /// The same of a call that saves or merges states. A failure is charged when the lease ends, unless whoever asked says before that
    /// the states were on their way from one instance to another: see [`PluginShared::settle_handing_over`].
    pub(crate) fn call_with_states<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<G>) -> Result<R, FailureReason>,
    ) -> Result<R, PluginFailure> {
        let mut number = None;
        let answer = self.enter(call, |plugin, mark, reason| {
            let (failure, open) = plugin.left_open_since(mark, reason);
            number = Some(open);
            failure
        });
        if number.is_some() {
            self.settle();
            self.open = number;
        }
        answer
    }

    fn enter<R>(
        &mut self,
        call: impl FnOnce(&mut Instance<G>) -> Result<R, FailureReason>,
        failed: impl FnOnce(&PluginShared, Mark, FailureReason) -> PluginFailure,
    ) -> Result<R, PluginFailure> {
        let plugin = self.pool.plugin();
        let Some(instance) = &mut self.instance else {
            return Err(plugin.refused(FailureReason::Other("its instance was lost".to_owned())));
        };
        let reason = match call(instance) {
            Ok(answer) => {
                plugin.supervisor.succeeded();
                return Ok(answer);
            }
            Err(reason) => reason,
        };
        if loses_instance(&reason) {
            self.instance = None;
            self.pool.forget();
        } else {
            plugin.supervisor.succeeded();
        }
        Err(failed(plugin, self.mark, reason))
    }

    /// Charges the failure that was left open.
    fn settle(&mut self) {
        if let Some(number) = self.open.take() {
            self.pool.plugin().settle(number);
        }
    }

    /// The plugin's counts.
    pub(crate) fn meters(&self) -> &Meters {
        &self.pool.plugin().meters
    }

    /// Whether a call waits for this instance: of several helpers each waiting call claims one. Once told so it is to be given back.
    pub(crate) fn is_wanted(&self) -> bool {
        let wanted = &self.pool.wanted;
        if !self.is_claimed.get() && wanted.load(Ordering::Relaxed) > 0 {
            let claim = |wanted: usize| wanted.checked_sub(1);
            self.is_claimed.set(wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok());
        }
        self.is_claimed.get()
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
        self.settle();
    }
}
