//! Switches plugins off and on, on the disk and in the running host at once.

use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::{Map, Value, json};
use telemetry_core::{ErrorCode, limits};

use super::Reloader;
use super::error::ReloadError;
use super::report::{ReloadReport, ReloadTrigger};
use super::stopping::Stop;
use crate::envelope::{EnvelopeError, exception_details};
use crate::plugins::package::{self, LockError, PackageError};
use crate::plugins::source::PluginSource;

/// What became of switching a plugin off or on.
#[derive(Clone, Debug, Serialize)]
pub struct PluginSwitch {
    /// Whether it was noted otherwise before.
    pub changed: bool,
    /// What became of each copy: the plugin itself, or every receiver's copy of a sink.
    pub reloads: Vec<ReloadReport>,
}

/// A plugin was not switched off or on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwitchError {
    /// It cannot be noted; nothing was changed.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It is noted, and the host could not follow yet.
    #[error(transparent)]
    Plugin(Box<ReloadError>),
}

impl From<ReloadError> for SwitchError {
    fn from(error: ReloadError) -> Self {
        Self::Plugin(Box::new(error))
    }
}

impl Reloader {
    /// Notes that a plugin is disabled, and stops what runs of it.
    pub(crate) fn disable(&self, name: &str) -> Result<PluginSwitch, SwitchError> {
        let mut work = self.work.lock();
        self.check_open()?;
        let changed = package::disable(&self.parts.config.plugins, name)?;
        let outcomes = self.stop_component(name, Stop::Disabled, ReloadTrigger::Request, &mut work);
        let reloads = outcomes.into_iter().collect::<Result<_, _>>()?;
        Ok(PluginSwitch { changed, reloads })
    }

    /// Notes that a plugin is enabled, and loads it.
    pub(crate) fn enable(&self, name: &str) -> Result<PluginSwitch, SwitchError> {
        let mut work = self.work.lock();
        self.check_open()?;
        let changed = package::enable(&self.parts.config.plugins, name)?;
        let (mut reloads, mut refusal) = (Vec::new(), None);
        let mut wanted = self.wanted(name);
        if wanted.is_empty() {
            // Settings name a component that is not there: that is told.
            wanted.push(PluginSource::plugin(name));
        }
        for source in &wanted {
            match self.start_again(source, ReloadTrigger::Request, &mut work) {
                Some(Ok(report)) => reloads.push(report),
                Some(Err(error)) => {
                    refusal.get_or_insert(error);
                }
                None => {}
            }
        }
        refusal.map_or(Ok(PluginSwitch { changed, reloads }), |error| Err(error.into()))
    }

    fn check_open(&self) -> Result<(), ReloadError> {
        if self.closed.load(Ordering::Acquire) { Err(ReloadError::Closed) } else { Ok(()) }
    }
}

impl EnvelopeError for SwitchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Package(PackageError::Lock(LockError::Busy { .. })) => ErrorCode::Overloaded,
            // The configuration forbids what was asked for.
            Self::Package(PackageError::Configured { .. }) => ErrorCode::InvalidQuery,
            Self::Package(error) => error.code(),
            Self::Plugin(error) => error.code(),
        }
    }

    fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Package(PackageError::Lock(LockError::Busy { .. })) => {
                let millis = u64::try_from(limits::OVERLOAD_RETRY.as_millis()).unwrap_or(u64::MAX);
                json!({"retry_after_ms": millis})
            }
            Self::Package(PackageError::Configured { name, key, .. }) => json!({"plugin": name, "key": key}),
            Self::Package(PackageError::Unknown { name, .. }) => json!({"plugin": name}),
            Self::Package(error) => return exception_details(error.kind(), "the folder of plugins"),
            Self::Plugin(error) => return error.details(),
        };
        details.as_object().cloned().unwrap_or_default()
    }
}
