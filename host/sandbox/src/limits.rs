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
    /// take.
    pub deadline_ms: u32,
    /// Memory of one instance in bytes, all its linear memories together.
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
    /// Log lines a second, over time; five seconds' worth may come at once.
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
    fn a_large_newborn_is_not_recycled_at_once() {
        let limits = PluginLimits { memory_bytes: 100, ..PluginLimits::default() };
        assert_eq!(limits.high_water(10), 50);
        assert_eq!(limits.high_water(40), 80);
    }
}
