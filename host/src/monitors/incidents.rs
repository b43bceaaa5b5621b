//! The host's own alerts about what befell a monitor. They resolve themselves some time after the last sign.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::{Clock, Severity, Signal, limits};
use telemetry_store::StoreError;

use crate::alerts::HostAlerts;

/// What can befall a monitor without stopping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Incident {
    /// A record that kills it was skipped.
    PoisonRecord,
    /// The log lost records before it read them.
    LogGap,
    /// More alerts fire than it may have.
    AlertOverflow,
}

impl Incident {
    const ALL: [Self; 3] = [Self::PoisonRecord, Self::LogGap, Self::AlertOverflow];

    const fn name(self) -> &'static str {
        match self {
            Self::PoisonRecord => "poison-record",
            Self::LogGap => "log-gap",
            Self::AlertOverflow => "alert-overflow",
        }
    }
}

/// The incidents of one monitor.
pub(super) struct Incidents {
    monitor: String,
    host: Arc<HostAlerts>,
    clock: Arc<dyn Clock>,
    /// When the last sign of each was.
    open: BTreeMap<Incident, Duration>,
}

impl Incidents {
    /// Continues with those that fired when the host stopped.
    pub(super) fn load(monitor: &str, host: Arc<HostAlerts>, clock: Arc<dyn Clock>) -> Self {
        let mut incidents = Self { monitor: monitor.to_owned(), host, clock, open: BTreeMap::new() };
        let now = incidents.clock.monotonic();
        for incident in Incident::ALL {
            if incidents.host.is_firing(&incidents.key(incident)) {
                incidents.open.insert(incident, now);
            }
        }
        incidents
    }

    /// Reports a sign of an incident; returns when the alert is stored. `count` is of records or signals.
    pub(super) fn raise(
        &mut self,
        incident: Incident,
        summary: String,
        count: u64,
    ) -> Result<(), StoreError> {
        tracing::error!(monitor = self.monitor, incident = incident.name(), count, "{summary}");
        #[allow(clippy::cast_precision_loss, reason = "a count for people")]
        self.host.signal(self.signal(incident, true, summary, Some(count as f64)))?;
        self.open.insert(incident, self.clock.monotonic());
        Ok(())
    }

    /// Resolves incidents that have shown no sign for long enough. Those whose end cannot be stored stay open.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        self.resolve(|last_sign| now.saturating_sub(last_sign) >= limits::INCIDENT_HOLD)
    }

    /// Resolves all: the monitor is gone.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        self.resolve(|_| true)
    }

    fn resolve(&mut self, is_over: impl Fn(Duration) -> bool) -> Result<(), StoreError> {
        let over: Vec<Incident> = self
            .open
            .iter()
            .filter(|(_, last_sign)| is_over(**last_sign))
            .map(|(incident, _)| *incident)
            .collect();
        for incident in over {
            self.host.signal(self.signal(incident, false, String::new(), None))?;
            self.open.remove(&incident);
        }
        Ok(())
    }

    fn key(&self, incident: Incident) -> String {
        format!("{}:{}", incident.name(), self.monitor)
    }

    fn signal(&self, incident: Incident, firing: bool, summary: String, value: Option<f64>) -> Signal {
        Signal {
            key: self.key(incident),
            firing,
            severity: Severity::Error,
            summary,
            value,
            timestamp: self.clock.now(),
            labels: [("affected_monitor", self.monitor.as_str()), ("incident", incident.name())]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }
}
