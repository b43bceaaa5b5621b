//! Versions that took another's place lately, and those that would take it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::extension::SavedState;
use telemetry_core::limits::{RELOAD_FAILURES, RELOAD_PROBATION};
use telemetry_sandbox::Plugin;

use crate::plugins::prepared::PackageReport;
use crate::plugins::source::PluginSource;

/// A version that took another's place.
pub(super) struct Probation {
    pub(super) source: PluginSource,
    pub(super) current: Arc<Plugin>,
    /// The version before, kept ready.
    pub(super) previous: Arc<Plugin>,
    pub(super) previous_package: Option<PackageReport>,
    /// The state that a monitor left when it was replaced.
    pub(super) left_state: Option<SavedState>,
    until: Duration,
}

impl Probation {
    pub(super) fn new(
        source: PluginSource,
        current: Arc<Plugin>,
        (previous, previous_package): (Arc<Plugin>, Option<PackageReport>),
        left_state: Option<SavedState>,
        now: Duration,
    ) -> Self {
        let until = now.saturating_add(RELOAD_PROBATION);
        Self { source, current, previous, previous_package, left_state, until }
    }
}

/// All versions on probation, by name.
#[derive(Default)]
pub(super) struct Probations(BTreeMap<String, Probation>);

impl Probations {
    /// Puts a version on probation; one of the same name that was on it is not any more.
    pub(super) fn begin(&mut self, probation: Probation) {
        self.0.insert(probation.source.name.clone(), probation);
    }

    /// Takes out those that failed too often, and lets go those that held out.
    pub(super) fn failed(&mut self, now: Duration) -> Vec<Probation> {
        let failed = |_: &String, probation: &mut Probation| probation.current.faults() >= RELOAD_FAILURES;
        let failed: Vec<Probation> = self.0.extract_if(.., failed).map(|(_, probation)| probation).collect();
        self.0.retain(|_, probation| now < probation.until);
        failed
    }
}
