//! The configuration as its users meet it: documents in, a `Config` or all faults out.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn shown(result: Result<Config, ConfigError>) -> String {
    match result {
        Ok(_) => "good".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn check_value(value: Value, expect: Expect) {
    expect.assert_eq(&shown(Config::from_value(value)));
}

/// Checks a file; its directory is cut from the answer.
fn check_file(name: &str, text: &str, expect: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}/", directory.path().display());
    expect.assert_eq(&shown(Config::check_file(&path)).replace(&prefix, ""));
}

#[test]
fn nothing_said_is_the_defaults() {
    for value in
        [json!({}), json!(null), json!({"storage_config": {}, "alerting": null, "plugins": {"settings": {}}})]
    {
        assert_eq!(Config::from_value(value).unwrap(), Config::default());
    }
    let config = Config::default();
    config.validate().unwrap();
    assert_eq!(config.retention_policy.events.duration_days, 7);
    assert_eq!(config.retention_policy.metrics.duration_days, 30);
    assert_eq!(config.logger_config.max_log_size.bytes(), 10 << 20);
    assert_eq!((config.loops.threshold, config.loops.window, config.loops.period_ms), (5, 100, 1_000));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:4600");
}

#[test]
fn a_full_document_reads_the_same_in_every_language() {
    let toml = r#"
        max_recursion_depth = 20
        [logger_config]
        log_path = "/var/log/bridge.log"
        enable_console = false
        min_log_level = "WARNING"
        max_log_size = "1 MiB"
        [storage_config]
        backend = "memory"
        durability = "power"
        max_bytes = 1_000_000_000
        [retention_policy]
        events.duration_days = 3
        [loop]
        exempt_event_types = ["HEARTBEAT", "TRACE_*"]
        [plugins]
        directory = "plugins"
        [plugins.settings.redact]
        order = 10
        on_failure = "accept"
        config = { keys = ["password"], depth = 2.0 }
        limits = { deadline_ms = 50, memory_bytes = "16 MiB" }
        [plugins.settings.webhook.grants]
        http = ["https://hooks.example.com"]
        secrets = { token = { env = "HOOK_TOKEN" } }
        [alerting]
        default_receivers = ["console", "on-call"]
        [alerting.receivers.on-call]
        plugin = "webhook"
        [[alerting.routes]]
        match = { severity = "critical", host = { regex = "db.*" } }
        receivers = ["on-call"]
        continue = true
        [server]
        listen = "[::1]:0"
        request_timeout = "2m"
    "#;
    let directory = tempfile::tempdir().unwrap();
    let load = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        Config::check_file(&path).unwrap()
    };
    let config = load("c.toml", toml);
    assert_eq!(config.logger_config.min_log_level, LogLevel::Warning);
    assert_eq!(config.plugins.settings_of("redact").limits.memory_bytes, ByteCount(16 << 20));
    assert_eq!(
        config.plugins.settings_of("redact").config.to_value(),
        json!({"keys": ["password"], "depth": 2.0})
    );
    assert_eq!(config.alerting.routes[0].filters().unwrap().len(), 2);
    assert!(config.alerting.routes[0].goes_on);
    let text = serde_json::to_string_pretty(&config).unwrap();
    assert_eq!(load("c.json", &text), config);
    assert_eq!(load("c.yaml", &text), config);
    assert_eq!(Config::from_value(serde_json::from_str(&text).unwrap()).unwrap(), config);
}

#[test]
fn every_fault_is_told_with_its_place_in_toml() {
    check_file(
        "c.toml",
        r#"[logger_config]
max_log_size = "huge"
log_rotation_count = -1
[storage_config]
durabilty = "power"
backend = "oracle"
[retention_policy]
events.duration_days = 0
metrics = 30
[alerting.receivers.hook]
plugn = "webhook"
[[alerting.routes]]
receivers = ["hook"]
[[alerting.routes]]
receivers = "hook"
[[alerting.routes]]
receivers = ["hook"]
continue = "yes"
[nonsense]
x = 1
"#,
        expect![[r#"
            the configuration has 12 faults:
              c.toml:2:16: logger_config.max_log_size: invalid value: string "huge", expected a number of bytes or a size such as "10 MiB"
              c.toml:3:22: logger_config.log_rotation_count: must be 0 to 1000, it is -1
              c.toml:5:1: storage_config.durabilty: unknown key; did you mean "durability"?
              c.toml:6:11: storage_config.backend: unknown variant `oracle`, expected `timeseries_db` or `memory`
              c.toml:8:24: retention_policy.events.duration_days: must be 1 to 36525, it is 0
              c.toml:9:11: retention_policy.metrics: wants an object of keys, found a number
              c.toml:10:1: alerting.receivers.hook: missing field `plugin`
              c.toml:11:1: alerting.receivers.hook.plugn: unknown key; did you mean "plugin"?
              c.toml:14:1: alerting.routes[1]: missing field `receivers`
              c.toml:15:13: alerting.routes[1].receivers: wants a list, found a text
              c.toml:18:12: alerting.routes[2].continue: invalid type: string "yes", expected a boolean
              c.toml:19:2: nonsense: unknown key"#]],
    );
}

#[test]
fn every_fault_is_told_with_its_place_in_yaml() {
    check_file(
        "c.yaml",
        r#"logger_config:
  enable_console: yes
  min_log_level: LOUD
storage_config:
    max_bytes:
    memory_bytes: {a: 1}
plugins:
  settings:
    - redact
alerting:
  routes:
  - receivers: [a]
    match: 5
"#,
        expect![[r#"
            the configuration has 5 faults:
              c.yaml:2:19: logger_config.enable_console: invalid type: string "yes", expected a boolean
              c.yaml:3:18: logger_config.min_log_level: unknown variant `LOUD`, expected one of `DEBUG`, `INFO`, `WARNING`, `ERROR`, `FATAL`
              c.yaml:6:19: storage_config.memory_bytes: invalid type: map, expected a number of bytes or a size such as "10 MiB"
              c.yaml:9:5: plugins.settings: wants an object of keys, found a list
              c.yaml:13:12: alerting.routes[0].match: invalid type: integer `5`, expected a map"#]],
    );
    check_file("c.yml", "a: [1\nb: 2\n", expect!["c.yml:2:2: illegal placement of ':' indicator"]);
    check_file(
        "c.toml",
        "a = \n[b\n",
        expect![[r#"
        the configuration has 2 faults:
          c.toml:1:5: string values must be quoted, expected literal string
          c.toml:2:3: unclosed table, expected `]`"#]],
    );
    check_file(
        "c.json",
        "[]",
        expect!["c.json:1:1: the configuration: wants an object of keys, found a list"],
    );
    check_file("c.ini", "", expect!["the configuration file c.ini must end in .toml, .yaml, .yml or .json"]);
    assert!(matches!(Config::check_file("/nonexistent/c.toml"), Err(ConfigError::Read { .. })));
}

#[test]
fn what_no_single_value_shows() {
    check_file(
        "c.toml",
        r#"[logger_config]
log_path = ""
max_log_size = 100
[loop]
threshold = 200
[plugins.settings.".hidden"]
[plugins.settings.hook.limits]
memory_bytes = "1 MiB"
recycle_bytes = "2 MiB"
[plugins.settings.hook.grants]
http = ["https://hooks.example.com/path", "ftp://x", "https://good.example.com:8443", "https://u:p@x"]
secrets = { token = { env = "" } }
[plugins.settings.off]
enabled = false
[alerting]
default_receivers = ["nobody"]
[alerting.receivers.a]
plugin = "off"
[[alerting.routes]]
receivers = ["a", "console", "b"]
match = { host = { regex = "(" } }
[[alerting.routes]]
receivers = []
[server]
listen = "0.0.0.0:4600"
max_body_bytes = 1
request_timeout = "0s"
"#,
        expect![[r#"
            the configuration has 17 faults:
              c.toml:2:12: logger_config.log_path: must not be empty
              c.toml:3:16: logger_config.max_log_size: must be at least 1.0 KiB, it is 100 B
              c.toml:5:13: loop.threshold: must not be above window, which is 100: a loop would never be found
              c.toml:6:1: plugins.settings.".hidden": a name consists of letters a to z, digits, '-', '_' and '.'
              c.toml:9:17: plugins.settings.hook.limits.recycle_bytes: must not be above memory_bytes, which is 1.0 MiB
              c.toml:11:9: plugins.settings.hook.grants.http[0]: must be an origin such as "https://hooks.example.com": without user, path, query and fragment, here "https://hooks.example.com"
              c.toml:11:43: plugins.settings.hook.grants.http[1]: must be an origin such as "https://hooks.example.com": only http and https can be granted
              c.toml:11:87: plugins.settings.hook.grants.http[3]: must be an origin such as "https://hooks.example.com": without user, path, query and fragment, here "https://x"
              c.toml:12:21: plugins.settings.hook.grants.secrets.token: must name an environment variable or a file
              c.toml:16:22: alerting.default_receivers[0]: no receiver "nobody" is defined, there are: a, console
              c.toml:18:10: alerting.receivers.a.plugin: the plugin "off" is disabled in plugins.settings
              c.toml:20:30: alerting.routes[0].receivers[2]: no receiver "b" is defined, there are: a, console
              c.toml:21:18: alerting.routes[0].match.host: error: unclosed group
              c.toml:23:13: alerting.routes[1].receivers: must name at least one receiver
              c.toml:25:10: server.listen: must be a loopback address such as 127.0.0.1:4600: there is no authentication, and everybody who reaches 0.0.0.0 could read and write
              c.toml:26:18: server.max_body_bytes: must be at least 1.0 KiB, it is 1 B
              c.toml:27:19: server.request_timeout: must be at least 1s"#]],
    );
}

#[test]
fn a_dict_is_checked_like_a_file() {
    check_value(
        json!({"storage_config": {"durabilty": 1}, "max_recursion_depth": 101}),
        expect![[r#"
        the configuration has 2 faults:
          storage_config.durabilty: unknown key; did you mean "durability"?
          max_recursion_depth: must be 1 to 100, it is 101"#]],
    );
    check_value(
        json!({"storage_config": []}),
        expect!["storage_config: wants an object of keys, found a list"],
    );
    check_value(json!([1]), expect!["the configuration: wants an object of keys, found a list"]);
    check_value(
        json!({"server": {"listen": "localhost"}}),
        expect![[
            r#"server.listen: invalid value: string "localhost", expected an IP address and port such as "127.0.0.1:4600""#
        ]],
    );
    check_value(
        json!({"plugins": {"settings": {"x": {"grants": {"secrets": {"t": "hunter2"}}}}}}),
        expect![[
            r#"plugins.settings.x.grants.secrets.t: must say where the secret is, {env = "NAME"} or {file = "PATH"}, and not be the secret"#
        ]],
    );
}

#[test]
fn a_receiver_has_no_other_plugins_name() {
    let config = |plugin: &str| {
        json!({
            "plugins": {"settings": {"tally": {}}},
            "alerting": {"receivers": {"tally": {"plugin": plugin}}},
        })
    };
    check_value(config("tally"), expect!["good"]);
    check_value(
        config("webhook"),
        expect![
            "alerting.receivers.tally: plugins.settings has a plugin of this name; a receiver of another one needs its own"
        ],
    );
}

#[test]
fn changed_configurations_are_checked() {
    let mut config = Config::default();
    config.retention_policy.events.duration_days = 0;
    config.loops.window = 1;
    expect!["retention_policy.events.duration_days: must be 1 to 36525, it is 0"]
        .assert_eq(&config.validate().unwrap_err().to_string());
}

#[test]
fn a_large_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, "#".repeat((4 << 20) + 1)).unwrap();
    assert!(matches!(Config::check_file(&path), Err(ConfigError::TooLarge { .. })));
}
