//! The sandbox: loads plugins.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use telemetry_core::Clock;
use telemetry_core::extension::PluginFailure;

use crate::aggregation::{BirthCertificate, PluginAggregations};
use crate::component::{self, Compiled, ComponentOutline};
use crate::config_schema::Schema;
use crate::convert::{self, CheckedInfo};
use crate::error::{LoadError, SandboxError};
use crate::grants::{Grants, Secrets};
use crate::guest::{Aggregation, Delivery, Export, Monitoring, Validation};
use crate::http::HttpClient;
use crate::inspect::PluginInfo;
use crate::instance::{BirthError, Instance, Template};
use crate::limits::PluginLimits;
use crate::monitor::MonitorRole;
use crate::plugin::{Plugin, PluginShared, Role};
use crate::runtime::Runtime;
use crate::sink::SinkRole;
use crate::spec::{Component, PluginSpec, Ports, SandboxOptions};
use crate::validator::PluginValidator;
use crate::world::{Contract, PluginKind, WorldError};

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
        let compiled = Compiled::of(spec.component, &self.runtime)?;
        let http = http_client(compiled.kind, &spec.grants, spec.secrets, &self.runtime.options)?;
        let shared = Arc::new(PluginShared::new(&spec.name, spec.limits, Arc::clone(&self.runtime)));
        let birth = Birth { shared, compiled, config: spec.config, http };
        match birth.compiled.kind {
            PluginKind::Validator => birth.load(|template: Template<Validation>, first, _| {
                Ok(Role::Validator(Arc::new(PluginValidator::new(template, first)?)))
            }),
            PluginKind::Aggregator => birth.load(|template: Template<Aggregation>, first, birth| {
                Ok(Role::Aggregator(Arc::new(PluginAggregations::new(template, first, birth)?)))
            }),
            PluginKind::Monitor => birth.load(|template: Template<Monitoring>, first, _| {
                Ok(Role::Monitor(Arc::new(MonitorRole::new(template, first)?)))
            }),
            PluginKind::Sink => birth.load(|template: Template<Delivery>, first, _| {
                Ok(Role::Sink(Arc::new(SinkRole::new(template, first))))
            }),
        }
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
        let shared = Arc::new(PluginShared::new(&name, PluginLimits::default(), Arc::clone(&self.runtime)));
        let birth = Birth { shared, compiled, config: Value::Null, http: None };
        match birth.compiled.kind {
            PluginKind::Validator => birth.inspect::<Validation>(),
            PluginKind::Aggregator => birth.inspect::<Aggregation>(),
            PluginKind::Monitor => birth.inspect::<Monitoring>(),
            PluginKind::Sink => birth.inspect::<Delivery>(),
        }
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("options", &self.runtime.options).finish_non_exhaustive()
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
        return HttpClient::new(grants, secrets, options.http.clone()).map(|client| Some(Arc::new(client)));
    }
    if *grants == Grants::default() {
        return Ok(None);
    }
    Err(LoadError::Grant {
        grant: "http, private_addresses, secrets".to_owned(),
        reason: format!("the plugin is a {kind}, and only a sink can reach out"),
    })
}

/// A plugin that is about to be born.
struct Birth {
    shared: Arc<PluginShared>,
    compiled: Compiled,
    config: Value,
    http: Option<Arc<HttpClient>>,
}

impl Birth {
    fn load<G: Export>(
        mut self,
        role: impl FnOnce(Template<G>, Instance<G>, &BirthCertificate<'_>) -> Result<Role, PluginFailure>,
    ) -> Result<Plugin, LoadError> {
        let template = self.template::<G>()?;
        let (mut first, described, schema) = self.describe(&template)?;
        let config = if self.config.is_null() { &Value::Object(Default::default()) } else { &self.config };
        let faults = schema.faults(config);
        if !faults.is_empty() {
            return Err(LoadError::Config { faults });
        }
        template.init(&mut first, None).map_err(|reason| self.shared.answered(reason))?;
        let certificate = BirthCertificate {
            version: &described.version,
            sha256: &self.compiled.sha256,
            config: &self.config,
        };
        let role = role(template, first, &certificate)?;
        let mut info = self.info(described, schema);
        if let Role::Aggregator(aggregations) = &role {
            info.aggregates = aggregations.infos();
        }
        Ok(Plugin::new(self.shared, info, role))
    }

    fn inspect<G: Export>(mut self) -> Result<PluginInfo, LoadError> {
        let template = self.template::<G>()?;
        let (_, described, schema) = self.describe(&template)?;
        Ok(self.info(described, schema))
    }

    fn template<G: Export>(&mut self) -> Result<Template<G>, LoadError> {
        let Compiled { kind, contract, .. } = self.compiled;
        let linker = self.shared.runtime.linker(kind, contract);
        let types = |error: wasmtime::Error| types(contract, &error);
        let pre = linker.instantiate_pre(&self.compiled.component).map_err(types)?;
        let config = if self.config.is_null() { "{}".to_owned() } else { self.config.to_string() };
        Template::new(Arc::clone(&self.shared), (kind, contract), pre, config, self.http.take())
            .map_err(types)
    }

    fn describe<G: Export>(
        &self,
        template: &Template<G>,
    ) -> Result<(Instance<G>, CheckedInfo, Schema), LoadError> {
        let mut instance = template.born().map_err(|error| match error {
            BirthError::Types(reason) => LoadError::Types { contract: self.compiled.contract, reason },
            BirthError::Failure(reason) => self.shared.answered(reason).into(),
        })?;
        let described =
            instance.describe().and_then(convert::info).map_err(|reason| self.shared.answered(reason))?;
        let schema =
            Schema::parse(&described.config_schema_json).map_err(|reason| LoadError::Schema { reason })?;
        Ok((instance, described, schema))
    }

    fn info(&mut self, described: CheckedInfo, schema: Schema) -> PluginInfo {
        PluginInfo {
            name: described.name,
            kind: self.compiled.kind,
            contract: self.compiled.contract.as_str(),
            version: described.version,
            description: described.description,
            config_schema: schema.text,
            imports: std::mem::take(&mut self.compiled.imports),
            sha256: std::mem::take(&mut self.compiled.sha256),
            component_bytes: self.compiled.bytes,
            aggregates: Vec::new(),
        }
    }
}

fn types(contract: Contract, error: &wasmtime::Error) -> LoadError {
    LoadError::Types { contract, reason: format!("{error:#}") }
}
