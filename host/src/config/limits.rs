//! `plugins.settings.NAME.limits`: what a plugin may use. The same keys as the plugin runtime's own limits.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_core::limits;

use super::quantity::ByteCount;

/// What one plugin may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginLimits {
    /// Time for one call in milliseconds, without what it waits for. A sink may wait for the far side as long as its delivery may
    /// take. A monitor has it for each snapshot of its state, too, and at least a second.
    #[schemars(range(min = 1, max = 600_000))]
    pub deadline_ms: u32,
    /// Memory of one instance, all its linear memories together; at least 64 KiB, at most 4 GiB.
    pub memory_bytes: ByteCount,
    /// Memory above which an idle instance is replaced by a fresh one; half of `memory_bytes` when absent.
    pub recycle_bytes: Option<ByteCount>,
    /// What one call may answer; at least 1 KiB.
    pub output_bytes: ByteCount,
    /// Instances of a validator or aggregation at most; one per core when absent.
    #[schemars(range(min = 1, max = 1_024))]
    pub instances: Option<u32>,
    /// How long a call waits for a free instance, in milliseconds.
    #[schemars(range(min = 1, max = 600_000))]
    pub wait_ms: u32,
    /// Log lines a second, over time; five seconds' worth may come at once, and the others are left out. A call that writes a
    /// thousand more than may come at once, and eight more for each record that it is shown, fails.
    #[schemars(range(min = 0, max = 100_000))]
    pub log_lines_per_second: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            deadline_ms: millis(limits::PLUGIN_CALL_DEADLINE),
            memory_bytes: ByteCount(limits::PLUGIN_MEMORY_BYTES),
            recycle_bytes: None,
            output_bytes: ByteCount(limits::PLUGIN_OUTPUT_BYTES),
            instances: None,
            wait_ms: millis(limits::PLUGIN_WAIT),
            log_lines_per_second: limits::PLUGIN_LOG_LINES_PER_SECOND,
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
