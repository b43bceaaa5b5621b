//! A look at the files of all plugins: what changed is taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::Changes;
use super::report::{ReloadOutcome, ReloadReport, ReloadTrigger};
use super::{ReloadError, Reloader, is_switched_off};
use crate::config::{COMPONENT_EXTENSION, Config};
use crate::plugins::package::LOCK_FILE;

impl Reloader {
    /// Takes over what changed since the last look and tells what became of it: a file counts when it was seen twice alike. What was refused is told in
    /// the log, in health and in listings, and tried again when its file changes again.
    pub(crate) fn look(&self) -> Vec<Result<ReloadReport, ReloadError>> {
        let files = match plugins_by_place(&self.parts.config) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(source = "Bridge_Telemetry", %error, "the folder of plugins cannot be watched");
                return Vec::new();
            }
        };
        let mut work = self.work.lock();
        let Changes { mut changed, gone } = work.files.look(&files.keys().cloned().collect::<BTreeSet<_>>());
        for file in gone {
            // Without pins it is the policy that says what may be run.
            if file.file_name().is_some_and(|name| name == LOCK_FILE) {
                changed.push(file);
            } else {
                self.note_gone(&file, files.get(&file));
            }
        }
        let names: BTreeSet<&String> = changed.iter().filter_map(|file| files.get(file)).flatten().collect();
        let mut outcomes = Vec::new();
        for name in names.into_iter().filter(|name| !is_switched_off(&self.parts.config, name)) {
            let sources = self.sources(name).unwrap_or_default();
            for source in sources.iter().filter(|source| source.component == *name) {
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

    /// What runs goes on: a file that is gone is as likely to be replaced as to be removed for good.
    fn note_gone(&self, file: &Path, names: Option<&Vec<String>>) {
        let is_component = file.extension().is_some_and(|extension| extension == COMPONENT_EXTENSION);
        let stem = if is_component { file.file_stem() } else { file.file_name() };
        let by_stem = || stem.map(|stem| vec![stem.to_string_lossy().into_owned()]);
        for name in names.cloned().or_else(by_stem).unwrap_or_default() {
            for source in self.sources(&name).unwrap_or_default() {
                if self.running(&source).is_some() {
                    let note = format!(
                        "its file {} is gone; it goes on until the host is restarted",
                        file.display()
                    );
                    tracing::warn!(source = "Bridge_Telemetry", plugin = source.name, "{note}");
                    self.note_file(&source.name, Some(note));
                }
            }
        }
    }

    fn note_file(&self, name: &str, note: Option<String>) {
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
