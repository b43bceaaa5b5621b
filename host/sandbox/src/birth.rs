//! From compiled code to a plugin: instantiated, described, checked against its configuration, initialised.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use telemetry_core::extension::{PluginFailure, SavedState};

use crate::aggregation::{BirthCertificate, PluginAggregations};
use crate::component::Compiled;
use crate::convert::{self, CheckedInfo};
use crate::error::LoadError;
use crate::guest::{Aggregation, Delivery, Export, Monitoring, Validation};
use crate::http::HttpClient;
use crate::inspect::PluginInfo;
use crate::instance::{BirthError, Instance, Template};
use crate::monitor::MonitorRole;
use crate::plugin::{Plugin, PluginShared, Role};
use crate::prepared::InstanceCost;
use crate::schema::Schema;
use crate::sink::SinkRole;
use crate::validator::PluginValidator;
use crate::world::{Contract, PluginKind};

/// A plugin that is about to be born.
pub(crate) struct Birth {
    pub(crate) shared: Arc<PluginShared>,
    pub(crate) compiled: Compiled,
    pub(crate) config: Value,
    pub(crate) http: Option<Arc<HttpClient>>,
    /// What the version before handed over. A monitor gets it when it is started, not before.
    pub(crate) restored: Option<SavedState>,
}

/// An instance that said what it is, and the schema of its configuration: compiled, and as it is written.
struct Described<G: Export> {
    instance: Instance<G>,
    info: CheckedInfo,
    schema: Schema,
    written: Value,
}

impl Birth {
    /// The plugin, ready to be used.
    pub(crate) fn load(self) -> Result<Plugin, LoadError> {
        match self.compiled.kind {
            PluginKind::Validator => self.bear(|template: Template<Validation>, first, _, restored| {
                Ok(Role::Validator(Arc::new(PluginValidator::new(template, first, restored)?)))
            }),
            PluginKind::Aggregator => self.bear(|template: Template<Aggregation>, first, birth, restored| {
                Ok(Role::Aggregator(Arc::new(PluginAggregations::new(template, first, birth, restored)?)))
            }),
            PluginKind::Monitor => self.bear(|template: Template<Monitoring>, first, _, _| {
                Ok(Role::Monitor(Arc::new(MonitorRole::new(template, first)?)))
            }),
            PluginKind::Sink => self.bear(|template: Template<Delivery>, first, _, restored| {
                Ok(Role::Sink(Arc::new(SinkRole::new(template, first, restored))))
            }),
        }
    }

    /// What the plugin says of itself; it is not initialised.
    pub(crate) fn inspect(self) -> Result<PluginInfo, LoadError> {
        match self.compiled.kind {
            PluginKind::Validator => self.described::<Validation>(),
            PluginKind::Aggregator => self.described::<Aggregation>(),
            PluginKind::Monitor => self.described::<Monitoring>(),
            PluginKind::Sink => self.described::<Delivery>(),
        }
    }

    /// What so many instances cost.
    pub(crate) fn costs(self, count: usize) -> Result<Vec<InstanceCost>, LoadError> {
        match self.compiled.kind {
            PluginKind::Validator => self.costs_of::<Validation>(count),
            PluginKind::Aggregator => self.costs_of::<Aggregation>(count),
            PluginKind::Monitor => self.costs_of::<Monitoring>(count),
            PluginKind::Sink => self.costs_of::<Delivery>(count),
        }
    }

    fn costs_of<G: Export>(mut self, count: usize) -> Result<Vec<InstanceCost>, LoadError> {
        let template = self.template::<G>()?;
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            let mut instance = self.born(&template)?;
            let instantiate = start.elapsed();
            template.init(&mut instance, None).map_err(|reason| self.shared.answered(reason))?;
            costs.push(InstanceCost { instantiate, init: start.elapsed().saturating_sub(instantiate) });
        }
        Ok(costs)
    }

    fn born<G: Export>(&self, template: &Template<G>) -> Result<Instance<G>, LoadError> {
        template.born().map_err(|error| match error {
            BirthError::Types(reason) => LoadError::Types { contract: self.compiled.contract, reason },
            BirthError::Failure(reason) => self.shared.answered(reason).into(),
        })
    }

    fn bear<G: Export>(
        mut self,
        role: impl FnOnce(
            Template<G>,
            Instance<G>,
            &BirthCertificate<'_>,
            Option<SavedState>,
        ) -> Result<Role, PluginFailure>,
    ) -> Result<Plugin, LoadError> {
        let template = self.template::<G>()?;
        let Described { instance: mut first, info: described, schema, written } = self.describe(&template)?;
        let config = if self.config.is_null() { &Value::Object(Default::default()) } else { &self.config };
        let faults = schema.faults(config);
        if !faults.is_empty() {
            let faults = faults.iter().map(ToString::to_string).collect();
            return Err(LoadError::Config { faults });
        }
        let restored = self.restored.take();
        template.init(&mut first, restored.as_ref()).map_err(|reason| self.shared.answered(reason))?;
        let certificate = BirthCertificate {
            version: &described.version,
            sha256: &self.compiled.sha256,
            config: &self.config,
        };
        let role = role(template, first, &certificate, restored)?;
        let mut info = self.info(described, written);
        if let Role::Aggregator(aggregations) = &role {
            info.aggregates = aggregations.infos();
        }
        Ok(Plugin::new(self.shared, info, role))
    }

    fn described<G: Export>(mut self) -> Result<PluginInfo, LoadError> {
        let template = self.template::<G>()?;
        let Described { info, written, .. } = self.describe(&template)?;
        Ok(self.info(info, written))
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

    fn describe<G: Export>(&self, template: &Template<G>) -> Result<Described<G>, LoadError> {
        let mut instance = self.born(template)?;
        let info =
            instance.describe().and_then(convert::info).map_err(|reason| self.shared.answered(reason))?;
        let (schema, written) =
            Schema::read(&info.config_schema_json).map_err(|reason| LoadError::Schema { reason })?;
        Ok(Described { instance, info, schema, written })
    }

    fn info(&mut self, described: CheckedInfo, config_schema: Value) -> PluginInfo {
        PluginInfo {
            name: described.name,
            kind: self.compiled.kind,
            contract: self.compiled.contract.as_str(),
            version: described.version,
            description: described.description,
            config_schema,
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
