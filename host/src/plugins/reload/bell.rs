//! Wakes the thread that minds the plugins.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Clone, Copy, Debug, Default)]
struct State {
    rung: bool,
    stopping: bool,
}

/// Wakes one thread. Ringing never waits for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

impl Bell {
    /// Something is to be looked at.
    pub(super) fn ring(&self) {
        self.state.lock().rung = true;
        self.rung.notify_all();
    }

    /// Nothing is to be looked at any more.
    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.rung.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Waits until the bell rings or the time is over.
    pub(super) fn wait(&self, time: Duration) {
        let mut state = self.state.lock();
        if !state.rung && !state.stopping {
            self.rung.wait_for(&mut state, time);
        }
        state.rung = false;
    }
}
