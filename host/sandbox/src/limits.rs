//! The limits of one plugin, as an operator configures them. Each has a default that suits a well-made plugin.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_core::limits;

/// What one plugin may use. Every key is optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// Time for one call in milliseconds, without what it waits for. A sink may wait for the far side as long as its delivery may
    /// take. A monitor has it for each snapshot of its state, too, and at least a second.
    pub deadline_ms: u32,
    /// Memory of one instance in bytes, all its linear memories together with what the host keeps for it.
    pub memory_bytes: u64,
    /// Memory above which an idle instance is replaced by a fresh one, in bytes; half of `memory_bytes` when absent.
    /// WebAssembly memory never shrinks. Monitors and sinks keep their instance.
    pub recycle_bytes: Option<u64>,
    /// What one call may answer in bytes, and what it may hand to the host at once.
    pub output_bytes: u64,
    /// Instances at most, of a validator or aggregation; one per core when absent. Monitors and sinks have exactly one.
    pub instances: Option<u32>,
    /// How long a call waits for a free instance, in milliseconds.
    pub wait_ms: u32,
    /// Log lines a second, over time; five seconds' worth may come at once, and the others are left out. A call that writes a
    /// thousand more than may come at once, and eight more for each record that it is shown, fails.
    pub log_lines_per_second: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            deadline_ms: millis(limits::PLUGIN_CALL_DEADLINE),
            memory_bytes: limits::PLUGIN_MEMORY_BYTES,
            recycle_bytes: None,
            output_bytes: limits::PLUGIN_OUTPUT_BYTES,
            instances: None,
            wait_ms: millis(limits::PLUGIN_WAIT),
            log_lines_per_second: limits::PLUGIN_LOG_LINES_PER_SECOND,
        }
    }
}

impl PluginLimits {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.into())
    }

    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms.into())
    }

    pub(crate) fn output(&self) -> usize {
        usize::try_from(self.output_bytes).unwrap_or(usize::MAX)
    }

    /// Log lines that a call about so many rows may write.
    pub(crate) fn lines_per_call(&self, rows: usize) -> u64 {
        let at_once = u64::from(self.log_lines_per_second) * u64::from(limits::PLUGIN_LOG_BURST_SECONDS);
        per_call(limits::MAX_LOG_LINES_PER_CALL, limits::MAX_LOG_LINES_PER_ROW, rows).saturating_add(at_once)
    }

    pub(crate) fn memory(&self) -> usize {
        usize::try_from(self.memory_bytes).unwrap_or(usize::MAX)
    }

    /// The high-water mark of an instance that had `initial` bytes when it was new: an instance that starts above the
    /// configured mark must double first, or it would never be reused.
    pub(crate) fn high_water(&self, initial: usize) -> usize {
        let configured = self
            .recycle_bytes
            .map_or(self.memory() / 2, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        configured.max(initial.saturating_mul(2))
    }
}

/// Calls to its counters that a call about so many rows may make.
pub(crate) fn counts_per_call(rows: usize) -> u64 {
    per_call(limits::MAX_COUNTER_CALLS_PER_CALL, limits::MAX_COUNTER_CALLS_PER_ROW, rows)
}

/// Calls to key-value and query that a call about so many rows may make.
pub(crate) fn port_calls_per_call(rows: usize) -> u64 {
    per_call(limits::MAX_PORT_CALLS, limits::MAX_PORT_CALLS_PER_ROW, rows)
}

/// Queries among them.
pub(crate) fn queries_per_call(rows: usize) -> u64 {
    per_call(limits::MAX_QUERIES_PER_CALL, limits::MAX_QUERIES_PER_ROW, rows)
}

/// Expressions that a call about so many rows may compile and search for.
pub(crate) fn searches_per_call(rows: usize) -> u64 {
    per_call(limits::MAX_SEARCHES_PER_CALL, limits::MAX_SEARCHES_PER_ROW, rows)
}

fn per_call(least: u32, per_row: u32, rows: usize) -> u64 {
    (rows as u64).saturating_mul(per_row.into()).saturating_add(least.into())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_optional_and_unknown_ones_are_refused() {
        let limits: PluginLimits = serde_json::from_str(r#"{"deadline_ms": 20}"#).unwrap();
        assert_eq!(limits, PluginLimits { deadline_ms: 20, ..PluginLimits::default() });
        let error = serde_json::from_str::<PluginLimits>(r#"{"deadline": 20}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `deadline`"), "{error}");
    }

    #[test]
    fn what_a_call_may_say_and_count_grows_with_its_rows() {
        let limits = PluginLimits::default();
        assert_eq!((limits.lines_per_call(0), counts_per_call(0)), (1_100, 1_000));
        assert_eq!((limits.lines_per_call(100_000), counts_per_call(100_000)), (801_100, 801_000));
        assert_eq!((port_calls_per_call(0), port_calls_per_call(4_096)), (10_000, 26_384));
        assert_eq!((queries_per_call(0), queries_per_call(4_096)), (256, 4_352));
        let quiet = PluginLimits { log_lines_per_second: 0, ..limits.clone() };
        assert_eq!((quiet.lines_per_call(1), limits.lines_per_call(usize::MAX)), (1_008, u64::MAX));
    }

    #[test]
    fn a_large_newborn_is_not_recycled_at_once() {
        let limits = PluginLimits { memory_bytes: 100, ..PluginLimits::default() };
        assert_eq!(limits.high_water(10), 50);
        assert_eq!(limits.high_water(40), 80);
    }
}
