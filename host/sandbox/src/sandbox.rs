//! The sandbox: loads plugins.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use telemetry_core::Clock;

use crate::birth::Birth;
use crate::component::{self, Compiled, ComponentOutline};
use crate::error::{LoadError, SandboxError};

use crate::inspect::PluginInfo;

use crate::limits::PluginLimits;
use crate::plugin::{Plugin, PluginShared};
use crate::prepared::PreparedPlugin;
use crate::runtime::Runtime;
use crate::spec::{Component, PluginSpec, Ports, SandboxOptions};
use crate::world::WorldError;

/// The plugin runtime. One per host; its plugins outlive it.
pub struct Sandbox {
    runtime: Arc<Runtime>,
}

impl Sandbox {
    /// A runtime without plugins.
    pub fn new(options: SandboxOptions, ports: Ports, clock: Arc<dyn Clock>) -> Result<Self, SandboxError> {
        Ok(Self { runtime: Arc::new(Runtime::new(options, ports, clock)?) })
    }

    /// Loads a plugin: compiles it or takes it from the cache, checks its world, its configuration and its grants, and
    /// initialises it.
    pub fn load(&self, spec: PluginSpec) -> Result<Plugin, LoadError> {
        self.prepare(spec)?.load()
    }

    /// Does of [`Self::load`] what takes long: nothing of the plugin runs yet.
    pub fn prepare(&self, spec: PluginSpec) -> Result<PreparedPlugin, LoadError> {
        PreparedPlugin::of(spec, &self.runtime)
    }

    /// What a component is, as far as its bytes tell: cheap, and nothing of it runs.
    pub fn outline(&self, component: impl Into<Component>) -> Result<ComponentOutline, LoadError> {
        ComponentOutline::of(component.into(), &self.runtime)
    }

    /// All that keeps a component from being a plugin of this host: every undeclared import by name, with the remedy. Cheap, and
    /// nothing of it runs.
    pub fn world_faults(&self, path: &Path) -> Result<Vec<WorldError>, LoadError> {
        component::world_faults(path, &self.runtime)
    }

    /// What a component is. It is described, never initialised.
    pub fn inspect(&self, component: impl Into<Component>) -> Result<PluginInfo, LoadError> {
        let component = component.into();
        let name = match &component {
            Component::File(path) => path.file_stem().map(|name| name.to_string_lossy().into_owned()),
            Component::Bytes(_) => None,
        };
        let name = name.unwrap_or_else(|| "a component".to_owned());
        let compiled = Compiled::of(component, &self.runtime)?;
        let (limits, ports) = (PluginLimits::default(), self.runtime.ports.clone());
        let shared = PluginShared::new(
            &name,
            limits,
            ports,
            Arc::clone(&self.runtime),
            Arc::default(),
            Some(Arc::default()),
        );
        Birth { shared: Arc::new(shared), compiled, config: Value::Null, http: None, restored: None }
            .inspect()
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("options", &self.runtime.options).finish_non_exhaustive()
    }
}
