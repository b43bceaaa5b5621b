//! Disabling, enabling and removing, beside a running host, which follows, and without one.

use super::*;

#[test]
fn what_is_disabled_is_not_loaded_until_it_is_enabled() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    let (exit, body) = place.plugin(&["disable", "redact"]);
    let expected = json!({"name": "redact", "changed": true, "state": "disabled", "status": "success", "restart_needed": false});
    assert_eq!((exit, &body), (0, &expected));
    assert_eq!(place.plugin(&["disable", "redact"]).1["changed"], false);
    let listed = place.listed("redact");
    assert_eq!((&listed["load"], &listed["kind"]), (&json!("disabled"), &json!("validator")), "{listed}");
    assert!(!place.masks());
    let running = place.host();
    let listed = place.listed("redact");
    assert_eq!(listed["load"], "disabled", "{listed}");
    assert!(listed["reason"].as_str().unwrap().contains("plugin enable"), "{listed}");
    assert_eq!(place.json(&["health"]).1["status"], "healthy");
    let output = place.run(&["plugin", "enable", "redact", "--plugins", PLUGINS]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("redact is enabled\n") && text.contains("takes it over"), "{text}");
    place.comes_to("redact", &json!("loaded"));
    assert!(place.masks());
    let output = place.run(&["plugin", "disable", "redact", "--plugins", PLUGINS]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("redact is disabled\n") && text.contains("stops it"), "{text}");
    place.comes_to("redact", &json!("disabled"));
    assert!(!place.masks());
    assert_eq!(place.json(&["health"]).1["status"], "healthy");
    let (_, log) = place.json(&["plugin", "logs", "redact"]);
    assert!(log["lines"].to_string().contains("it has stopped"), "{log}");
    assert_eq!(place.plugin(&["enable", "redact"]).1["restart_needed"], false);
    place.comes_to("redact", &json!("loaded"));
    assert_eq!(running.terminate(), 0);
    assert!(place.masks());
    // It stays disabled when it is installed again.
    place.plugin(&["disable", "redact"]);
    place.installed(&package(&place, "redact"));
    assert!(!place.masks());
}

#[test]
fn the_configuration_has_its_own_say() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    place.write("c.toml", "[plugins.settings.redact]\nenabled = false\n");
    let told = place.refuses(&["enable", "redact", "--config", "c.toml"], "Configured");
    assert!(told.contains("plugins.settings.redact.enabled"), "{told}");
    assert_eq!(place.plugin(&["list", "--config", "c.toml"]).1["plugins"][0]["load"], "disabled");
    place.write("c.toml", "[plugins.settings.redact]\nrequired = true\n");
    for command in ["disable", "remove"] {
        place.refuses(&[command, "redact", "--config", "c.toml"], "Configured");
    }
    place.plugin(&["disable", "redact"]);
    let output = place.run(&["health", "--plugins", PLUGINS, "--config", "c.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(super::told(&output).contains("it is required, and it was disabled"), "{}", super::told(&output));
}

#[test]
fn what_is_removed_is_gone() {
    let place = Place::new();
    let folder = package(&place, "redact");
    place.installed(&folder);
    place.installed(&package(&place, "ewma"));
    let running = place.host();
    let (exit, body) = place.plugin(&["remove", "redact"]);
    assert_eq!(
        (exit, &body["state"], &body["restart_needed"]),
        (0, &json!("removed"), &json!(false)),
        "{body}"
    );
    place.comes_to("redact", &Value::Null);
    assert!(!place.masks());
    assert_eq!(place.json(&["health"]).1["status"], "healthy");
    assert_eq!(running.terminate(), 0);
    assert_eq!(place.listed("redact"), Value::Null);
    assert_eq!(place.listed("ewma")["load"], "ready");
    assert!(!place.path().join("plugins/redact").exists());
    assert!(!place.masks());
    let (exit, body) = place.plugin(&["remove", "redact"]);
    assert_eq!((exit, &body["error"]["code"]), (2, &json!("NOT_FOUND")), "{body}");
    for name in ["../packages", "..", "plugins.lock/", ""] {
        assert_eq!(place.plugin(&["remove", name]).0, 2, "{name}");
    }
    assert!(folder.exists());
}

#[test]
fn a_host_that_does_not_watch_its_folder_follows_at_the_next_start() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    place.write("c.toml", "[plugins.reload]\nwatch = false\n");
    let running =
        Running::of(place.command(&["run", "--no-system", "--plugins", PLUGINS, "--config", "c.toml"]));
    let output = place.run(&["plugin", "disable", "redact", "--plugins", PLUGINS, "--config", "c.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("goes on with what it has loaded until it is started again"), "{text}");
    assert!(place.masks());
    let (_, body) = place.plugin(&["remove", "redact", "--config", "c.toml"]);
    assert_eq!(body["restart_needed"], true, "{body}");
    assert_eq!(place.listed("redact")["load"], "loaded");
    assert_eq!(running.terminate(), 0);
    assert_eq!(place.listed("redact"), Value::Null);
}

#[test]
fn one_command_at_a_time_changes_the_folder() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    let folder = fs::File::open(place.path().join(PLUGINS)).unwrap();
    folder.lock().unwrap();
    for arguments in [&["disable", "redact"][..], &["remove", "redact"], &["install", "packages/redact"]] {
        assert!(place.refuses(arguments, "Lock").contains("another command"));
    }
    drop(folder);
    assert_eq!(place.plugin(&["disable", "redact"]).0, 0);
}
