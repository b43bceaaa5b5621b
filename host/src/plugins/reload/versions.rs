//! Which versions run, noted so that none of them is gone back from; and that nothing older takes the place of what runs.

use super::error::ReloadError;
use super::{Reloader, Work};
use crate::config::PluginPolicy;
use crate::plugins::error::PluginLoadError;
use crate::plugins::package::{
    KnownVersion, VerifiedPackage, VersionFloor, note_put_back, note_running, note_taken_back,
};
use crate::plugins::prepared::PackageReport;
use crate::plugins::source::PluginSource;

impl Reloader {
    /// Refuses a version that is older than the one that runs, whatever `plugins.lock` says of it by now. What was installed since
    /// is meant, and so are the bytes that the configuration names.
    pub(super) fn check_not_older(
        &self,
        source: &PluginSource,
        opened: &VerifiedPackage,
    ) -> Result<(), ReloadError> {
        let (plugins, name) = (&self.parts.config.plugins, source.component.as_str());
        let is_named = plugins.settings.get(name).is_some_and(|settings| settings.sha256.is_some());
        if plugins.policy != PluginPolicy::Signed || is_named {
            return Ok(());
        }
        let runs = |live: &crate::plugins::LoadedPlugins| {
            live.packages.get(&source.name).and_then(PackageReport::running)
        };
        let (Some(running), Some(manifest)) = (self.parts.live.read(runs), &opened.manifest) else {
            return Ok(());
        };
        if opened.entry.is_installed_since(&running.entry) {
            return Ok(());
        }
        let floor = VersionFloor { version: running.version, known: KnownVersion::Runs };
        let checked = floor.check(name, &manifest.version);
        checked.map_err(|source| PluginLoadError::Package { plugin: name.to_owned(), source }.into())
    }

    /// Notes which versions were taken back, and which run: another copy may still run in one of those. Where that fails health says
    /// so, and the next time that plugins are minded it is tried again.
    pub(super) fn note_versions(&self, work: &mut Work) {
        let plugins = &self.parts.config.plugins;
        let mut noted = Ok(());
        work.taken_back.retain(|_, (failed, back)| {
            let lowered = note_taken_back(plugins, failed, back);
            let is_noted = lowered.is_ok();
            if !is_noted {
                noted = lowered;
            }
            !is_noted
        });
        let (running, entries) = self.parts.live.read(|live| (live.running_versions(), live.lock_entries()));
        let noted = noted
            .and_then(|()| note_running(plugins, &running))
            .and_then(|()| note_put_back(plugins, &entries));
        self.parts.live.change(|live| live.versions_noted(noted));
    }
}
