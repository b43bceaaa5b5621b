//! A sandbox as a host has it, with a cache of compiled code and no host around it.

use std::path::PathBuf;
use std::sync::Arc;

use bridge_telemetry::SystemClock;
use telemetry_core::Timestamp;
use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_sandbox::{Component, Plugin, PluginSpec, Ports, Sandbox, SandboxOptions};

/// A sandbox with a cache in a directory of its own.
pub(crate) struct Laboratory {
    pub(crate) sandbox: Sandbox,
    _folder: tempfile::TempDir,
}

impl Laboratory {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let options = SandboxOptions {
            cache_directory: Some(folder.path().join("cache")),
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::new(options, no_host(), Arc::new(SystemClock::default()))?;
        Ok(Self { sandbox, _folder: folder })
    }

    pub(crate) fn load(&self, component: PathBuf) -> anyhow::Result<Plugin> {
        Ok(self.sandbox.load(spec(component))?)
    }
}

/// A plugin without a configuration.
pub(crate) fn spec(component: PathBuf) -> PluginSpec {
    PluginSpec::new("measured", Component::File(component))
}

/// Ports for plugins that ask for nothing.
pub(crate) fn no_host() -> Ports {
    Ports { key_value: Arc::new(NoHost), query: Arc::new(NoHost) }
}

struct NoHost;

impl KeyValuePort for NoHost {
    fn get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(None)
    }

    fn write(&self, _: &str, _: &str, _: Option<&[u8]>) -> Result<(), PortError> {
        Ok(())
    }
}

impl QueryPort for NoHost {
    fn get_metrics(&self, _: &str, _: Timestamp) -> Result<String, PortError> {
        Err(PortError::Unsupported("there is no host".to_owned()))
    }
}
