//! A plugin's log: `tracing` events with the target `plugin`, bounded in rate and size, safe to print.
//!
//! What was left out is counted and reported in the log itself as soon as there is room again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::{Clock, limits};
use tracing::Level;

use crate::log_ring::LogRing;
use crate::text::shown;

/// The log of one plugin, shared by its instances.
#[derive(Debug)]
pub(crate) struct PluginLog {
    plugin: Arc<str>,
    clock: Arc<dyn Clock>,
    lines_per_second: u32,
    /// Where the last lines are kept; `None` for a log that nobody reads.
    kept: Option<Arc<LogRing>>,
    allowance: Mutex<Allowance>,
}

/// A token bucket in nanoseconds of allowance, so that no fraction is lost.
#[derive(Debug)]
struct Allowance {
    saved: Duration,
    at: Duration,
    /// Dropped since the last line that was written.
    unreported: u64,
}

impl PluginLog {
    /// A log whose last lines go to `kept` too; without it nothing is written anywhere.
    pub(crate) fn new(
        plugin: Arc<str>,
        lines_per_second: u32,
        clock: Arc<dyn Clock>,
        kept: Option<Arc<LogRing>>,
    ) -> Self {
        let allowance = Mutex::new(Allowance { saved: burst(), at: clock.monotonic(), unreported: 0 });
        Self { plugin, clock, lines_per_second, kept, allowance }
    }

    /// Whether nothing is written anywhere.
    pub(crate) fn is_silent(&self) -> bool {
        self.kept.is_none()
    }

    /// The last lines; none of a log that nobody reads.
    pub(crate) fn kept(&self) -> Arc<LogRing> {
        self.kept.clone().unwrap_or_default()
    }

    /// Keeps what the host has to say of the plugin among its lines; the host's own log has it already.
    pub(crate) fn remark(&self, level: Level, message: &str) {
        if let Some(kept) = &self.kept {
            kept.push(self.clock.now(), level, &shown(message.to_owned(), limits::MAX_PLUGIN_LOG_BYTES), "");
        }
    }

    /// Lines left out since the start, over all versions.
    pub(crate) fn dropped(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.dropped())
    }

    /// Writes one line. `fields` is a JSON object or empty.
    pub(crate) fn write(&self, level: Level, message: String, fields: String) {
        let Some(kept) = &self.kept else { return };
        match self.take() {
            None => kept.drop_one(),
            Some(unreported) => {
                if unreported > 0 {
                    let message =
                        format!("{unreported} lines of this plugin's log were left out: it writes too many");
                    kept.push(self.clock.now(), Level::WARN, &message, "");
                    emit(Level::WARN, &self.plugin, &message, "");
                }
                let message = shown(message, limits::MAX_PLUGIN_LOG_BYTES);
                let fields = shown(fields, limits::MAX_PLUGIN_LOG_BYTES);
                kept.push(self.clock.now(), level, &message, &fields);
                emit(level, &self.plugin, &message, &fields);
            }
        }
    }

    /// Takes one line's allowance; the answer is the number of lines left out before it.
    fn take(&self) -> Option<u64> {
        let cost = Duration::from_secs(1).checked_div(self.lines_per_second).unwrap_or(Duration::MAX);
        let now = self.clock.monotonic();
        let mut allowance = self.allowance.lock();
        let passed = now.saturating_sub(allowance.at);
        allowance.saved = allowance.saved.saturating_add(passed).min(burst());
        allowance.at = now;
        match allowance.saved.checked_sub(cost) {
            Some(rest) => {
                allowance.saved = rest;
                Some(std::mem::take(&mut allowance.unreported))
            }
            None => {
                allowance.unreported += 1;
                None
            }
        }
    }
}

fn burst() -> Duration {
    Duration::from_secs(limits::PLUGIN_LOG_BURST_SECONDS.into())
}

/// `tracing` wants the level as a constant.
fn emit(level: Level, plugin: &str, message: &str, fields: &str) {
    macro_rules! at {
        ($level:expr) => {
            if fields.is_empty() {
                tracing::event!(target: "plugin", $level, plugin, "{message}")
            } else {
                tracing::event!(target: "plugin", $level, plugin, fields, "{message}")
            }
        };
    }
    match level {
        Level::ERROR => at!(Level::ERROR),
        Level::WARN => at!(Level::WARN),
        Level::INFO => at!(Level::INFO),
        Level::DEBUG => at!(Level::DEBUG),
        Level::TRACE => at!(Level::TRACE),
    }
}

/// Bytes of standard output or error, put together to lines.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
}

impl LineBuffer {
    /// Adds a part of a line, which is cut where it is longer than a line of the log may be; the answer is the line that the
    /// part ends.
    pub(crate) fn push(&mut self, part: &[u8]) -> Option<String> {
        let room = limits::MAX_PLUGIN_LOG_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(part.get(..room).unwrap_or(part));
        part.ends_with(b"\n").then(|| self.take()).flatten()
    }

    /// The unfinished line, if there is one.
    pub(crate) fn take(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.bytes);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::{ManualClock, Timestamp};

    #[test]
    fn a_flood_is_cut_and_counted() {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let ring = Arc::new(LogRing::default());
        let log =
            PluginLog::new("p".into(), 10, Arc::clone(&clock) as Arc<dyn Clock>, Some(Arc::clone(&ring)));
        let burst = u64::from(10 * limits::PLUGIN_LOG_BURST_SECONDS);
        for _ in 0..1000 {
            log.write(Level::INFO, "line".to_owned(), String::new());
        }
        assert_eq!((log.dropped(), ring.last()), (1000 - burst, burst));
        clock.advance(Duration::from_secs(1));
        assert_eq!(log.take(), Some(1000 - burst));
        assert_eq!((1..100).filter(|_| log.take().is_some()).count(), 9);
    }

    #[test]
    fn no_line_a_second_means_no_log() {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let log = PluginLog::new("p".into(), 0, clock, Some(Arc::default()));
        log.write(Level::INFO, "line".to_owned(), String::new());
        assert_eq!(log.dropped(), 1);
    }

    #[test]
    fn a_log_that_nobody_reads_writes_nothing() {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let log = PluginLog::new("p".into(), 10, clock, None);
        log.write(Level::INFO, "line".to_owned(), String::new());
        log.remark(Level::WARN, "remark");
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn lines_are_put_together() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.push(b"one\n").as_deref(), Some("one"));
        assert_eq!(buffer.push(b"tw"), None);
        assert_eq!(buffer.push(b"o\n").as_deref(), Some("two"));
        assert_eq!(buffer.push(b"\n"), None);
        assert_eq!(buffer.push(b"three"), None);
        assert_eq!(buffer.take().as_deref(), Some("three"));
        assert_eq!(buffer.take(), None);
        let long = vec![b'x'; limits::MAX_PLUGIN_LOG_BYTES * 3];
        assert_eq!(buffer.push(&long), None);
        assert_eq!(buffer.push(b"\n").unwrap().len(), limits::MAX_PLUGIN_LOG_BYTES);
    }
}
