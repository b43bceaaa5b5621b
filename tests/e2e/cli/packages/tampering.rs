//! A host loads what was installed, and says of anything else what is wrong with it.

use std::os::unix::fs::symlink;

use super::*;

/// What a host and the command say of `redact`, which it does not load.
fn refused(place: &Place, kind_in_words: &str) {
    let listed = place.listed("redact");
    assert_eq!(listed["load"], "failed", "{listed}");
    assert!(listed["reason"].as_str().unwrap().contains(kind_in_words), "{listed}");
    assert!(!place.masks());
    let running = place.host();
    let listed = place.listed("redact");
    assert_eq!(listed["load"], "failed", "{listed}");
    let (_, health) = place.json(&["health"]);
    assert_eq!(health["status"], "degraded", "{health}");
    // As it reads, without JSON's quoting.
    let issues = health["issues"].to_string().replace('\\', "");
    assert!(
        issues.contains("plugin redact could not be loaded") && issues.contains(kind_in_words),
        "{issues}"
    );
    assert_eq!(running.terminate(), 0);
}

#[test]
fn a_component_or_manifest_that_was_changed_is_not_loaded() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    assert!(place.masks());
    let at = place.path().join("plugins/redact");
    let component = fs::read(at.join("redact.wasm")).unwrap();
    let manifest = fs::read(at.join("plugin.toml")).unwrap();
    let restore = || {
        fs::write(at.join("redact.wasm"), &component).unwrap();
        fs::write(at.join("plugin.toml"), &manifest).unwrap();
    };
    // Another component that is whole in itself.
    fs::copy(plugin("json-schema").unwrap(), at.join("redact.wasm")).unwrap();
    refused(&place, "is not the one of its manifest");
    restore();
    without_line(&at.join("plugin.toml"), "sha256");
    refused(&place, "the manifest of \"redact\" was changed");
    restore();
    fs::rename(at.join("redact.wasm"), place.path().join("moved.wasm")).unwrap();
    symlink(place.path().join("moved.wasm"), at.join("redact.wasm")).unwrap();
    refused(&place, "is a symbolic link");
    fs::remove_file(at.join("redact.wasm")).unwrap();
    restore();
    fs::copy(at.join("redact.wasm"), place.path().join("plugins/redact.wasm")).unwrap();
    refused(&place, "are called \"redact\"");
    fs::remove_file(place.path().join("plugins/redact.wasm")).unwrap();
    assert!(place.masks());
}

#[test]
fn what_nobody_installed_is_not_loaded_unless_the_policy_says_so() {
    let place = Place::new();
    fs::create_dir(place.path().join(PLUGINS)).unwrap();
    fs::copy(plugin("redact").unwrap(), place.path().join("plugins/redact.wasm")).unwrap();
    refused(&place, "is not pinned: install it with `bridge-telemetry plugin install`");
    let (_, body) = place.plugin(&["inspect", "redact"]);
    assert_eq!(body["refused"]["kind"], "NotPinned", "{body}");
    let hash = body["plugin"]["sha256"].as_str().unwrap();
    for text in [
        "[plugins]\npolicy = \"any\"\n".to_owned(),
        format!("[plugins.settings.redact]\nsha256 = \"{hash}\"\n"),
    ] {
        place.write("c.toml", &text);
        let record = ["record", "event", SECRET, "--plugins", PLUGINS, "--config", "c.toml"];
        assert_eq!(place.json(&record).0, 0);
        assert_eq!(
            place.json(&["events", "--limit", "1"]).1["events"][0]["data"]["password"],
            "***",
            "{text}"
        );
    }
    place.write(
        "c.toml",
        &format!("[plugins.settings.redact]\nrequired = true\nsha256 = \"{}\"\n", "0".repeat(64)),
    );
    let output = place.run(&["run", "--plugins", PLUGINS, "--config", "c.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("plugins.settings.redact.sha256"), "{}", told(&output));
}

#[test]
fn pins_that_cannot_be_read_pin_nothing() {
    let place = Place::new();
    place.installed(&package(&place, "redact"));
    let lock = place.path().join("plugins/plugins.lock");
    let whole = fs::read(&lock).unwrap();
    fs::write(&lock, &whole[..whole.len() - 10]).unwrap();
    refused(&place, "is not a file of pins");
    place.refuses_to_install(&package(&place, "redact"), "Lock");
    fs::write(&lock, whole).unwrap();
    assert!(place.masks());
}

/// The file of compiled code of a component.
fn compiled(place: &Place, sha256: &Value) -> PathBuf {
    let cache = fs::read_dir(place.path().join("data/plugin_cache")).unwrap();
    let mut files = cache.map(|entry| entry.unwrap().path());
    let sha256 = sha256.as_str().unwrap();
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(sha256)).unwrap()
}

#[test]
fn compiled_code_vouches_for_nothing() {
    let place = Place::new();
    let redact = place.installed(&package(&place, "redact"));
    let other = place.installed(&package(&place, "json-schema"));
    assert!(place.masks());
    // The code of `json-schema` is there, whole and made by this very program: a component that was changed into it is still
    // refused, as its bytes are held against the pin before any code is looked for.
    let at = place.path().join("plugins/redact");
    fs::copy(plugin("json-schema").unwrap(), at.join("redact.wasm")).unwrap();
    refused(&place, "is not the one of its manifest");
    fs::copy(plugin("redact").unwrap(), at.join("redact.wasm")).unwrap();
    // Code that was planted under the hash of `redact` is another component's: it is not used.
    let (mine, planted) = (compiled(&place, &redact["sha256"]), compiled(&place, &other["sha256"]));
    fs::copy(planted, &mine).unwrap();
    let output = place.run(&["record", "event", SECRET, "--plugins", PLUGINS]);
    assert!(told(&output).contains("a cache entry of compiled code is ignored"), "{}", told(&output));
    assert_eq!(place.json(&["events", "--limit", "1"]).1["events"][0]["data"]["password"], "***");
}
