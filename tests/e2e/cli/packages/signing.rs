//! From a key to a host that runs what it signed, and nothing else.

use std::os::unix::fs::PermissionsExt;

use bridge_telemetry::plugins::CONTRACT_VERSION;
use bridge_telemetry_tests::guest;

use super::*;
use crate::fixture::with_order;

/// A place with a key, and a configuration that trusts it.
fn signed_place() -> Place {
    let place = Place::new();
    let (exit, key) = place.json(&["plugin", "keygen", "ada"]);
    assert_eq!(exit, 0, "{key}");
    let public = key["public_key"].as_str().unwrap();
    place.write(
        "c.toml",
        &format!("[plugins]\npolicy = \"signed\"\n[plugins.trusted_keys]\nada = \"{public}\"\n"),
    );
    place
}

impl Place {
    fn sign(&self, folder: &Path, key: &str) {
        let (exit, body) = self.json(&["plugin", "sign", folder.to_str().unwrap(), "--key", key]);
        assert_eq!((exit, &body["status"]), (0, &json!("success")), "{body}");
    }

    fn refuses_unsigned(&self, source: &Path, kind: &str) -> String {
        self.refuses(&["install", source.to_str().unwrap(), "--config", "c.toml"], kind)
    }

    /// What a host would say of `redact`.
    fn listed_signed(&self) -> Value {
        let (_, body) = self.plugin(&["list", "--config", "c.toml"]);
        body["plugins"][0].clone()
    }
}

#[test]
fn what_is_signed_is_installed_and_runs() {
    let place = signed_place();
    let secret = place.path().join("ada.key");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.json(&["plugin", "keygen", "ada"]).0, 1, "a key is not replaced");
    let folder = package(&place, "redact");
    without_line(&folder.join("plugin.toml"), "sha256");
    assert!(place.refuses_unsigned(&folder, "NotSigned").contains("plugin.toml.minisig"));
    place.sign(&folder, "ada.key");
    let (exit, body) = place.install(&folder, &["--config", "c.toml"]);
    assert_eq!((exit, &body["plugin"]["trust"]["signer"]), (0, &json!("ada")), "{body}");
    let listed = place.listed_signed();
    assert_eq!((&listed["load"], &listed["trust"]["signer"]), (&json!("ready"), &json!("ada")), "{listed}");
    let output = place.run(&["plugin", "list", "--plugins", PLUGINS, "--config", "c.toml"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("signed by ada"));
    let running =
        Running::of(place.command(&["run", "--no-system", "--plugins", PLUGINS, "--config", "c.toml"]));
    assert!(place.masks());
    assert_eq!(running.terminate(), 0);
}

#[test]
fn what_is_signed_otherwise_is_refused() {
    let place = signed_place();
    assert_eq!(place.json(&["plugin", "keygen", "eve"]).0, 0);
    let folder = package(&place, "redact");
    place.sign(&folder, "eve.key");
    assert!(place.refuses_unsigned(&folder, "UnknownKey").contains("none of plugins.trusted_keys"));
    // The signature of another package.
    let other = package(&place, "ewma");
    place.sign(&other, "ada.key");
    fs::copy(other.join("plugin.toml.minisig"), folder.join("plugin.toml.minisig")).unwrap();
    assert!(place.refuses_unsigned(&folder, "WrongSignature").contains("another file's"));
    place.sign(&folder, "ada.key");
    edit(&folder.join("plugin.toml"), "description = \"", "description = \"changed: ");
    place.refuses_unsigned(&folder, "WrongSignature");
    fs::write(folder.join("plugin.toml.minisig"), "no signature\n").unwrap();
    place.refuses_unsigned(&folder, "MalformedSignature");
    place.sign(&folder, "ada.key");
    fs::copy(plugin("ewma").unwrap(), folder.join("redact.wasm")).unwrap();
    place.refuses_unsigned(&folder, "ManifestHash");
    fs::copy(plugin("redact").unwrap(), place.path().join("bare.wasm")).unwrap();
    assert!(place.refuses_unsigned(&place.path().join("bare.wasm"), "NotSigned").contains("no manifest"));
    // With no policy but trusted keys, a signature that is there must be right all the same.
    let public = fs::read_to_string(place.path().join("eve.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    place.write("c.toml", &format!("[plugins.trusted_keys]\neve = \"{public}\"\n"));
    let folder = package(&place, "json-schema");
    place.sign(&folder, "ada.key");
    place.refuses_unsigned(&folder, "UnknownKey");
}

#[test]
fn a_host_holds_signatures_against_what_lies_there() {
    let place = signed_place();
    let folder = package(&place, "redact");
    place.sign(&folder, "ada.key");
    assert_eq!(place.install(&folder, &["--config", "c.toml"]).0, 0);
    let at = place.path().join("plugins/redact");
    let refused = |words: &str| {
        let listed = place.listed_signed();
        assert_eq!(listed["load"], "failed", "{listed}");
        assert!(listed["reason"].as_str().unwrap().contains(words), "{listed}");
        let output = place.run(&["record", "event", SECRET, "--plugins", PLUGINS, "--config", "c.toml"]);
        assert!(told(&output).contains(words), "{}", told(&output));
    };
    let signature = fs::read(at.join("plugin.toml.minisig")).unwrap();
    fs::remove_file(at.join("plugin.toml.minisig")).unwrap();
    refused("is not signed");
    fs::write(at.join("plugin.toml.minisig"), &signature).unwrap();
    edit(&at.join("plugin.toml"), "licence", "# licence");
    refused("is not over this plugin.toml");
    fs::copy(folder.join("plugin.toml"), at.join("plugin.toml")).unwrap();
    assert_eq!(place.listed_signed()["load"], "ready");
    // An older version, signed as well, in the place of the newer one that was installed.
    edit(&place.path().join("plugins/plugins.lock"), "version = \"0.8.0\"", "version = \"0.9.0\"");
    refused("0.8.0 is older than 0.9.0");
}

#[test]
fn a_signed_version_that_ran_is_not_gone_back_from() {
    let place = signed_place();
    let package = |version: &str| {
        let folder = place.path().join("packages").join(version);
        fs::create_dir_all(&folder).unwrap();
        let order = format!("describe/version-{version}");
        fs::write(folder.join("evil.wasm"), with_order(&guest("evil").unwrap(), &order)).unwrap();
        let manifest = format!(
            "name = \"evil\"\nversion = \"{version}\"\nkind = \"validator\"\ncontract = \"{CONTRACT_VERSION}\"\ncomponent = \"evil.wasm\"\ndescription = \"d\"\n"
        );
        fs::write(folder.join("plugin.toml"), manifest).unwrap();
        place.sign(&folder, "ada.key");
        folder
    };
    let install = |version: &str, more: &[&str]| {
        place.install(&package(version), &[&["--config", "c.toml"][..], more].concat())
    };
    // Puts a version there without a word, and runs whatever lies there for the time of a command.
    let put = |version: &str| {
        let (from, to) = (package(version), place.path().join("plugins/evil"));
        fs::create_dir_all(&to).unwrap();
        for file in ["plugin.toml", "plugin.toml.minisig", "evil.wasm"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        let event = r#"{"event_type":"A","source":"s"}"#;
        let (exit, body) =
            place.json(&["record", "event", event, "--plugins", PLUGINS, "--config", "c.toml"]);
        assert_eq!(exit, 0, "{body}");
        place.listed_signed()
    };
    let is_refused = |listed: &Value, why: &str| {
        assert_eq!(listed["load"], "failed", "{listed}");
        assert!(listed["reason"].as_str().unwrap().contains(why), "{listed}");
    };
    assert_eq!(install("1.2.0", &[]).0, 0);
    assert_eq!(put("1.4.0")["load"], "ready");
    let lock = place.read("plugins/plugins.lock");
    assert!(lock.contains("[floors]\nevil = \"1.4.0\"\n"), "{lock}");
    is_refused(&put("1.3.0"), "1.3.0 is older than 1.4.0, which ran or was installed here");
    is_refused(&put("1.2.0"), "1.2.0 is older than 1.4.0, which ran or was installed here");
    let (exit, body) = install("1.3.0", &[]);
    assert_eq!((exit, &body["error"]["details"]["exception_type"]), (1, &json!("Rollback")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("--allow-downgrade"), "{body}");
    assert_eq!(install("1.3.0", &["--allow-downgrade"]).0, 0);
    let listed = place.listed_signed();
    assert_eq!((&listed["load"], &listed["version"]), (&json!("ready"), &json!("1.3.0")), "{listed}");
    is_refused(&put("1.2.0"), "1.2.0 is older than 1.3.0, which was installed");
    // The plugin goes, its version stays, until it is installed again.
    assert_eq!(place.plugin(&["remove", "evil", "--config", "c.toml"]).0, 0);
    is_refused(&put("1.2.0"), "1.2.0 is older than 1.3.0, which ran or was installed here");
    assert_eq!(place.plugin(&["remove", "evil", "--config", "c.toml"]).0, 0);
    assert_eq!(install("1.2.0", &[]).0, 0);
    assert_eq!(place.listed_signed()["load"], "ready");
}

#[test]
fn keys_and_packages_that_cannot_be_used_for_signing() {
    let place = signed_place();
    let folder = package(&place, "redact");
    let sign = |folder: &Path, key: &str| {
        let (exit, body) = place.json(&["plugin", "sign", folder.to_str().unwrap(), "--key", key]);
        (exit, body["error"]["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(sign(&folder, "absent.key").0, 2);
    assert!(sign(&folder, "ada.pub").1.contains("no minisign secret key"));
    let (exit, message) = sign(&place.path().join("absent"), "ada.key");
    assert_eq!(exit, 2, "{message}");
    edit(&folder.join("plugin.toml"), "name", "nam");
    let (exit, message) = sign(&folder, "ada.key");
    assert!(exit == 1 && message.contains("unknown field `nam`"), "{message}");
    assert!(!folder.join("plugin.toml.minisig").exists());
    place.write("wrong.toml", "[plugins]\npolicy = \"signed\"\n[plugins.trusted_keys]\nada = \"RWx\"\n");
    let output = place.run(&["config", "check", "wrong.toml"]);
    assert!(
        told(&output).contains("wrong.toml:4:7: plugins.trusted_keys.ada: must be a minisign public key"),
        "{}",
        told(&output)
    );
    place.write("wrong.toml", "[plugins]\npolicy = \"signed\"\n");
    let output = place.run(&["config", "check", "wrong.toml"]);
    assert!(told(&output).contains("plugins.trusted_keys: must name at least one key"), "{}", told(&output));
}
