//! What became of each attempt is logged, counted and kept for listings.

use super::Reloader;
use super::report::{ReloadOutcome, ReloadReport};

impl Reloader {
    /// Logs an outcome and keeps it for listings.
    pub(super) fn remember(&self, report: &ReloadReport) {
        let plugin = report.plugin.as_str();
        match &report.outcome {
            ReloadOutcome::Refused { reason, .. } => {
                tracing::error!(source = "Bridge_Telemetry", plugin, "a version was refused: {reason}");
            }
            ReloadOutcome::RolledBack { reason } | ReloadOutcome::RollbackFailed { reason } => {
                tracing::error!(source = "Bridge_Telemetry", plugin, outcome = ?report.outcome, "{reason}");
            }
            ReloadOutcome::Unchanged => {}
            ReloadOutcome::Unused => {
                tracing::info!(
                    source = "Bridge_Telemetry",
                    plugin,
                    "a sink is not used: no receiver names it"
                );
            }
            ReloadOutcome::Disabled | ReloadOutcome::Removed => {
                tracing::info!(
                    source = "Bridge_Telemetry",
                    plugin,
                    "a plugin was stopped: {}",
                    report.outcome
                );
            }
            outcome => {
                let version = report.to.as_ref().map(|to| to.version.as_str()).unwrap_or_default();
                tracing::info!(
                    source = "Bridge_Telemetry",
                    plugin,
                    version,
                    ?outcome,
                    "a plugin was taken over"
                );
            }
        }
        self.parts.live.change(|live| {
            if let Some(running) = live.running().find(|running| running.name() == plugin) {
                running.remark(report.outcome.level(), &report.outcome.to_string());
            }
            let history = live.history.entry(plugin.to_owned()).or_default();
            let counted = match report.outcome {
                ReloadOutcome::Reloaded => Some(&mut history.reloads),
                ReloadOutcome::Refused { .. } => Some(&mut history.reloads_refused),
                ReloadOutcome::RolledBack { .. } => Some(&mut history.rollbacks),
                _ => None,
            };
            counted.into_iter().for_each(|count| *count = count.saturating_add(1));
            // A refusal is settled when the file holds again what runs.
            let settles = report.to.is_some() && history.last_reload.as_ref().is_some_and(is_refused);
            if report.outcome != ReloadOutcome::Unchanged || settles {
                history.last_reload = Some(report.clone());
            }
        });
    }
}

fn is_refused(report: &ReloadReport) -> bool {
    matches!(report.outcome, ReloadOutcome::Refused { .. })
}
