//! The thread that minds the plugins: looks at their files and takes versions back that fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry_core::limits::MAX_TIMER_WAIT;

use super::Reloader;

impl Reloader {
    /// Starts the thread; until then nothing happens by itself.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let (reloader, bell) = (Arc::downgrade(self), Arc::clone(&self.bell));
        let config = self.parts.config.plugins.reload;
        let interval = config.interval.duration();
        let thread = std::thread::Builder::new().name("plugins".to_owned()).spawn(move || {
            let mut looked = Instant::now();
            while !bell.is_stopping() {
                bell.wait(interval.min(MAX_TIMER_WAIT));
                let Some(reloader) = reloader.upgrade().filter(|_| !bell.is_stopping()) else { break };
                reloader.settle();
                if config.watch && looked.elapsed() >= interval.saturating_sub(Duration::from_millis(1)) {
                    reloader.look();
                    looked = Instant::now();
                }
            }
        })?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }
}
