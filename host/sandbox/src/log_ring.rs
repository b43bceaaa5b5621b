//! The last lines of a plugin's log, kept in memory for people who ask what it said.
//!
//! Invariant: bounded in lines and bytes; numbers grow by one and are never used again, so that a reader who comes back
//! sees each line once and notices when some were lost to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use telemetry_core::{Timestamp, limits};

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its number, from 1 since the host was opened.
    pub number: u64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub level: &'static str,
    /// The line, safe to print.
    pub message: String,
    /// What came with it: a JSON object as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fields: String,
}

impl LogLine {
    fn bytes(&self) -> usize {
        self.message.len().saturating_add(self.fields.len()).saturating_add(size_of::<Self>())
    }
}

/// The last lines of one plugin, over all its versions.
#[derive(Debug, Default)]
pub struct LogRing {
    kept: Mutex<Kept>,
    /// Lines that came too fast to be kept.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    bytes: usize,
    last: u64,
}

impl LogRing {
    pub(crate) fn push(&self, timestamp: Timestamp, level: tracing::Level, message: &str, fields: &str) {
        let mut kept = self.kept.lock();
        kept.last = kept.last.saturating_add(1);
        let (message, fields) = (message.to_owned(), fields.to_owned());
        let line = LogLine { number: kept.last, timestamp, level: level.as_str(), message, fields };
        kept.bytes = kept.bytes.saturating_add(line.bytes());
        kept.lines.push_back(line);
        while kept.lines.len() > limits::MAX_KEPT_LOG_LINES || kept.bytes > limits::MAX_KEPT_LOG_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// A line came too fast.
    pub(crate) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines that came too fast, over all versions.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The last `most` of the lines with a number above `after`, oldest first.
    pub fn after(&self, after: u64, most: usize) -> Vec<LogLine> {
        let kept = self.kept.lock();
        let mut lines: Vec<LogLine> =
            kept.lines.iter().rev().take_while(|line| line.number > after).take(most).cloned().collect();
        lines.reverse();
        lines
    }

    /// The number of the last line; 0 when there was none.
    pub fn last(&self) -> u64 {
        self.kept.lock().last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &LogRing, message: &str) {
        ring.push(Timestamp::EPOCH, tracing::Level::INFO, message, "");
    }

    fn numbers(lines: &[LogLine]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn lines_are_numbered_and_the_oldest_go() {
        let ring = LogRing::default();
        assert_eq!((ring.after(0, 10), ring.last()), (vec![], 0));
        for n in 0..limits::MAX_KEPT_LOG_LINES + 5 {
            push(&ring, &n.to_string());
        }
        let last = limits::MAX_KEPT_LOG_LINES as u64 + 5;
        assert_eq!(numbers(&ring.after(0, 3)), [last - 2, last - 1, last]);
        assert_eq!(numbers(&ring.after(last - 1, 3)), [last]);
        assert_eq!(ring.after(last, 3), []);
        assert_eq!(ring.after(0, usize::MAX)[0].number, 6);
    }

    #[test]
    fn long_lines_are_fewer() {
        let ring = LogRing::default();
        let long = "x".repeat(limits::MAX_PLUGIN_LOG_BYTES);
        for _ in 0..limits::MAX_KEPT_LOG_LINES {
            push(&ring, &long);
        }
        let lines = ring.after(0, usize::MAX);
        assert!(lines.len() < limits::MAX_KEPT_LOG_BYTES / limits::MAX_PLUGIN_LOG_BYTES && lines.len() > 50);
    }
}
