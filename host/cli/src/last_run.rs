//! `DIR/run.json`: with which configuration file and plugin folder a host last ran on this data directory. A command that opens
//! the store itself takes the same ones: what it records meets the same validators, and what it shows has the same aggregations.
//! The environment is not noted.

use std::path::{Path, PathBuf};

use bridge_telemetry::config::Config;
use serde::{Deserialize, Serialize};

use crate::arguments::Shared;

/// The file's name.
pub(crate) const LAST_RUN: &str = "run.json";

/// The content of the file: absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastRun {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// The plugin folder.
    pub(crate) plugins: Option<PathBuf>,
}

impl LastRun {
    /// What a run with these flags has, of which this configuration came.
    pub(crate) fn of(shared: &Shared, config: &Config) -> std::io::Result<Self> {
        let absolute = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
        Ok(Self { config: absolute(&shared.config)?, plugins: absolute(&config.plugins.directory)? })
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.config.is_none() && self.plugins.is_none()
    }

    /// What the file says; nothing when there is none that can be read.
    pub(crate) fn read(directory: &Path) -> Self {
        let text = std::fs::read(path(directory)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Writes the file whole: beside it first, then renamed.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let beside = directory.join(format!("{LAST_RUN}.{}", std::process::id()));
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(&beside, path(directory))
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(LAST_RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_come_back() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(LastRun::read(directory.path()), LastRun::default());
        let shared = Shared { data: None, config: None, plugins: None, json: false };
        let config = serde_json::json!({"plugins": {"directory": "some/plugins"}});
        let run = LastRun::of(&shared, &Config::from_value(config).unwrap()).unwrap();
        assert!(!run.is_empty() && LastRun::default().is_empty());
        run.write(directory.path()).unwrap();
        let read = LastRun::read(directory.path());
        assert_eq!(read, run);
        assert!(read.plugins.unwrap().is_absolute() && read.config.is_none());
        std::fs::write(path(directory.path()), "{").unwrap();
        assert_eq!(LastRun::read(directory.path()), LastRun::default());
    }
}
