//! A thread that does the same again and again, until it is stopped.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

/// A thread that works at intervals.
pub(crate) struct Timer {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Timer {
    /// Starts it; `work` is done for the first time when the interval is over.
    pub(crate) fn start(
        name: &str,
        interval: Duration,
        work: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                work();
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Waits for work that is under way; not for the calling thread itself.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.thread().id() != std::thread::current().id() && self.thread.join().is_err() {
            tracing::error!("a timer's thread panicked");
        }
    }
}
