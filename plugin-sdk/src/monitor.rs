//! Monitors watch what was stored and raise signals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::batch::{EventBatch, SampleBatch};
use crate::bindings::imports::types;
use crate::error::Result;
use crate::plugin::Plugin;
use crate::subscription::Subscription;

/// A plugin that watches stored records; exported with [`export_monitor!`](crate::export_monitor).
///
/// There is exactly one instance, and it sees the records in the order of the host's log. After a crash or a trap the host
/// continues from the last saved state and replays what came later, so a monitor must depend on nothing but its records, its
/// ticks, its key-value space and its configuration: it has no other clock than [`Monitor::tick`] and the records' own times.
///
/// ```
/// use bridge_telemetry_plugin::{
///     Monitor, NoConfig, Plugin, Result, SampleBatch, Severity, Signal, Subscription,
/// };
///
/// /// Fires while a disk is full.
/// struct DiskFull;
///
/// impl Plugin for DiskFull {
///     const NAME: &'static str = "disk-full";
///     type Config = NoConfig;
///     fn new(_: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Monitor for DiskFull {
///     fn subscribe(&self) -> Subscription {
///         Subscription::none().metrics(["disk_free_bytes"])
///     }
///
///     fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
///         let signals = batch.samples().filter_map(|sample| {
///             let key = sample.series().context_json();
///             let signal = match sample.value()? {
///                 0.0 => Signal::firing(key, sample.timestamp(), "disk full").severity(Severity::Critical),
///                 _ => Signal::resolved(key, sample.timestamp(), "space again"),
///             };
///             Some(signal)
///         });
///         Ok(signals.collect())
///     }
/// }
///
/// bridge_telemetry_plugin::export_monitor!(DiskFull);
///
/// # use bridge_telemetry_plugin::testing::SampleBatchBuilder;
/// let batch = SampleBatchBuilder::new().sample("disk_free_bytes", r#"{"disk":"sda"}"#, 5, 0.0).build();
/// let signals = DiskFull.on_samples(&batch)?;
/// assert!(signals[0].firing);
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
pub trait Monitor: Plugin {
    /// What it wants to see, and how often it ticks; asked once.
    fn subscribe(&self) -> Subscription;

    /// Looks at events.
    ///
    /// # Errors
    /// When the monitor itself fails: the host starts it anew and replays.
    fn on_events(&mut self, batch: &EventBatch) -> Result<Vec<Signal>> {
        let _ = batch;
        Ok(Vec::new())
    }

    /// Looks at samples.
    ///
    /// # Errors
    /// As for [`Monitor::on_events`].
    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        let _ = batch;
        Ok(Vec::new())
    }

    /// Time has passed. Comes as often as [`Subscription::tick`] asks.
    ///
    /// # Errors
    /// As for [`Monitor::on_events`].
    fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>> {
        let _ = now;
        Ok(Vec::new())
    }
}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Info,
    /// May become a fault.
    #[default]
    Warning,
    /// A fault.
    Error,
    /// A fault that needs a person at once.
    Critical,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl From<Severity> for types::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
            Severity::Critical => Self::Critical,
        }
    }
}

impl From<types::Severity> for Severity {
    fn from(severity: types::Severity) -> Self {
        match severity {
            types::Severity::Info => Self::Info,
            types::Severity::Warning => Self::Warning,
            types::Severity::Error => Self::Error,
            types::Severity::Critical => Self::Critical,
        }
    }
}

/// A finding. Signals with one key are one alert.
///
/// Keys and labels may be made of what senders wrote: what is over a limit fails no call. The host counts it in the plugin's status.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The alert's identity within the monitor; not empty. For a key of more than 512 bytes, or with control characters, its beginning
    /// with a hash of the whole stands as the alert's key: the same for the same key, and another one for any other.
    pub key: String,
    /// Whether the condition holds; `false` resolves the alert.
    pub firing: bool,
    /// How bad it is.
    pub severity: Severity,
    /// One line for a person.
    pub summary: String,
    /// The value that was judged.
    pub value: Option<f64>,
    /// When it was found: the time of the record or tick.
    pub timestamp: Timestamp,
    /// Routes match on these. An alert has the first 32 by name, and of these what 8 KiB have room for; a name has at most 512 bytes, and
    /// of a longer value these are kept.
    pub labels: BTreeMap<String, String>,
}

impl Signal {
    /// The condition holds.
    pub fn firing(key: impl Into<String>, timestamp: Timestamp, summary: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            firing: true,
            severity: Severity::default(),
            summary: summary.into(),
            value: None,
            timestamp,
            labels: BTreeMap::new(),
        }
    }

    /// The condition holds no longer.
    pub fn resolved(key: impl Into<String>, timestamp: Timestamp, summary: impl Into<String>) -> Self {
        Self { firing: false, ..Self::firing(key, timestamp, summary) }
    }

    /// Says how bad it is; a warning unless said.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds the value that was judged. A value that is not finite is left out.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = value.is_finite().then_some(value);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Adds labels.
    #[must_use]
    pub fn labels<N: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.labels.extend(labels.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }
}
