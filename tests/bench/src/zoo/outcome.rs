//! What became of the attackers in a turn: whether the zoo was alive, and what the host did about it.

use bridge_telemetry::plugins::PluginListing;

use super::residents;

/// The kinds of failures that are calls which were not made.
const TURNED_AWAY: [&str; 2] = ["quarantined", "busy"];

/// What became of them.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) attackers: usize,
    /// Those of them that failed at least once.
    pub(super) failed: usize,
    /// Those that are in quarantine at the end.
    pub(super) quarantined: usize,
    pub(super) failures: u64,
    pub(super) restarts: u64,
    /// Calls that were not made, because the plugin had failed before.
    pub(super) turned_away: u64,
    /// Calls of record_metric in which a validator failed; a call in which several did counts for each.
    pub(super) in_samples: u64,
    /// The same of record_events.
    pub(super) in_events: u64,
    /// Who never failed.
    pub(super) calm: Vec<String>,
}

impl Outcome {
    pub(super) fn of(plugins: &[PluginListing]) -> Self {
        let mut outcome = Self::default();
        for plugin in plugins.iter().filter(|plugin| residents::is_one(&plugin.name)) {
            outcome.add(plugin);
        }
        outcome
    }

    fn add(&mut self, plugin: &PluginListing) {
        let of = |turned_away: bool| -> u64 {
            let kinds = plugin.status.iter().flat_map(|status| &status.failures_by_kind);
            kinds.filter(|(kind, _)| TURNED_AWAY.contains(*kind) == turned_away).map(|(_, count)| count).sum()
        };
        let failures = of(false);
        self.attackers += 1;
        self.failures += failures;
        self.turned_away += of(true);
        if failures > 0 {
            self.failed += 1;
        } else {
            self.calm.push(plugin.name.clone());
        }
        if let Some(status) = &plugin.status {
            self.restarts += status.restarts;
            self.quarantined += usize::from(status.state.as_str() == "quarantined");
        }
        if residents::validates(&plugin.name, "validate-samples") {
            self.in_samples += failures;
        }
        if residents::validates(&plugin.name, "validate-events") {
            self.in_events += failures;
        }
    }
}
