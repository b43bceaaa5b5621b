//! One receiver: its sink, the rows that wait for it, and what became of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, FailureReason, PluginFailure, Sink};
use telemetry_core::{Clock, PendingDelivery, Timestamp, limits};

use super::queue::{Line, Queue};
use super::settlement::{Finished, Settlement};
use super::status::{ReceiverStatus, Tally};

/// A receiver. The desk's lock is held for the whole of a round, so that calls to one sink never overlap.
pub(super) struct Lane {
    pub(super) receiver: String,
    pub(super) desk: Mutex<Desk>,
    queue: Mutex<Waiting>,
    wake: Condvar,
    tally: Mutex<Tally>,
    has_sink: AtomicBool,
}

/// What a lane is about at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing is due, or its sink is not there.
    Nothing,
    /// A delivery is due or on its way.
    Deliver,
    /// The store refused what became of an attempt, and is asked again later.
    Pause,
}

/// What one round at a time works with.
pub(super) struct Desk {
    pub(super) sink: Option<Box<dyn Sink>>,
    /// What became of the last attempt, while the store does not take it: the sink is not called again meanwhile.
    pub(super) unsettled: Option<Settlement>,
}

#[derive(Default)]
struct Waiting {
    queue: Queue,
    /// No round before this instant of the monotonic clock: the store refused a write.
    paused_until: Duration,
}

impl Lane {
    pub(super) fn new(receiver: String, sink: Option<Box<dyn Sink>>) -> Self {
        Self {
            has_sink: AtomicBool::new(sink.is_some()),
            receiver,
            desk: Mutex::new(Desk { sink, unsettled: None }),
            queue: Mutex::default(),
            wake: Condvar::new(),
            tally: Mutex::default(),
        }
    }

    /// Puts a sink in the place of the one before; waits for a round that is under way.
    pub(super) fn attach(&self, sink: Option<Box<dyn Sink>>) {
        // The one before goes when nothing is locked any more.
        drop(self.hand_over(|before| (sink, before)));
    }

    /// Lets `change` put a sink in the place of the one that it is given, between two rounds.
    pub(super) fn hand_over<R>(
        &self,
        change: impl FnOnce(Option<Box<dyn Sink>>) -> (Option<Box<dyn Sink>>, R),
    ) -> R {
        let mut desk = self.desk.lock();
        let (sink, answer) = change(desk.sink.take());
        self.has_sink.store(sink.is_some(), Ordering::Release);
        desk.sink = sink;
        drop(desk);
        self.wake();
        answer
    }

    pub(super) fn insert(&self, delivery: PendingDelivery) {
        self.queue.lock().queue.insert(delivery);
        self.wake.notify_all();
    }

    pub(super) fn holds(&self, delivery: &PendingDelivery) -> bool {
        self.queue.lock().queue.holds(Line::of(&delivery.alert), &delivery.idempotency_key)
    }

    /// Takes rows that are too old to wait any longer for a sink.
    pub(super) fn take_old(&self, now: Timestamp) -> Vec<PendingDelivery> {
        let cutoff = now.minus(limits::MAX_DELIVERY_AGE);
        self.queue.lock().queue.take_created_by(cutoff, limits::MAX_DELIVERY_BATCH)
    }

    pub(super) fn take_due(&self, now: Timestamp) -> Vec<PendingDelivery> {
        self.queue.lock().queue.take_due(now, limits::MAX_DELIVERY_BATCH)
    }

    /// What was taken is done with, or waits again.
    pub(super) fn finish(&self, finished: Vec<Finished>) {
        let mut waiting = self.queue.lock();
        for Finished { line, again, .. } in finished {
            waiting.queue.finish(line, again);
        }
        self.wake.notify_all();
    }

    /// The store refused a write: it is asked again after a while.
    pub(super) fn pause(&self, clock: &dyn Clock) {
        self.queue.lock().paused_until = clock.monotonic().saturating_add(limits::STORE_RETRY_PAUSE);
        self.wake.notify_all();
    }

    pub(super) fn is_paused(&self, clock: &dyn Clock) -> bool {
        clock.monotonic() < self.queue.lock().paused_until
    }

    pub(super) fn count(&self, tally: Tally) {
        self.tally.lock().add(tally);
    }

    /// Sleeps until a row is due, somebody wakes the lane, or a timer's longest wait is over.
    pub(super) fn wait(&self, clock: &dyn Clock, stopping: &AtomicBool) {
        let mut waiting = self.queue.lock();
        if stopping.load(Ordering::Acquire) {
            return;
        }
        let available = self.has_sink.load(Ordering::Acquire);
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let pause = waiting.paused_until.saturating_sub(monotonic);
        let wait = match waiting.queue.next_due() {
            Some(_) if available && waiting.queue.is_due(now) => pause,
            Some(due) if available => pause.max(due.since(now)),
            _ => limits::MAX_TIMER_WAIT,
        };
        if !wait.is_zero() {
            self.wake.wait_for(&mut waiting, wait.min(limits::MAX_TIMER_WAIT));
        }
    }

    /// What there is to do now.
    pub(super) fn duty(&self, clock: &dyn Clock) -> Duty {
        self.duty_of(&self.queue.lock(), clock)
    }

    fn duty_of(&self, waiting: &Waiting, clock: &dyn Clock) -> Duty {
        let (_, on_the_way) = waiting.queue.depth();
        let deliverable = self.has_sink.load(Ordering::Acquire) && waiting.queue.is_due(clock.now());
        match clock.monotonic() < waiting.paused_until {
            true => Duty::Pause,
            false if on_the_way > 0 || deliverable => Duty::Deliver,
            false => Duty::Nothing,
        }
    }

    /// Waits until the lane's thread has delivered what is due; `false` when the time is over or the threads stop before.
    pub(super) fn wait_for_thread(
        &self,
        clock: &dyn Clock,
        stopping: &AtomicBool,
        deadline: Option<Instant>,
    ) -> bool {
        let mut waiting = self.queue.lock();
        // A clock that was set says so to nobody.
        self.wake.notify_all();
        while self.duty_of(&waiting, clock) == Duty::Deliver {
            let in_time = match deadline {
                Some(deadline) => !self.wake.wait_until(&mut waiting, deadline).timed_out(),
                None => {
                    self.wake.wait(&mut waiting);
                    true
                }
            };
            if !in_time || stopping.load(Ordering::Acquire) {
                return self.duty_of(&waiting, clock) != Duty::Deliver;
            }
        }
        true
    }

    pub(super) fn wake(&self) {
        let _waiting = self.queue.lock();
        self.wake.notify_all();
    }

    pub(super) fn status(&self) -> ReceiverStatus {
        let waiting = self.queue.lock();
        let ((depth, on_the_way), next_due) = (waiting.queue.depth(), waiting.queue.next_due());
        drop(waiting);
        ReceiverStatus {
            receiver: self.receiver.clone(),
            available: self.has_sink.load(Ordering::Acquire),
            waiting: depth,
            on_the_way,
            next_due,
            tally: self.tally.lock().clone(),
        }
    }
}

/// Calls a sink. A native sink's panic is a failure like a plugin's trap.
pub(super) fn deliver(
    sink: &mut dyn Sink,
    deliveries: &[PendingDelivery],
) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
    let alerts: Vec<AlertForDelivery> = deliveries
        .iter()
        .map(|delivery| AlertForDelivery {
            alert: delivery.alert.clone(),
            idempotency_key: delivery.idempotency_key.clone(),
            attempt: delivery.attempts.saturating_add(1),
        })
        .collect();
    catch_unwind(AssertUnwindSafe(|| sink.deliver(&alerts, limits::DELIVERY_DEADLINE))).unwrap_or_else(|_| {
        let reason = FailureReason::Trap("the sink panicked".to_owned());
        Err(PluginFailure { plugin: sink.name().to_owned(), reason })
    })
}
