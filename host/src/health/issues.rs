//! From facts to a status with its reasons.

use serde::Serialize;

/// How the host does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    #[default]
    Healthy,
    /// It serves, but an operator should look.
    Degraded,
    /// It cannot store.
    Unhealthy,
}

/// Collects reasons; the worst decides the status.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) status: HealthStatus,
    pub(super) reasons: Vec<String>,
}

impl Issues {
    pub(super) fn degraded(&mut self, reason: impl Into<String>) {
        self.add(HealthStatus::Degraded, reason.into());
    }

    pub(super) fn unhealthy(&mut self, reason: impl Into<String>) {
        self.add(HealthStatus::Unhealthy, reason.into());
    }

    fn add(&mut self, status: HealthStatus, reason: String) {
        self.status = self.status.max(status);
        self.reasons.push(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_reason_decides() {
        let mut issues = Issues::default();
        assert_eq!(issues.status, HealthStatus::Healthy);
        issues.unhealthy("the disk is full");
        issues.degraded("a plugin is in quarantine");
        assert_eq!(issues.status, HealthStatus::Unhealthy);
        assert_eq!(issues.reasons.len(), 2);
    }
}
