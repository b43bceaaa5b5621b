//! Layers and environment variables as their users meet them.

use std::ffi::OsString;

use expect_test::expect;
use serde_json::{Value, json};

use super::*;

fn shown(result: Result<Config, ConfigError>) -> String {
    match result {
        Ok(_) => "good".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn from_environment(document: Value, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    ConfigLayers::new().value(document).environment(variables(pairs)).load()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn layers_win_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    let text = "[server]\nlisten = '127.0.0.1:1'\nmax_body_bytes = 2000\n[loop]\nthreshold = 2\nwindow = 7\n";
    std::fs::write(&path, text).unwrap();
    let load = |pairs: &[(&str, &str)], flag: Option<&str>| {
        let layers = ConfigLayers::new().file(&path).environment(variables(pairs));
        let layers = match flag {
            Some(address) => layers.set(["server", "listen"], address, "--listen"),
            None => layers,
        };
        layers.load()
    };
    let config = load(&[], None).unwrap();
    assert_eq!((config.server.listen.port(), config.loops.window), (1, 7));
    let environment = [
        ("BRIDGE_TELEMETRY__SERVER__LISTEN", "127.0.0.1:2"),
        ("BRIDGE_TELEMETRY__LOOP__WINDOW", "8"),
        ("BRIDGE_TELEMETRY__LOOP__THRESHOLD", ""),
        ("BRIDGE_TELEMETRY_OTHER", "x"),
        ("PATH", "x"),
    ];
    let config = load(&environment, None).unwrap();
    assert_eq!((config.server.listen.port(), config.loops.window, config.loops.threshold), (2, 8, 2));
    let config = load(&environment, Some("127.0.0.1:3")).unwrap();
    assert_eq!((config.server.listen.port(), config.server.max_body_bytes.bytes()), (3, 2000));
    expect!["--listen: server.listen: must be a loopback address such as 127.0.0.1:3: there is no authentication, and everybody who reaches 10.0.0.1 could read and write"].assert_eq(&shown(load(&[], Some("10.0.0.1:3"))));
}

#[test]
fn variables_are_read_as_their_key_wants_it() {
    let document = json!({"plugins": {"settings": {"error-rate": {"order": 1}, "my_plugin": {}}}});
    let pairs = [
        ("BRIDGE_TELEMETRY__LOGGER_CONFIG__LOG_PATH", "5"),
        ("BRIDGE_TELEMETRY__LOGGER_CONFIG__ENABLE_CONSOLE", "false"),
        ("BRIDGE_TELEMETRY__LOGGER_CONFIG__MIN_LOG_LEVEL", "ERROR"),
        ("BRIDGE_TELEMETRY__STORAGE_CONFIG__MAX_BYTES", "1 GiB"),
        ("BRIDGE_TELEMETRY__LOOP__EXEMPT_EVENT_TYPES", r#"["A", "B"]"#),
        ("BRIDGE_TELEMETRY__PLUGINS__SETTINGS__ERROR_RATE__ENABLED", "false"),
        ("BRIDGE_TELEMETRY__PLUGINS__SETTINGS__ERROR_RATE__CONFIG__MAX_SHARE", "0.1"),
        ("BRIDGE_TELEMETRY__PLUGINS__SETTINGS__MY_PLUGIN__CONFIG", "{ url = 'x', n = [1] }"),
        ("BRIDGE_TELEMETRY__PLUGINS__SETTINGS__CPU_HIGH__CONFIG__FOR", "5m"),
        ("BRIDGE_TELEMETRY__ALERTING__RECEIVERS", r#"{"on_call": {"plugin": "webhook"}}"#),
    ];
    let config = from_environment(document, &pairs).unwrap();
    assert_eq!(config.logger_config.log_path.to_str(), Some("5"));
    assert!(!config.logger_config.enable_console);
    assert_eq!(config.storage_config.max_bytes, Some(ByteCount(1 << 30)));
    assert_eq!(config.loops.exempt_event_types, ["A", "B"]);
    let plugins = &config.plugins;
    assert_eq!(plugins.settings.keys().collect::<Vec<_>>(), ["cpu-high", "error-rate", "my_plugin"]);
    let rate = plugins.settings_of("error-rate");
    assert_eq!((rate.enabled, rate.order, rate.config.to_value()), (false, 1, json!({"max_share": 0.1})));
    assert_eq!(plugins.settings_of("my_plugin").config.to_value(), json!({"url": "x", "n": [1]}));
    assert_eq!(plugins.settings_of("cpu-high").config.to_value(), json!({"for": "5m"}));
    assert!(config.alerting.receivers.contains_key("on_call"));
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    let mut pairs = variables(&[
        ("BRIDGE_TELEMETRY__STORAGE_CONFIG__DURABILTY", "power"),
        ("BRIDGE_TELEMETRY__LOOP__WINDOW", "many"),
        ("BRIDGE_TELEMETRY__LOOP__THRESHOLD__X", "1"),
        ("BRIDGE_TELEMETRY__", "1"),
        ("BRIDGE_TELEMETRY__SERVER____LISTEN", "1"),
        ("BRIDGE_TELEMETRY__ALERTING__DEFAULT_RECEIVERS", "[\"who\"]"),
    ]);
    use std::os::unix::ffi::OsStringExt;
    pairs.push(("BRIDGE_TELEMETRY__SERVER__LISTEN".into(), OsString::from_vec(vec![0xFF])));
    expect![[r#"
        the configuration has 6 faults:
          BRIDGE_TELEMETRY__: keys are separated by one __, none may be empty
          BRIDGE_TELEMETRY__SERVER__LISTEN: its value is not UTF-8
          BRIDGE_TELEMETRY__SERVER____LISTEN: keys are separated by one __, none may be empty
          BRIDGE_TELEMETRY__STORAGE_CONFIG__DURABILTY: storage_config.durabilty: unknown key; did you mean "durability"?
          BRIDGE_TELEMETRY__LOOP__THRESHOLD__X: loop.threshold: invalid type: map, expected u32
          BRIDGE_TELEMETRY__LOOP__WINDOW: loop.window: invalid type: string "many", expected u32"#]].assert_eq(&shown(ConfigLayers::new().environment(pairs).load()));
}

#[test]
fn null_says_nothing_but_to_a_plugin() {
    let document =
        json!({"plugins": {"settings": {"x": {"config": {"a": null, "b": {"c": null}}, "limits": null}}}});
    let config = Config::from_value(document).unwrap();
    let settings = config.plugins.settings_of("x");
    assert_eq!(settings.config.to_value(), json!({"a": null, "b": {"c": null}}));
    assert_eq!(settings.limits, PluginLimits::default());
    expect!["nonsense: unknown key"].assert_eq(&shown(Config::from_value(json!({"nonsense": null}))));
}
