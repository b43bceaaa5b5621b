//! What a program asks a host about its plugins.

use telemetry_core::ErrorCode;
use telemetry_sandbox::LogLine;

use super::reload::{PluginSwitch, ReloadError, ReloadReport, SwitchError};
use crate::envelope::EnvelopeError;
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

    /// Disables a plugin, or a sink with every receiver's copy of it, until it is enabled again: that is noted beside the plugins as
    /// by `bridge-telemetry plugin disable`, outlives the host, and stops it at once. Calls that are under way finish. Records are
    /// judged without a validator from then on, queries do not find a function, a monitor's alerts are resolved and its place in
    /// the log is forgotten as if it had been removed, and deliveries wait for a sink.
    ///
    /// What `plugins.settings` calls required cannot be disabled, nor can anything where there is no `plugins.directory` to note it
    /// in. A monitor that takes too long to come to an end, as one does from a callback on its own thread, is stopped later, by the
    /// host's look at the plugins.
    pub fn disable_plugin(&self, name: &str) -> Result<PluginSwitch, SwitchError> {
        self.reported(self.reloader.disable(name))
    }

    /// Enables a plugin that was disabled, and loads it: it is checked, compiled and tried on recent records as at a reload. A monitor
    /// begins at the end of the log; what waits for a sink is delivered. Where it cannot be loaded, it stays enabled, and health says
    /// why it is not there.
    pub fn enable_plugin(&self, name: &str) -> Result<PluginSwitch, SwitchError> {
        self.reported(self.reloader.enable(name))
    }

    /// Reports what is neither the caller's fault nor the plugin's.
    fn reported(&self, switched: Result<PluginSwitch, SwitchError>) -> Result<PluginSwitch, SwitchError> {
        if let Err(error) = &switched
            && let code @ (ErrorCode::StorageFailure | ErrorCode::RetrievalFailure | ErrorCode::IoError) =
                error.code()
        {
            self.report_fault(code, error);
        }
        switched
    }

    /// Looks at the plugins' files as the host does by itself where `plugins.reload.watch` is set and it has a background: stops what
    /// was disabled or removed by command, and takes over what changed, which counts when two looks in a row saw it alike.
    pub fn reload_changed_plugins(&self) -> Vec<Result<ReloadReport, ReloadError>> {
        self.reloader.look()
    }

    /// Records the plugins' own figures as metrics now, as the host does by itself where `plugins.runtime_metrics` says so and
    /// it has a background. Answers the number of samples; 0 after [`Host::close`].
    pub fn record_plugin_metrics(&self) -> usize {
        if self.watch.lock().is_none() { 0 } else { self.metrics.record() }
    }

    /// The last `most` lines of the log of a plugin or receiver with a number above `after`, oldest first, over all its
    /// versions since the host was opened; of one that was disabled or removed too. `None` when there is none of this name.
    pub fn plugin_log(&self, name: &str, after: u64, most: usize) -> Option<Vec<LogLine>> {
        let log = |plugins: &super::LoadedPlugins| {
            let running = plugins.running().find(|plugin| plugin.name() == name);
            running.map(|plugin| plugin.log()).or_else(|| plugins.logs.get(name).cloned())
        };
        self.plugins.read(log).map(|log| log.after(after, most))
    }
}
