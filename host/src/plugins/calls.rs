//! What a program asks a host about its plugins.

use telemetry_sandbox::LogLine;

use super::reload::{ReloadError, ReloadReport};
use crate::host::Host;

/// Plugins of a running host.
impl Host {
    /// Puts the component that now stands in a plugin's file in the place of the one that runs: it is read, checked, compiled
    /// and tried on recent records beside the one that runs, takes over its state and its place between two batches, and gives
    /// them back by itself if it fails several times in the minute after. `name` is a plugin, a sink (every receiver's copy of
    /// it) or a receiver; a plugin that is not loaded is loaded. Whatever is wrong with the new version, the one that runs goes
    /// on.
    ///
    /// Takes as long as the component takes to compile; records and queries are served meanwhile.
    pub fn reload_plugin(&self, name: &str) -> Result<Vec<ReloadReport>, ReloadError> {
        self.reloader.reload(name)
    }

    /// Looks at the plugins' files as the host does by itself where `plugins.reload.watch` is set and it has a background, and
    /// takes over what changed: a change counts when two looks in a row saw it alike.
    pub fn reload_changed_plugins(&self) -> Vec<Result<ReloadReport, ReloadError>> {
        self.reloader.look()
    }

    /// Records the plugins' own figures as metrics now, as the host does by itself where `plugins.runtime_metrics` says so and
    /// it has a background. Answers the number of samples; 0 after [`Host::close`].
    pub fn record_plugin_metrics(&self) -> usize {
        if self.watch.lock().is_none() { 0 } else { self.metrics.record() }
    }

    /// The last `most` lines of the log of a plugin or receiver with a number above `after`, oldest first, over all its
    /// versions since the host was opened; `None` when there is none of this name.
    pub fn plugin_log(&self, name: &str, after: u64, most: usize) -> Option<Vec<LogLine>> {
        let running = |plugins: &super::LoadedPlugins| {
            plugins.running().find(|plugin| plugin.name() == name).map(|plugin| plugin.log())
        };
        self.plugins.read(running).map(|log| log.after(after, most))
    }
}
