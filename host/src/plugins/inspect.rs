//! Looks at a component without starting it.

use std::path::Path;
use std::sync::Arc;

use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_core::{SystemClock, Timestamp};
use telemetry_sandbox::{LoadError, PluginInfo, Ports, Sandbox, SandboxError, SandboxOptions};

use super::package::PackageError;

/// Why a component could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// The component cannot be used.
    #[error("the component cannot be used")]
    Component(#[from] LoadError),
}

/// What a component is: kind, version, imports, configuration schema. Its `init` is not called, and no host is needed.
pub fn inspect_component(file: &Path) -> Result<PluginInfo, InspectError> {
    Ok(sandbox()?.inspect(file)?)
}

/// The same of bytes that were read from `place` already.
pub(super) fn inspect_bytes(component: &[u8], place: &Path) -> Result<PluginInfo, PackageError> {
    let info = sandbox()?.inspect(component.to_vec());
    info.map_err(|source| PackageError::Component { place: place.to_owned(), source })
}

/// A runtime without a host.
pub(super) fn sandbox() -> Result<Sandbox, SandboxError> {
    let ports = Ports { key_value: Arc::new(NoHost), query: Arc::new(NoHost) };
    Sandbox::new(SandboxOptions::default(), ports, Arc::new(SystemClock::default()))
}

/// There is no host behind an inspection.
struct NoHost;

impl NoHost {
    fn absent() -> PortError {
        PortError::Unsupported("there is no host behind an inspection".to_owned())
    }
}

impl KeyValuePort for NoHost {
    fn get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Err(Self::absent())
    }
    fn write(&self, _: &str, _: &str, _: Option<&[u8]>) -> Result<(), PortError> {
        Err(Self::absent())
    }
}

impl QueryPort for NoHost {
    fn get_metrics(&self, _: &str, _: Timestamp) -> Result<String, PortError> {
        Err(Self::absent())
    }
}
