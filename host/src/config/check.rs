//! What no single value shows: relations between keys, names that must be defined, limits with units.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use telemetry_core::limits;
use url::Url;

use super::alerting::AlertingConfig;
use super::grant::{Grants, SecretSource};
use super::limits::PluginLimits;
use super::logger::LoggerConfig;
use super::loops::LoopConfig;
use super::path::KeyPath;
use super::plugin::{PluginConfig, PluginsConfig};
use super::quantity::ByteCount;
use super::rollup;
use super::root::Config;
use super::server::ServerConfig;
use super::storage::{Backend, StorageConfig};
use super::trust::PluginPolicy;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The shortest interval of what the host does by itself.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Faults found so far.
#[derive(Default)]
struct Findings(Vec<(KeyPath, String)>);

/// All that is wrong with a configuration whose values are well-formed, in the order of the document.
pub(super) fn faults(config: &Config) -> Vec<(KeyPath, String)> {
    let mut findings = Findings::default();
    check_logger(&config.logger_config, &mut findings);
    check_storage(&config.storage_config, &mut findings);
    check_loops(&config.loops, &mut findings);
    check_plugins(&config.plugins, &mut findings);
    check_alerting(&config.alerting, &config.plugins, &mut findings);
    findings.0.extend(rollup::faults(&config.rollups, &config.plugins));
    check_server(&config.server, &mut findings);
    findings.0
}

impl Findings {
    fn add(&mut self, path: KeyPath, message: impl Into<String>) {
        self.0.push((path, message.into()));
    }

    fn size(&mut self, path: KeyPath, size: ByteCount, least: u64, most: u64) {
        if size.bytes() < least {
            self.add(path, format!("must be at least {}, it is {size}", ByteCount(least)));
        } else if size.bytes() > most {
            self.add(path, format!("must be at most {}, it is {size}", ByteCount(most)));
        }
    }

    fn not_empty(&mut self, path: KeyPath, text: &Path) {
        if text.as_os_str().is_empty() {
            self.add(path, "must not be empty");
        }
    }

    /// Names of plugins, receivers and secrets: they stand in paths of the API, in logs and in environment variables.
    fn name(&mut self, path: &KeyPath, name: &str) {
        if let Err(message) = check_name(name) {
            self.add(path.clone(), message);
        }
    }
}

/// Whether a plugin, receiver or secret can be called so.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > limits::MAX_CONFIGURED_NAME_BYTES {
        Err(format!("a name must have 1 to {} bytes", limits::MAX_CONFIGURED_NAME_BYTES))
    } else if !name.chars().all(good) || name.starts_with('.') {
        Err("a name consists of letters a to z, digits, '-', '_' and '.'".to_owned())
    } else {
        Ok(())
    }
}

fn check_logger(config: &LoggerConfig, findings: &mut Findings) {
    let path = KeyPath::of(["logger_config"]);
    findings.not_empty(path.key("log_path"), &config.log_path);
    findings.size(path.key("max_log_size"), config.max_log_size, limits::MIN_LOG_FILE_BYTES, u64::MAX);
}

fn check_storage(config: &StorageConfig, findings: &mut Findings) {
    let path = KeyPath::of(["storage_config"]);
    if config.backend == Backend::TimeseriesDb {
        findings.not_empty(path.key("connection_string"), &config.connection_string);
    }
    if let Some(size) = config.max_bytes {
        findings.size(path.key("max_bytes"), size, 64 * MIB, u64::MAX);
    }
    findings.size(path.key("memory_bytes"), config.memory_bytes, 16 * MIB, u64::MAX);
    findings.size(path.key("max_log_bytes"), config.max_log_bytes, 16 * MIB, u64::MAX);
    if config.max_series_per_metric > config.max_series {
        let message = format!("must not be above max_series, which is {}", config.max_series);
        findings.add(path.key("max_series_per_metric"), message);
    }
}

fn check_loops(config: &LoopConfig, findings: &mut Findings) {
    let path = KeyPath::of(["loop"]);
    if config.threshold > config.window {
        let message =
            format!("must not be above window, which is {}: a loop would never be found", config.window);
        findings.add(path.key("threshold"), message);
    }
    for (index, pattern) in config.exempt_event_types.iter().enumerate() {
        if pattern.trim().is_empty() {
            findings.add(path.key("exempt_event_types").index(index), "must not be empty");
        }
    }
}

fn check_plugins(config: &PluginsConfig, findings: &mut Findings) {
    let path = KeyPath::of(["plugins"]);
    for key in ["directory", "cache_directory"] {
        let value = if key == "directory" { &config.directory } else { &config.cache_directory };
        if let Some(directory) = value {
            findings.not_empty(path.key(key), directory);
        }
    }
    let keys = path.key("trusted_keys");
    if config.policy == PluginPolicy::Signed && config.trusted_keys.is_empty() {
        findings.add(keys.clone(), "must name at least one key, with the policy \"signed\"");
    }
    if config.trusted_keys.len() > limits::MAX_TRUSTED_KEYS {
        findings.add(keys.clone(), format!("must be at most {}", limits::MAX_TRUSTED_KEYS));
    }
    for name in config.trusted_keys.keys() {
        findings.name(&keys.key(name), name);
    }
    for (key, interval) in
        [("reload", config.reload.interval), ("runtime_metrics", config.runtime_metrics.interval)]
    {
        if interval.duration() < MIN_INTERVAL {
            findings.add(path.key(key).key("interval"), "must be at least 100ms");
        }
    }
    for (name, settings) in &config.settings {
        let path = path.key("settings").key(name);
        findings.name(&path, name);
        if let Some(component) = &settings.component {
            findings.not_empty(path.key("component"), component);
        }
        check_plugin_config(&settings.config, &path, findings);
        check_limits(&settings.limits, &path.key("limits"), findings);
        check_grants(&settings.grants, &path.key("grants"), findings);
    }
}

fn check_plugin_config(config: &PluginConfig, path: &KeyPath, findings: &mut Findings) {
    let size = config.to_value().to_string().len();
    if size > limits::MAX_PLUGIN_CONFIG_BYTES {
        let message = format!("has {size} bytes as JSON, the limit is {}", limits::MAX_PLUGIN_CONFIG_BYTES);
        findings.add(path.key("config"), message);
    }
}

fn check_limits(config: &PluginLimits, path: &KeyPath, findings: &mut Findings) {
    findings.size(path.key("memory_bytes"), config.memory_bytes, 64 * KIB, 4 * GIB);
    findings.size(path.key("output_bytes"), config.output_bytes, KIB, GIB);
    if let Some(mark) = config.recycle_bytes
        && mark > config.memory_bytes
    {
        let message = format!("must not be above memory_bytes, which is {}", config.memory_bytes);
        findings.add(path.key("recycle_bytes"), message);
    }
}

fn check_grants(config: &Grants, path: &KeyPath, findings: &mut Findings) {
    for (index, origin) in config.http.iter().enumerate() {
        if let Err(message) = check_origin(origin) {
            findings.add(path.key("http").index(index), message);
        }
    }
    if let Some(room) = config.key_value_bytes {
        findings.size(path.key("key_value_bytes"), room, 0, limits::PLUGIN_KEY_VALUE_BYTES);
    }
    for (name, source) in &config.secrets {
        let path = path.key("secrets").key(name);
        findings.name(&path, name);
        let empty = match source {
            SecretSource::Env(variable) => variable.is_empty() || variable.contains(['=', '\0']),
            SecretSource::File(file) => file.as_os_str().is_empty(),
        };
        if empty {
            findings.add(path, "must name an environment variable or a file");
        }
    }
}

/// An origin is scheme, host and port, and nothing else: what else there is would look like a narrower grant than it is.
pub(crate) fn check_origin(text: &str) -> Result<(), String> {
    const WANTED: &str = "must be an origin such as \"https://hooks.example.com\"";
    let url = Url::parse(text).map_err(|error| format!("{WANTED}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{WANTED}: only http and https can be granted"));
    }
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let origin = url.origin().ascii_serialization();
    if !bare || url.fragment().is_some() || url.path() != "/" || text.ends_with('/') {
        return Err(format!("{WANTED}: without user, path, query and fragment, here \"{origin}\""));
    }
    Ok(())
}

fn check_alerting(config: &AlertingConfig, plugins: &PluginsConfig, findings: &mut Findings) {
    let path = KeyPath::of(["alerting"]);
    for (name, receiver) in &config.receivers {
        let path = path.key("receivers").key(name);
        findings.name(&path, name);
        findings.name(&path.key("plugin"), &receiver.plugin);
        if *name != receiver.plugin && plugins.settings.contains_key(name) {
            let message =
                "plugins.settings has a plugin of this name; a receiver of another one needs its own";
            findings.add(path.clone(), message);
        }
        if plugins.settings.get(&receiver.plugin).is_some_and(|settings| !settings.enabled) {
            let message = format!("the plugin \"{}\" is disabled in plugins.settings", receiver.plugin);
            findings.add(path.key("plugin"), message);
        }
        check_plugin_config(&receiver.config, &path, findings);
        if let Some(limits) = &receiver.limits {
            check_limits(limits, &path.key("limits"), findings);
        }
        if let Some(grants) = &receiver.grants {
            check_grants(grants, &path.key("grants"), findings);
        }
    }
    let known = config.all_receivers();
    let mut check_names = |path: KeyPath, names: &[String]| {
        for (index, name) in names.iter().enumerate() {
            if !known.contains_key(name) {
                let all = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                findings
                    .add(path.index(index), format!("no receiver \"{name}\" is defined, there are: {all}"));
            }
        }
    };
    for (index, route) in config.routes.iter().enumerate() {
        check_names(path.key("routes").index(index).key("receivers"), &route.receivers);
    }
    check_names(path.key("default_receivers"), &config.default_receivers);
    for (index, route) in config.routes.iter().enumerate() {
        let path = path.key("routes").index(index);
        if route.receivers.is_empty() {
            findings.add(path.key("receivers"), "must name at least one receiver");
        }
        for (label, value) in &route.matches {
            if let Err(error) = telemetry_core::LabelFilter::parse(label, value) {
                // An expression's error is drawn over several lines, the last of which says what is wrong.
                let reason = error.reason.lines().last().unwrap_or_default().to_owned();
                findings.add(path.key("match").key(label), reason);
            }
        }
    }
}

fn check_server(config: &ServerConfig, findings: &mut Findings) {
    let path = KeyPath::of(["server"]);
    if let Err(message) = check_listen(config.listen) {
        findings.add(path.key("listen"), message);
    }
    findings.size(path.key("max_body_bytes"), config.max_body_bytes, KIB, GIB);
    if config.request_timeout.duration() < Duration::from_secs(1) {
        findings.add(path.key("request_timeout"), "must be at least 1s");
    }
    for (index, host) in config.allowed_hosts.iter().enumerate() {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(good) {
            let message = "must be a host name, with or without a port";
            findings.add(path.key("allowed_hosts").index(index), message);
        }
    }
}

fn check_listen(address: SocketAddr) -> Result<(), String> {
    if address.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(format!(
            "must be a loopback address such as 127.0.0.1:{}: there is no authentication, and everybody who \
             reaches {} could read and write",
            address.port(),
            address.ip()
        ))
    }
}
