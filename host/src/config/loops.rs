//! `loop`: when repeated events are taken for a loop.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_core::limits;

/// Loop detection (spec §2): the same content, seen `threshold` times within the last `window` events and within
/// `period_ms`, is refused from then on until it calms down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoopConfig {
    /// Repeats that are still accepted; not above `window`.
    #[schemars(range(min = 1, max = limits::MAX_LOOP_WINDOW))]
    pub threshold: u32,
    /// Latest events that are looked at.
    #[schemars(range(min = 1, max = limits::MAX_LOOP_WINDOW))]
    pub window: u32,
    /// Older events are not looked at, in milliseconds.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub period_ms: u32,
    /// Event types that may repeat as they like; a trailing `*` matches a prefix, `*` alone switches the check off.
    pub exempt_event_types: Vec<String>,
}

impl LoopConfig {
    /// `period_ms` as a span of time.
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms.into())
    }
}

impl Default for LoopConfig {
    fn default() -> Self {
        Self { threshold: 5, window: 100, period_ms: 1_000, exempt_event_types: Vec::new() }
    }
}
