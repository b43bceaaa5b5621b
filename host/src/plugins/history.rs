//! What became of one plugin since the host was opened.

use serde::Serialize;

use super::reload::ReloadReport;

/// What became of one plugin, or of one receiver's copy of a sink, since the host was opened.
#[derive(Clone, Debug, Serialize)]
pub struct PluginHistory {
    /// Which version it is since the host was opened, from 1; one that takes its place again has a number of its own.
    pub generation: u64,
    /// Versions that took another's place.
    pub reloads: u64,
    /// Versions that were refused.
    pub reloads_refused: u64,
    /// Versions that were taken back because they failed.
    pub rollbacks: u64,
    /// What became of the last version that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<ReloadReport>,
    /// What is remarkable about its file, or stands in the way of stopping it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_note: Option<String>,
}

impl Default for PluginHistory {
    fn default() -> Self {
        Self {
            generation: 1,
            reloads: 0,
            reloads_refused: 0,
            rollbacks: 0,
            last_reload: None,
            file_note: None,
        }
    }
}
