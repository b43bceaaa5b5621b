//! Sinks deliver alerts, or route them on.

use std::time::Duration;

use crate::alert::Alert;
use crate::extension::PluginFailure;

/// An alert handed to a sink.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertForDelivery {
    /// The alert as it was when its state changed.
    pub alert: Alert,
    /// The same for every attempt to deliver this state of this alert to this receiver.
    pub idempotency_key: String,
    /// This attempt, from 1.
    pub attempt: u32,
}

/// What became of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Delivered; with the far side's reference, if it gave one.
    Delivered(Option<String>),
    /// The far side had it already.
    Duplicate,
    /// Never to be tried again.
    Rejected(String),
    /// To be tried again, not before `after`.
    Retry {
        /// The shortest wait; the host's back-off decides when absent.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Hand the alert to these receivers instead.
    Forward(Vec<String>),
}

/// Delivers alerts. Calls to one sink never overlap.
pub trait Sink: Send {
    /// The receiver's name.
    fn name(&self) -> &str;
    /// One outcome per alert, in order; the answer has as many outcomes as there are alerts.
    fn deliver(
        &mut self,
        alerts: &[AlertForDelivery],
        deadline: Duration,
    ) -> Result<Vec<DeliveryOutcome>, PluginFailure>;
}
