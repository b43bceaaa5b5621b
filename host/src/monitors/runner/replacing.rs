//! One monitor takes another's place while the runner runs.

use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, sync_channel};

use super::{Legs, MonitorRunner};
use crate::monitors::follower::{Follower, Handover, HandoverError, StartSuccessor};
use crate::monitors::worker::Errand;

impl MonitorRunner {
    /// Lets another monitor take the place of `name` between two records: see [`Successor`](crate::monitors::Successor). Its alerts, its
    /// place in the log and its key-value space stay. If `start` fails, the one before goes on.
    pub fn replace(&self, name: &str, start: StartSuccessor) -> Result<Handover, HandoverError> {
        let not_running = || HandoverError::NotRunning { monitor: name.to_owned() };
        let mut workers = self.workers.lock();
        let worker = workers.get_mut(name).ok_or_else(not_running)?;
        let handed = match &mut worker.legs {
            Legs::Drain(follower) => {
                let handed = follower.hand_over(start)?;
                (handed, follower.tick_interval())
            }
            Legs::Thread(_) => {
                let errand = Arc::clone(&worker.errand);
                drop(workers);
                let handed = self.errand(name, &errand, start)?;
                workers = self.workers.lock();
                handed
            }
        };
        let (handover, tick) = handed;
        if let Some(worker) = workers.get_mut(name) {
            let before = std::mem::replace(&mut worker.tick, tick);
            let mut grid = self.grid.lock();
            before.into_iter().for_each(|interval| grid.remove(interval));
            tick.into_iter().for_each(|interval| grid.add(interval, self.ports.clock.now()));
        }
        drop(workers);
        self.control.announce();
        Ok(handover)
    }

    /// Has the monitor's own thread replace it, and waits for that.
    fn errand(
        &self,
        name: &str,
        errand: &Errand,
        start: StartSuccessor,
    ) -> Result<(Handover, Option<i64>), HandoverError> {
        let (sender, receiver) = sync_channel(1);
        let busy = || HandoverError::Busy { monitor: name.to_owned(), waited: self.handover_wait };
        let task = move |follower: &mut Follower| {
            let handed = follower.hand_over(start).map(|handover| (handover, follower.tick_interval()));
            // Who asked waits until the task is done or taken back.
            let _ = sender.send(handed);
        };
        if !errand.leave(Box::new(task)) {
            return Err(busy());
        }
        self.control.announce();
        let not_running = |_| HandoverError::NotRunning { monitor: name.to_owned() };
        match receiver.recv_timeout(self.handover_wait) {
            Ok(handed) => handed,
            Err(RecvTimeoutError::Timeout) if errand.take().is_some() => Err(busy()),
            Err(RecvTimeoutError::Timeout) => receiver.recv().map_err(not_running)?,
            Err(RecvTimeoutError::Disconnected) => Err(not_running(RecvError)),
        }
    }
}
