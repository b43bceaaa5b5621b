//! A plugin that is compiled and checked, of which nothing runs yet: it can be tried before it is loaded.
//!
//! Invariant: what a trial does (log, counts, key-value, HTTP) goes nowhere.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemetry_core::extension::SavedState;

use crate::birth::Birth;
use crate::component::Compiled;
use crate::error::LoadError;
use crate::grants::{Grants, Secrets};
use crate::http::HttpClient;
use crate::inspect::PluginInfo;
use crate::limits::PluginLimits;
use crate::log_ring::LogRing;
use crate::plugin::{Lineage, Plugin, PluginShared};
use crate::runtime::Runtime;
use crate::spec::{PluginSpec, Ports, SandboxOptions};
use crate::trial::TrialKeyValue;
use crate::world::PluginKind;

/// What one more instance of a plugin costs.
#[derive(Clone, Copy, Debug)]
pub struct InstanceCost {
    /// Its store, memories and typed exports.
    pub instantiate: Duration,
    /// The plugin's own initialisation.
    pub init: Duration,
}

/// A plugin of which nothing runs yet.
pub struct PreparedPlugin {
    runtime: Arc<Runtime>,
    name: String,
    config: Value,
    limits: PluginLimits,
    compiled: Compiled,
    http: Option<Arc<HttpClient>>,
}

impl PreparedPlugin {
    pub(crate) fn of(spec: PluginSpec, runtime: &Arc<Runtime>) -> Result<Self, LoadError> {
        let PluginSpec { name, component, config, limits, grants, secrets } = spec;
        let compiled = Compiled::of(component, runtime)?;
        let http = http_client(compiled.kind, &grants, secrets, &runtime.options)?;
        Ok(Self { runtime: Arc::clone(runtime), name, config, limits, compiled, http })
    }

    /// Its kind.
    pub fn kind(&self) -> PluginKind {
        self.compiled.kind
    }

    /// SHA-256 of its component, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.compiled.sha256
    }

    /// What it says of itself; it is not initialised.
    pub fn inspect(&self) -> Result<PluginInfo, LoadError> {
        let (runtime, ports) = (Arc::clone(&self.runtime), self.runtime.ports.clone());
        let shared = PluginShared::new(&self.name, self.limits.clone(), ports, runtime, Arc::default(), None);
        self.birth(shared, None, None).inspect()
    }

    /// What so many instances cost, made one after the other: for benchmarks. What they do goes nowhere.
    pub fn instance_costs(&self, count: usize) -> Result<Vec<InstanceCost>, LoadError> {
        let (runtime, ports) = (Arc::clone(&self.runtime), self.runtime.ports.clone());
        let shared = PluginShared::new(&self.name, self.limits.clone(), ports, runtime, Arc::default(), None);
        self.birth(shared, None, None).costs(count)
    }

    /// Initialises it.
    pub fn load(&self) -> Result<Plugin, LoadError> {
        self.bear(Lineage::default(), None)
    }

    /// Initialises it where another was stopped, whose log it continues; its counts are its own.
    pub fn load_after(&self, log: Arc<LogRing>) -> Result<Plugin, LoadError> {
        self.bear(Lineage { log, ..Lineage::default() }, None)
    }

    /// Initialises it as the next version of `before`, whose log and counts it continues, with what that one handed over.
    pub fn succeed(&self, before: &Plugin, restored: Option<SavedState>) -> Result<Plugin, LoadError> {
        self.bear(before.lineage(), restored)
    }

    /// A copy to be tried: it reads what the real one would read, and whatever it does is forgotten.
    pub fn trial(&self, restored: Option<SavedState>) -> Result<Plugin, LoadError> {
        let real = &self.runtime.ports;
        let ports = Ports {
            key_value: Arc::new(TrialKeyValue::over(Arc::clone(&real.key_value))),
            query: Arc::clone(&real.query),
        };
        let runtime = Arc::clone(&self.runtime);
        let shared = PluginShared::new(&self.name, self.limits.clone(), ports, runtime, Arc::default(), None);
        self.birth(shared, None, restored).load()
    }

    fn bear(&self, lineage: Lineage, restored: Option<SavedState>) -> Result<Plugin, LoadError> {
        let Lineage { log, meters } = lineage;
        let (runtime, ports) = (Arc::clone(&self.runtime), self.runtime.ports.clone());
        let shared = PluginShared::new(
            &self.name,
            self.limits.clone(),
            ports,
            runtime,
            meters,
            Some::<Arc<LogRing>>(log),
        );
        self.birth(shared, self.http.clone(), restored).load()
    }

    fn birth(
        &self,
        shared: PluginShared,
        http: Option<Arc<HttpClient>>,
        restored: Option<SavedState>,
    ) -> Birth {
        let (compiled, config) = (self.compiled.clone(), self.config.clone());
        Birth { shared: Arc::new(shared), compiled, config, http, restored }
    }
}

impl std::fmt::Debug for PreparedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedPlugin")
            .field("name", &self.name)
            .field("sha256", &self.compiled.sha256)
            .finish_non_exhaustive()
    }
}

/// Only sinks have HTTP; a grant to another kind is a mistake that must not go unnoticed.
fn http_client(
    kind: PluginKind,
    grants: &Grants,
    secrets: Secrets,
    options: &SandboxOptions,
) -> Result<Option<Arc<HttpClient>>, LoadError> {
    if kind == PluginKind::Sink {
        return HttpClient::new(grants, secrets, options.http.clone(), options.names.clone())
            .map(|client| Some(Arc::new(client)));
    }
    if *grants == Grants::default() {
        return Ok(None);
    }
    Err(LoadError::Grant {
        grant: "http, private_addresses, secrets".to_owned(),
        reason: format!("the plugin is a {kind}, and only a sink can reach out"),
    })
}
