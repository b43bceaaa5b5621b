//! A look at the files of all plugins: what is switched off is stopped, what changed is taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::Changes;
use super::report::{ReloadOutcome, ReloadReport, ReloadTrigger};
use super::{ReloadError, Reloader, Work, is_switched_off};
use crate::config::{COMPONENT_EXTENSION, Config};
use crate::plugins::package::LOCK_FILE;
use crate::plugins::source::PluginSource;

impl Reloader {
    /// Stops what was disabled or removed by command, takes over what changed since the last look, and tells what became of it: a
    /// file counts when it was seen twice alike. What was refused is told in the log, in health and in listings, and tried again
    /// when its file changes again.
    pub(crate) fn look(&self) -> Vec<Result<ReloadReport, ReloadError>> {
        let files = match plugins_by_place(&self.parts.config) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(source = "Bridge_Telemetry", %error, "the folder of plugins cannot be watched");
                return Vec::new();
            }
        };
        let mut work = self.work.lock();
        let mut outcomes = self.stop_what_is_off(&mut work);
        let Changes { mut changed, gone } = work.files.look(&files.keys().cloned().collect::<BTreeSet<_>>());
        for file in gone {
            // Without pins it is the policy that says what may be run.
            if file.file_name().is_some_and(|name| name == LOCK_FILE) {
                changed.push(file);
            } else {
                self.note_gone(&file, files.get(&file), &mut work);
            }
        }
        let names: BTreeSet<&String> = changed.iter().filter_map(|file| files.get(file)).flatten().collect();
        for name in names.into_iter().filter(|name| !is_switched_off(&self.parts.config, name)) {
            for source in &self.wanted(name) {
                if work.leaving.contains_key(source) {
                    // What lies there now is loaded when this one has stopped.
                    continue;
                }
                self.note_file(&source.name, None);
                let outcome = self.attempt(source, ReloadTrigger::File, &mut work);
                let unchanged = |report: &ReloadReport| report.outcome == ReloadOutcome::Unchanged;
                if !outcome.as_ref().is_ok_and(unchanged) {
                    outcomes.push(outcome);
                }
            }
        }
        self.settle_with(&mut work);
        outcomes
    }

    /// What runs goes on: a file that is gone is as likely to be replaced as to be removed for good. What could not be loaded, or was
    /// not used, is not there any more.
    fn note_gone(&self, file: &Path, copies: Option<&Vec<String>>, work: &mut Work) {
        let is_component = file.extension().is_some_and(|extension| extension == COMPONENT_EXTENSION);
        let stem = if is_component { file.file_stem() } else { file.file_name() };
        let is_inside = file.parent() == self.parts.config.plugins.directory.as_deref();
        let own = stem.filter(|_| is_inside).map(|stem| stem.to_string_lossy().into_owned());
        // Copies that settings make of it are missed at the next start, and told then.
        let names: BTreeSet<String> = copies.into_iter().flatten().cloned().chain(own.clone()).collect();
        for name in names {
            let copies = self.copies(&name).into_iter();
            let running: Vec<PluginSource> = copies.filter(|copy| self.running(copy).is_some()).collect();
            if running.is_empty() && own.as_ref() == Some(&name) {
                self.list_absent(&name, false, work);
            }
            // Of one that was removed, and did not stop in time, that is told.
            for source in running.into_iter().filter(|source| !work.leaving.contains_key(source)) {
                let note =
                    format!("its file {} is gone; it goes on until the host is restarted", file.display());
                tracing::warn!(source = "Bridge_Telemetry", plugin = source.name, "{note}");
                self.note_file(&source.name, Some(note));
            }
        }
    }

    pub(super) fn note_file(&self, name: &str, note: Option<String>) {
        self.parts.live.change(|live| live.history.entry(name.to_owned()).or_default().file_note = note);
    }
}

/// The plugins that the configuration enables, by the places of their components: files, or folders of packages. The file of
/// pins is all plugins' own.
pub(super) fn plugins_by_place(config: &Config) -> std::io::Result<BTreeMap<PathBuf, Vec<String>>> {
    let mut places = BTreeMap::<PathBuf, Vec<String>>::new();
    let pins = config.plugins.directory.as_ref().map(|directory| directory.join(LOCK_FILE));
    for (name, place) in config.plugins.enabled()? {
        places.entry(place).or_default().push(name.clone());
        if let Some(pins) = &pins {
            places.entry(pins.clone()).or_default().push(name);
        }
    }
    Ok(places)
}
