//! Sinks deliver alerts, or route them on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Timestamp;
use crate::error::{PluginError, Result};
use crate::monitor::Severity;
use crate::plugin::Plugin;

/// A plugin that delivers alerts or routes them on; exported with [`export_sink!`](crate::export_sink).
///
/// A change of an alert's state comes at least once: after a crash it may come again, with the same
/// [`idempotency_key`](Alert::idempotency_key). Pass that key on to the far side, or keep it in [`key_value`](crate::key_value).
///
/// ```
/// use std::time::Duration;
/// use bridge_telemetry_plugin::{Alert, NoConfig, Outcome, Plugin, Result, Severity, Sink};
///
/// /// Sends critical alerts to the pager and all others to the mail.
/// struct BySeverity;
///
/// impl Plugin for BySeverity {
///     const NAME: &'static str = "by-severity";
///     type Config = NoConfig;
///     fn new(_: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Sink for BySeverity {
///     fn deliver(&mut self, alert: &Alert, _: Duration) -> Result<Outcome> {
///         Ok(match alert.severity {
///             Severity::Critical => Outcome::forward(["pager"]),
///             _ => Outcome::forward(["mail"]),
///         })
///     }
/// }
///
/// bridge_telemetry_plugin::export_sink!(BySeverity);
///
/// # use bridge_telemetry_plugin::testing::AlertBuilder;
/// let alert = AlertBuilder::firing("threshold", "cpu").severity(Severity::Critical).build();
/// assert_eq!(BySeverity.deliver(&alert, Duration::from_secs(1))?, Outcome::forward(["pager"]));
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
pub trait Sink: Plugin {
    /// Delivers one alert within `deadline`.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] and [`PluginError::Unsupported`] count as [`Outcome::Rejected`], the others as
    /// [`Outcome::Retry`]: an alert is never lost by an error.
    fn deliver(&mut self, alert: &Alert, deadline: Duration) -> Result<Outcome>;

    /// Delivers several alerts within `deadline` and answers one outcome for each, in order; one by one unless implemented,
    /// each with an equal part of the time.
    ///
    /// # Errors
    /// Only when there is no outcome for any of them; the host then tries all again.
    fn deliver_all(&mut self, alerts: &[Alert], deadline: Duration) -> Result<Vec<Outcome>> {
        let share = deadline / u32::try_from(alerts.len()).unwrap_or(u32::MAX).max(1);
        let deliver = |alert| self.deliver(alert, share).unwrap_or_else(Outcome::from);
        Ok(alerts.iter().map(deliver).collect())
    }
}

/// Whether an alert's condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStatus {
    /// It holds.
    Firing,
    /// It holds no longer.
    Resolved,
}

impl AlertStatus {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One state of an alert on its way to one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Identifies one firing period, up to and including its resolution.
    pub alert_id: String,
    /// The monitor that raised it.
    pub monitor: String,
    /// Its identity within the monitor.
    pub key: String,
    /// Whether it fires.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: Severity,
    /// One line for a person.
    pub summary: String,
    /// The value that was judged last.
    pub value: Option<f64>,
    /// Routes match on these.
    pub labels: BTreeMap<String, String>,
    /// When it began to fire.
    pub first_seen: Timestamp,
    /// When it was signalled last.
    pub last_seen: Timestamp,
    /// When it was resolved; absent while it fires.
    pub resolved_at: Option<Timestamp>,
    /// Signals received.
    pub times_seen: u64,
    /// The same for every attempt to deliver this state of this alert to this receiver.
    pub idempotency_key: String,
    /// This attempt, from 1.
    pub attempt: u32,
    /// All but key and attempt as the host wrote it for people, for passing on: an object with `alert_id`, `monitor`, `key`,
    /// `status`, `severity`, `summary`, `value`, `labels`, `first_seen`, `last_seen`, `resolved_at` (RFC 3339), `times_seen`. It names no
    /// secret in a request's body: `${` of its texts is written `\u0024{`.
    pub json: String,
}

impl Alert {
    /// A label's value. `monitor`, `key`, `severity` and `status` are the alert's own, as in the host's routes: labels of those
    /// names, which may come from whoever sends a metric, are found in [`labels`](Self::labels) alone.
    pub fn label(&self, name: &str) -> Option<&str> {
        match name {
            "monitor" => Some(&self.monitor),
            "key" => Some(&self.key),
            "severity" => Some(self.severity.as_str()),
            "status" => Some(self.status.as_str()),
            _ => self.labels.get(name).map(String::as_str),
        }
    }

    /// Whether it fires.
    pub fn is_firing(&self) -> bool {
        self.status == AlertStatus::Firing
    }
}

/// What became of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far side has it; with its reference, if it gave one.
    Delivered(Option<String>),
    /// The far side had it already.
    Duplicate,
    /// Never to be tried again; says why.
    Rejected(String),
    /// To be tried again later.
    Retry {
        /// The shortest wait; the host's back-off decides when absent.
        after: Option<Duration>,
        /// What went wrong, for a person.
        reason: String,
    },
    /// To be handed to these receivers instead; at least one.
    Forward(Vec<String>),
}

impl Outcome {
    /// Delivered, without a reference.
    pub const fn delivered() -> Self {
        Self::Delivered(None)
    }

    /// Never to be tried again.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected(reason.into())
    }

    /// To be tried again when the host thinks best.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// To be tried again, but not before `wait` has passed.
    pub fn retry_after(wait: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after: Some(wait), reason: reason.into() }
    }

    /// To be handed to these receivers instead.
    pub fn forward<T: Into<String>>(receivers: impl IntoIterator<Item = T>) -> Self {
        Self::Forward(receivers.into_iter().map(Into::into).collect())
    }
}

impl From<PluginError> for Outcome {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::InvalidConfig(_) | PluginError::Unsupported(_) => Self::Rejected(error.to_string()),
            PluginError::Transient(reason) | PluginError::Other(reason) => Self::retry(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::NoConfig;
    use crate::testing::AlertBuilder;

    struct Fails;

    impl Plugin for Fails {
        const NAME: &'static str = "fails";
        type Config = NoConfig;
        fn new(_: NoConfig) -> Result<Self> {
            Ok(Self)
        }
    }

    impl Sink for Fails {
        fn deliver(&mut self, alert: &Alert, deadline: Duration) -> Result<Outcome> {
            assert_eq!(deadline, Duration::from_secs(1));
            match &*alert.key {
                "a" => Err(PluginError::transient("busy")),
                "b" => Err(PluginError::unsupported("b")),
                _ => Ok(Outcome::delivered()),
            }
        }
    }

    #[test]
    fn one_failure_does_not_touch_the_others() {
        let alerts = ["a", "b", "c"].map(|key| AlertBuilder::firing("monitor", key).build());
        let outcomes = Fails.deliver_all(&alerts, Duration::from_secs(3)).unwrap();
        let rejected = Outcome::rejected("unsupported: b");
        assert_eq!(outcomes, [Outcome::retry("busy"), rejected, Outcome::delivered()]);
        assert_eq!(Fails.deliver_all(&[], Duration::ZERO).unwrap(), []);
    }

    #[test]
    fn a_label_is_found_beside_what_every_alert_has() {
        let alert = AlertBuilder::resolved("threshold", "k").label("team", "db").build();
        assert!(!alert.is_firing());
        assert_eq!(alert.label("team"), Some("db"));
        assert_eq!(alert.label("severity"), Some("warning"));
        assert_eq!(alert.label("status"), Some("resolved"));
        assert_eq!(alert.label("other"), None);
    }

    #[test]
    fn no_label_hides_what_the_alert_is() {
        let own = [("monitor", "threshold"), ("key", "k"), ("severity", "warning"), ("status", "firing")];
        let alert = AlertBuilder::firing("threshold", "k");
        let alert = own.iter().fold(alert, |alert, (name, _)| alert.label(name, "other")).build();
        for (name, value) in own {
            assert_eq!(alert.label(name), Some(value), "{name}");
        }
    }
}
