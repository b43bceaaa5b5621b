//! What a component is listed as of which nothing runs: as it would be after the next start.

use telemetry_sandbox::PluginKind;
use telemetry_store::StoreError;

use super::error::ReloadError;
use super::stopping::Stop;
use super::{Reloader, Work};
use crate::envelope::cause_chain;
use crate::plugins::error::PluginLoadError;
use crate::plugins::load::without_sink;
use crate::plugins::loaded::Absence;

impl Reloader {
    /// Lists a component that was disabled or removed, once nothing of it runs any more.
    pub(super) fn list_stopped(&self, name: &str, stop: Stop, work: &mut Work) -> Result<(), ReloadError> {
        self.end_left(name)?;
        self.list_absent(name, stop == Stop::Disabled, work);
        Ok(())
    }

    /// Ends what the store has of a monitor that could not be loaded: it had its place in the log and its alerts still.
    fn end_left(&self, name: &str) -> Result<(), ReloadError> {
        if !self.parts.live.read(|live| live.has_failed(name)) {
            return Ok(());
        }
        let failed =
            |source: StoreError| ReloadError::Stop { plugin: name.to_owned(), source: source.into() };
        match self.parts.store.load_cursor(name).map_err(failed)? {
            Some(_) => self.end_monitor(name),
            None => Ok(()),
        }
    }

    /// Lists a component of which nothing runs, and nothing is to run for now: it was disabled, or nothing lies there.
    pub(super) fn list_absent(&self, name: &str, is_disabled: bool, work: &mut Work) {
        let config = &self.parts.config;
        // Deliveries wait at the console, too; missing is only what somebody configured.
        let receivers = match is_disabled {
            true => config.alerting.all_receivers(),
            false => config.alerting.receivers.clone(),
        };
        let of_name = receivers.iter().filter(|(_, receiver)| receiver.plugin == name);
        let without: Vec<_> = of_name
            .map(|(receiver, _)| (receiver, without_sink(config, receiver, name, is_disabled)))
            .collect();
        let missing = if is_disabled { None } else { self.missing(name) };
        // Nothing of it is to run: that its monitor could not be started is no fault any more.
        self.parts.watch.forget_failed(name);
        self.parts.live.change(|live| {
            live.absent.remove(name);
            if is_disabled {
                live.absent.insert(name.to_owned(), Absence::Disabled);
            }
            if let Some(error) = missing {
                live.fail(name, None, cause_chain(&error));
            }
            if let Some(history) = live.history.get_mut(name) {
                history.file_note = None;
            }
            for (receiver, error) in without {
                if is_disabled {
                    live.note_waiting(receiver, &error);
                } else {
                    live.fail(receiver, Some(PluginKind::Sink), cause_chain(&error));
                }
            }
        });
        // Whatever comes to lie there is tried, though it was before.
        for copy in self.copies(name) {
            work.tried.remove(&copy.name);
        }
    }

    /// What is wrong with settings whose plugin is not there.
    fn missing(&self, name: &str) -> Option<PluginLoadError> {
        let plugins = &self.parts.config.plugins;
        let settings = plugins.settings.get(name)?;
        if !settings.enabled || settings.component.is_some() {
            return None;
        }
        let reason = plugins.component_fault(name, &plugins.in_directory().unwrap_or_default())?;
        Some(PluginLoadError::NoComponent { plugin: name.to_owned(), reason })
    }

    /// A host that must have a plugin keeps it, and says so of each copy that runs.
    pub(super) fn note_required(&self, name: &str, stop: Stop) {
        let word = stop.word();
        let note =
            format!("it was {word} by command, and goes on: plugins.settings.{name}.required wants it");
        for copy in self.copies(name).into_iter().filter(|copy| self.running(copy).is_some()) {
            let noted = |live: &crate::plugins::LoadedPlugins| {
                live.history.get(&copy.name).is_some_and(|history| history.file_note.as_ref() == Some(&note))
            };
            if !self.parts.live.read(noted) {
                tracing::warn!(source = "Bridge_Telemetry", plugin = copy.name, "{note}");
                self.note_file(&copy.name, Some(note.clone()));
            }
        }
    }
}
