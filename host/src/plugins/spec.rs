//! From the configuration's plugin settings and the effective grants to what the sandbox takes.

use telemetry_sandbox::{Component, Grants, PluginLimits, PluginSpec, Secrets};

use crate::config;
use crate::config::{PluginSettings, ReceiverConfig, SecretError};

/// A plugin under its own name.
pub(super) fn plugin_spec(
    name: &str,
    component: Vec<u8>,
    settings: &PluginSettings,
    grants: &config::Grants,
) -> Result<PluginSpec, SecretError> {
    assemble(name, component, settings.config.to_value(), &settings.limits, grants)
}

/// A sink plugin's copy for one receiver: the receiver's settings go over the plugin's.
pub(super) fn receiver_spec(
    name: &str,
    component: Vec<u8>,
    settings: &PluginSettings,
    receiver: &ReceiverConfig,
    grants: &config::Grants,
) -> Result<PluginSpec, SecretError> {
    let config = receiver_config(settings, receiver);
    let limits = receiver.limits.as_ref().unwrap_or(&settings.limits);
    assemble(name, component, config.into(), limits, grants)
}

/// What a receiver's copy is configured with: the receiver's keys go over the plugin's.
pub(crate) fn receiver_config(
    settings: &PluginSettings,
    receiver: &ReceiverConfig,
) -> serde_json::Map<String, serde_json::Value> {
    let mut config = settings.config.0.clone();
    config.extend(receiver.config.0.clone());
    config
}

fn assemble(
    name: &str,
    component: Vec<u8>,
    config: serde_json::Value,
    limits: &config::PluginLimits,
    grants: &config::Grants,
) -> Result<PluginSpec, SecretError> {
    let mut spec = PluginSpec::new(name, Component::Bytes(component)).with_config(config);
    spec.limits = PluginLimits {
        deadline_ms: limits.deadline_ms,
        memory_bytes: limits.memory_bytes.0,
        recycle_bytes: limits.recycle_bytes.map(|bytes| bytes.0),
        output_bytes: limits.output_bytes.0,
        instances: limits.instances,
        wait_ms: limits.wait_ms,
        log_lines_per_second: limits.log_lines_per_second,
    };
    spec.grants = Grants {
        http: grants.http.clone(),
        private_addresses: grants.allow_private,
        secrets: grants.secrets.keys().cloned().collect(),
    };
    let secrets = (grants.secrets.iter())
        .map(|(name, source)| Ok((name.clone(), source.read()?.expose().to_owned())))
        .collect::<Result<Vec<_>, SecretError>>()?;
    spec.secrets = Secrets::from_iter(secrets);
    Ok(spec)
}
