//! An aggregation plugin as core's `AggregationSource`.
//!
//! A query may hold several accumulators of a function that can be merged in any order, each in an instance of its own.

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use telemetry_core::aggregation::{
    Accumulator, AccumulatorsAtOnce, Aggregation, AggregationError, AggregationSource, StateIdentity,
};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};

use crate::accumulator::PluginAccumulator;
use crate::convert::{self, CheckedAggregate};
use crate::guest::Aggregation as Guest;
use crate::inspect::AggregateInfo;
use crate::instance::{Instance, Template};
use crate::pool::{Lease, Pool};
use crate::splitting::{Pause, Whole};

/// What a plugin was made of, as far as its states may depend on it.
pub(crate) struct BirthCertificate<'a> {
    pub(crate) version: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) config: &'a Value,
}

impl BirthCertificate<'_> {
    /// One line that changes with everything that may change saved states. Configurations may be confidential: of theirs only a
    /// hash is kept.
    fn origin(&self, plugin: &str) -> String {
        let config = match self.config {
            Value::Null => "{}".to_owned(),
            config => config.to_string(),
        };
        let config = format!("{:x}", Sha256::digest(config));
        let config = config.get(..16).unwrap_or_default();
        format!("plugin {plugin} {} component {} config {config}", self.version, self.sha256)
    }
}

/// The aggregate functions of one plugin.
pub(crate) struct PluginAggregations {
    pool: Arc<Pool<Guest>>,
    offered: Vec<Offer>,
    /// See [`StateIdentity::origin`].
    origin: Arc<str>,
}

/// One function that a plugin offers.
struct Offer {
    aggregate: CheckedAggregate,
    /// Whether its queries are split.
    whole: Arc<Whole>,
}

impl PluginAggregations {
    /// Asks an initialised instance what it offers and takes it as the first one of the pool.
    pub(crate) fn new(
        template: Template<Guest>,
        mut first: Instance<Guest>,
        birth: &BirthCertificate<'_>,
        restored: Option<SavedState>,
    ) -> Result<Self, PluginFailure> {
        let plugin = Arc::clone(&template.plugin);
        let offered = first
            .ask(|guest, store| guest.call_aggregates(store))
            .and_then(convert::aggregates)
            .map_err(|reason| plugin.answered(reason))?;
        let instances = plugin.runtime.instances(plugin.limits.instances);
        let origin = birth.origin(&plugin.name).into();
        let offered =
            offered.into_iter().map(|aggregate| Offer { aggregate, whole: Arc::default() }).collect();
        Ok(Self { pool: Arc::new(Pool::new(template, instances, first, restored)), offered, origin })
    }

    /// The state of one of its instances.
    pub(crate) fn snapshot(&self) -> Result<Option<SavedState>, PluginFailure> {
        self.pool.with(Instance::snapshot)
    }

    /// The functions whose queries are not split now, because their states did not get from one instance to another.
    pub(crate) fn unsplit(&self) -> Vec<String> {
        let now = self.pool.plugin().runtime.clock.monotonic();
        let unsplit = self.offered.iter().filter(|offer| offer.whole.is_whole(now));
        unsplit.map(|offer| offer.aggregate.name.clone()).collect()
    }

    /// The functions for people.
    pub(crate) fn infos(&self) -> Vec<AggregateInfo> {
        self.offered.iter().map(|offer| AggregateInfo::of(&offer.aggregate)).collect()
    }
}

impl AggregationSource for PluginAggregations {
    fn names(&self) -> Vec<String> {
        self.offered.iter().map(|offer| offer.aggregate.name.clone()).collect()
    }

    fn find(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
        let named = |offer: &&Offer| offer.aggregate.name.eq_ignore_ascii_case(name);
        let Offer { aggregate, whole } = self.offered.iter().find(named)?;
        let canonical = StateIdentity::canonical(parameters);
        let parameters = Value::Object(parameters.clone());
        let faults = aggregate.parameters.faults(&parameters);
        if !faults.is_empty() {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let reason = Some(faults.join("; "));
            return Some(Err(AggregationError::Unsupported { name: name.to_owned(), reason }));
        }
        Some(Ok(Arc::new(PluginAggregation {
            pool: Arc::clone(&self.pool),
            name: aggregate.name.clone(),
            parameters: parameters.to_string(),
            mergeable: aggregate.mergeable,
            needs_timestamps: aggregate.needs_timestamps,
            whole: Arc::clone(whole),
            canonical,
            origin: Arc::clone(&self.origin),
        })))
    }
}

/// One aggregate function with its parameters bound.
struct PluginAggregation {
    pool: Arc<Pool<Guest>>,
    name: String,
    parameters: String,
    mergeable: bool,
    needs_timestamps: bool,
    /// See [`Offer::whole`].
    whole: Arc<Whole>,
    canonical: String,
    origin: Arc<str>,
}

impl Aggregation for PluginAggregation {
    fn name(&self) -> &str {
        &self.name
    }

    fn mergeable(&self) -> bool {
        self.mergeable
    }

    fn needs_timestamps(&self) -> bool {
        self.needs_timestamps
    }

    /// An instance each; one alone where times matter, since the samples of all series are then in one order.
    fn accumulators_at_once(&self) -> AccumulatorsAtOnce {
        let now = self.pool.plugin().runtime.clock.monotonic();
        if self.mergeable && !self.needs_timestamps && !self.whole.is_whole(now) {
            AccumulatorsAtOnce::PerThread(self.pool.max())
        } else {
            AccumulatorsAtOnce::ONE
        }
    }

    fn handing_over_failed(&self, error: &AggregationError) {
        let (plugin, aggregate) = (self.pool.plugin(), self.name.as_str());
        let news = self.whole.note(error, plugin.runtime.clock.monotonic());
        // After that: nobody begins to split it while this is charged.
        plugin.settle_handing_over();
        let Some(pause) = news else { return };
        let remark = match pause {
            Pause::ForGood => {
                format!("the states of {aggregate} do not merge, its queries are not split any more: {error}")
            }
            Pause::For(time) => {
                format!(
                    "states of {aggregate} did not merge, its queries are not split for {time:?}: {error}"
                )
            }
        };
        plugin.log.remark(tracing::Level::WARN, &remark);
        if !plugin.log.is_silent() {
            let plugin = &*plugin.name;
            tracing::warn!(plugin, aggregate, "{remark}");
        }
    }

    /// None where times matter: the states of a bucket would have to be merged in order.
    fn state_identity(&self) -> Option<StateIdentity> {
        (self.mergeable && !self.needs_timestamps).then(|| StateIdentity {
            function: self.name.clone(),
            parameters: self.canonical.clone(),
            origin: self.origin.to_string(),
        })
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        self.begin(self.pool.lease()?)
    }

    fn spare_accumulator(&self) -> Result<Option<Box<dyn Accumulator>>, AggregationError> {
        self.pool.spare().map(|lease| self.begin(lease)).transpose()
    }
}

impl PluginAggregation {
    /// An accumulator in this instance.
    fn begin(&self, mut lease: Lease<Guest>) -> Result<Box<dyn Accumulator>, AggregationError> {
        let plugin = self.pool.plugin();
        let (deadline, now) = (plugin.limits.deadline(), plugin.runtime.clock.now());
        let created = lease.call(|instance| {
            instance
                .call(deadline, now, |guest, store| guest.call_create(store, &self.name, &self.parameters))
        });
        match created {
            Ok(resource) => {
                let name = self.name.clone();
                Ok(Box::new(PluginAccumulator::new(name, lease, resource, self.needs_timestamps, now)))
            }
            Err(failure) => {
                if lease.is_alive() {
                    lease.give_back();
                }
                Err(refused_parameters(&self.name, failure))
            }
        }
    }
}

/// A plugin's own objection to the parameters is the caller's to mend.
fn refused_parameters(name: &str, failure: PluginFailure) -> AggregationError {
    match failure.reason {
        FailureReason::Unsupported(reason) | FailureReason::Config(reason) => {
            AggregationError::Unsupported { name: name.to_owned(), reason: Some(reason) }
        }
        _ => failure.into(),
    }
}
