//! A look at the files of all plugins: what changed is taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::Changes;
use super::report::{ReloadOutcome, ReloadReport, ReloadTrigger};
use super::{ReloadError, Reloader};

impl Reloader {
    /// Takes over what changed since the last look and tells what became of it: a file counts when it was seen twice alike. What was refused is told in
    /// the log, in health and in listings, and tried again when its file changes again.
    pub(crate) fn look(&self) -> Vec<Result<ReloadReport, ReloadError>> {
        let files = match self.plugins_by_file() {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(source = "Bridge_Telemetry", %error, "the folder of plugins cannot be watched");
                return Vec::new();
            }
        };
        let mut work = self.work.lock();
        let Changes { changed, gone } = work.files.look(&files.keys().cloned().collect::<BTreeSet<_>>());
        for file in gone {
            self.note_gone(&file, files.get(&file));
        }
        let mut outcomes = Vec::new();
        for file in changed {
            for name in files.get(&file).into_iter().flatten() {
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
        }
        self.settle_with(&mut work);
        outcomes
    }

    /// The plugins that are enabled, by their components' files.
    fn plugins_by_file(&self) -> std::io::Result<BTreeMap<PathBuf, Vec<String>>> {
        let mut files = BTreeMap::<PathBuf, Vec<String>>::new();
        for (name, file) in self.parts.config.plugins.enabled()? {
            files.entry(file).or_default().push(name);
        }
        Ok(files)
    }

    /// What runs goes on: a file that is gone is as likely to be replaced as to be removed for good.
    fn note_gone(&self, file: &Path, names: Option<&Vec<String>>) {
        let by_stem = || file.file_stem().map(|stem| vec![stem.to_string_lossy().into_owned()]);
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
