//! Looks at a component without starting it.

use std::path::Path;
use std::sync::Arc;

use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_core::{SystemClock, Timestamp};
use telemetry_sandbox::{LoadError, PluginInfo, Ports, Sandbox, SandboxError, SandboxOptions};

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
    let ports = Ports { key_value: Arc::new(NoHost), query: Arc::new(NoHost) };
    let sandbox = Sandbox::new(SandboxOptions::default(), ports, Arc::new(SystemClock::default()))?;
    Ok(sandbox.inspect(file)?)
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
