//! Monitors watch what was stored and raise signals.

use crate::batch::{EventBatch, SampleBatch};
use crate::extension::PluginFailure;
use crate::signal::Signal;
use crate::subscription::Subscription;
use crate::time::Timestamp;

/// An extension's own state, opaque to the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedState {
    /// The extension's state format.
    pub version: u32,
    /// The state.
    pub bytes: Vec<u8>,
}

/// A buffered write to a plugin's key-value space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueWrite {
    /// The key.
    pub key: String,
    /// The value; `None` deletes the key.
    pub value: Option<Vec<u8>>,
}

/// What must be stored together for a monitor to continue from here in another instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitorCheckpoint {
    /// Its state, `None` for a monitor without one.
    pub state: Option<SavedState>,
    /// Writes since the last checkpoint.
    pub writes: Vec<KeyValueWrite>,
}

/// Watches what was stored. There is exactly one of each; calls come in log order, and the host owns its time.
///
/// After a failure the caller calls [`Monitor::restart`] and replays the log from the last checkpoint.
pub trait Monitor: Send {
    /// The name in alerts and health.
    fn name(&self) -> &str;
    /// Which records it sees, and how often it ticks.
    fn subscription(&self) -> &Subscription;
    /// Looks at events; `batch` holds only subscribed ones.
    fn on_events(&mut self, batch: &EventBatch) -> Result<Vec<Signal>, PluginFailure>;
    /// Looks at samples; `batch` holds only subscribed ones, texts with the value NaN.
    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>, PluginFailure>;
    /// The only clock a monitor has.
    fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>, PluginFailure>;
    /// State and buffered writes. The writes stay buffered, and visible to the monitor, until [`Monitor::committed`].
    fn checkpoint(&mut self) -> Result<MonitorCheckpoint, PluginFailure>;
    /// The last checkpoint is durable: its buffered writes may be forgotten.
    fn committed(&mut self);
    /// Throws all live state away and starts anew from `restored`, the state of the last durable checkpoint.
    fn restart(&mut self, restored: Option<SavedState>) -> Result<(), PluginFailure>;
}
