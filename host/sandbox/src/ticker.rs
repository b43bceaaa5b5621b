//! The ticker moves the engine's epoch, by which deadlines are kept. It has an OS thread of its own, so that no busy
//! executor delays it, and ends with the last user of the engine.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use wasmtime::Engine;

/// Runs as long as it is held.
#[derive(Debug)]
pub(crate) struct Ticker {
    tick: Duration,
    /// Never sent on: the thread ends when this end is dropped.
    _alive: Sender<()>,
}

impl Ticker {
    /// Starts ticking every `tick`.
    pub(crate) fn start(engine: &Engine, tick: Duration) -> std::io::Result<Self> {
        let weak = engine.weak();
        let (alive, ended) = bounded::<()>(0);
        thread::Builder::new().name("plugin-ticker".to_owned()).spawn(move || {
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self { tick, _alive: alive })
    }

    /// The ticks after which `allowance` has surely passed.
    pub(crate) fn ticks(&self, allowance: Duration) -> u64 {
        // In 64 bits, which is faster on the way of every call: centuries fit.
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2);
        nanos(allowance).div_ceil(nanos(self.tick).max(1)).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_never_cut_a_deadline_short() {
        let engine = crate::engine::engine(crate::engine::Execution::Fast).unwrap();
        let ticker = Ticker::start(&engine, Duration::from_millis(5)).unwrap();
        assert_eq!(ticker.ticks(Duration::ZERO), 1);
        assert_eq!(ticker.ticks(Duration::from_millis(5)), 2);
        assert_eq!(ticker.ticks(Duration::from_millis(6)), 3);
    }
}
