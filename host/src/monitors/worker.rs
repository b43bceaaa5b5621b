//! A monitor's thread, and the signals between such threads and the runner.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use telemetry_core::limits;

use super::follower::{Follower, Step};

/// Something that is to be done with a follower between two of its steps, on whatever thread carries it.
pub(super) type Task = Box<dyn FnOnce(&mut Follower) + Send>;

/// The task that waits for one thread.
#[derive(Default)]
pub(super) struct Errand(Mutex<Option<Task>>);

impl Errand {
    /// Leaves a task; `false` when another one waits still.
    pub(super) fn leave(&self, task: Task) -> bool {
        let mut place = self.0.lock();
        if place.is_some() {
            return false;
        }
        *place = Some(task);
        true
    }

    /// Takes the task away, to do it or to give it up.
    pub(super) fn take(&self) -> Option<Task> {
        self.0.lock().take()
    }
}

/// What the runner asks of all its threads.
#[derive(Debug, Default)]
pub(super) struct Control {
    orders: Mutex<Orders>,
    /// An order was given, or a checkpoint was made.
    changed: Condvar,
    /// The ticks that are wanted changed, or the runner stops.
    ticking: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    stopping: bool,
    /// Everything up to here is to be durable as soon as it is done.
    drain: u64,
}

impl Control {
    pub(super) fn is_stopping(&self) -> bool {
        self.orders.lock().stopping
    }

    pub(super) fn stop(&self) {
        self.orders.lock().stopping = true;
        self.changed.notify_all();
        self.ticking.notify_all();
    }

    /// Asks for everything up to `sequence`, and waits until `is_done` says so; `false` when the time is over.
    pub(super) fn drain(&self, sequence: u64, timeout: Duration, is_done: impl Fn() -> bool) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut orders = self.orders.lock();
        orders.drain = orders.drain.max(sequence);
        self.changed.notify_all();
        while !is_done() {
            let timed_out = match deadline {
                Some(deadline) => self.changed.wait_until(&mut orders, deadline).timed_out(),
                None => self.changed.wait_for(&mut orders, timeout).timed_out(),
            };
            if timed_out || orders.stopping {
                return is_done();
            }
        }
        true
    }

    /// Wakes whoever waits for a change.
    pub(super) fn announce(&self) {
        let _orders = self.orders.lock();
        self.changed.notify_all();
        self.ticking.notify_all();
    }

    /// Waits until something changes or the time is over.
    pub(super) fn wait_for_change(&self, time: Duration) {
        self.changed.wait_for(&mut self.orders.lock(), time);
    }

    fn drained_up_to(&self) -> u64 {
        self.orders.lock().drain
    }

    fn pause(&self, time: Duration) {
        let mut orders = self.orders.lock();
        if !orders.stopping {
            self.changed.wait_for(&mut orders, time);
        }
    }

    fn checkpoint_made(&self) {
        let _orders = self.orders.lock();
        self.changed.notify_all();
    }

    /// Sleeps until the wanted ticks change, the runner stops or the time is over.
    pub(super) fn wait_to_tick(&self, time: Duration) {
        let mut orders = self.orders.lock();
        if !orders.stopping {
            self.ticking.wait_for(&mut orders, time);
        }
    }
}

/// Follows the log until the runner stops or the monitor is to leave; gives the follower back.
pub(super) fn run(
    mut follower: Follower,
    control: &Control,
    leaving: &AtomicBool,
    errand: &Errand,
) -> Follower {
    while !control.is_stopping() && !leaving.load(Ordering::Acquire) {
        let before = follower.durable();
        if let Some(task) = errand.take() {
            task(&mut follower);
        }
        if follower.holds_back(control.drained_up_to()) {
            follower.flush();
        }
        let step = follower.step();
        if follower.durable() != before {
            control.checkpoint_made();
        }
        follower.settle_faults();
        match step {
            Step::Progress => {}
            Step::CaughtUp if follower.holds_back(control.drained_up_to()) => {}
            Step::CaughtUp => follower.wait_for_log(),
            Step::Pause(left) => control.pause(left.min(limits::LOG_WAIT)),
        }
    }
    // Who left a task hears that nobody does it.
    drop(errand.take());
    follower.flush();
    if leaving.load(Ordering::Acquire) && !control.is_stopping() {
        // Its last checkpoints told where it is, and who ends it may wait no more.
        follower.leave();
    }
    control.checkpoint_made();
    follower
}

/// Follows the log to its end on the calling thread, unless the monitor pauses or the time is over before.
pub(super) fn run_to_end(follower: &mut Follower, deadline: Option<Instant>) {
    let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    while !is_over() && follower.step() == Step::Progress {}
    follower.flush();
}
