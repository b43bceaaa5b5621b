//! Listing alerts.

use std::cmp::Reverse;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use telemetry_core::{Alert, AlertStatus};
use telemetry_store::StoreError;

use super::alert_store::AlertStore;

/// Which alerts to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertFilter {
    /// Those that fire.
    Firing,
    /// Those that were resolved and are still kept.
    Resolved,
    /// Both.
    #[default]
    All,
}

impl AlertFilter {
    /// Whether an alert is listed.
    pub fn includes(self, alert: &Alert) -> bool {
        match self {
            Self::All => true,
            Self::Firing => alert.status == AlertStatus::Firing,
            Self::Resolved => alert.status == AlertStatus::Resolved,
        }
    }
}

/// No such filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown alert filter; use firing, resolved or all")]
pub struct UnknownAlertFilter;

impl FromStr for AlertFilter {
    type Err = UnknownAlertFilter;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "firing" => Ok(Self::Firing),
            "resolved" => Ok(Self::Resolved),
            "all" => Ok(Self::All),
            _ => Err(UnknownAlertFilter),
        }
    }
}

/// Stored alerts: those that fire first, the worst and newest of them on top; then the resolved ones, newest first.
pub fn list_alerts(store: &dyn AlertStore, filter: AlertFilter) -> Result<Vec<Alert>, StoreError> {
    let mut alerts: Vec<Alert> = store.alerts()?.into_iter().map(|stored| stored.alert).collect();
    alerts.retain(|alert| filter.includes(alert));
    alerts.sort_by_key(|alert| {
        let severity = (alert.status == AlertStatus::Firing).then_some(alert.severity);
        let since = alert.resolved_at.unwrap_or(alert.first_seen);
        (alert.status == AlertStatus::Resolved, Reverse(severity), Reverse(since), alert.alert_id)
    });
    Ok(alerts)
}
