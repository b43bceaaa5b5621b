//! Every way in which a package can differ from what was installed or signed, and what is said of it.

mod switching;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use telemetry_core::Timestamp;
use telemetry_sandbox::{CONTRACT_VERSION, PluginInfo, PluginKind};

use super::error::PackageError;
use super::lock::{LOCK_FILE, Pin, PluginLock};
use super::packages::PluginPackages;
use super::secret_key::SecretKey;
use super::sha256::Sha256;
use super::verify::{VerifiedPackage, disagreements};
use crate::config::{PluginPolicy, PluginSettings, PluginsConfig, TrustedKey};

const COMPONENT: &[u8] = b"the component";

/// A folder with the package `pager` in it.
struct Place {
    directory: tempfile::TempDir,
    plugins: PluginsConfig,
    key: SecretKey,
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-28T12:00:00Z").unwrap()
}

fn manifest(version: &str, component: &[u8]) -> String {
    let hash = Sha256::of(component);
    format!(
        "name = \"pager\"\nversion = \"{version}\"\nkind = \"sink\"\ncontract = \"0.1.0\"\ncomponent = \"pager.wasm\"\nsha256 = \"{hash}\"\ndescription = \"d\"\n"
    )
}

impl Place {
    fn new(policy: PluginPolicy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = SecretKey::generate().unwrap();
        let trusted = TrustedKey::parse(&key.public_line()).unwrap();
        let plugins = PluginsConfig {
            directory: Some(directory.path().to_owned()),
            policy,
            trusted_keys: BTreeMap::from([("ada".to_owned(), trusted)]),
            ..PluginsConfig::default()
        };
        let place = Self { directory, plugins, key };
        fs::create_dir(place.at("pager")).unwrap();
        place.write_package("1.2.0", COMPONENT);
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write_package(&self, version: &str, component: &[u8]) {
        fs::write(self.at("pager/plugin.toml"), manifest(version, component)).unwrap();
        fs::write(self.at("pager/pager.wasm"), component).unwrap();
    }

    fn sign(&self, key: &SecretKey) {
        let signature = key.sign(&fs::read(self.at("pager/plugin.toml")).unwrap(), "file:plugin.toml");
        fs::write(self.at("pager/plugin.toml.minisig"), signature).unwrap();
    }

    /// Puts a version there as its author would give it away.
    fn put_signed(&self, version: &str) {
        self.write_package(version, version.as_bytes());
        self.sign(&self.key);
    }

    /// Pins what lies there now.
    fn pin(&self) {
        let mut pin =
            Pin::new("1.2.0".to_owned(), Sha256::of(&fs::read(self.at("pager/pager.wasm")).unwrap()), now());
        pin.manifest_sha256 = Some(Sha256::of(&fs::read(self.at("pager/plugin.toml")).unwrap()));
        let plugins = BTreeMap::from([("pager".to_owned(), pin)]);
        PluginLock { plugins, ..PluginLock::default() }.write(self.directory.path()).unwrap();
    }

    fn verified(&self) -> Result<VerifiedPackage, PackageError> {
        PluginPackages::of(&self.plugins).verified("pager")
    }

    fn trusted(&self) -> VerifiedPackage {
        self.verified().unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(&self, kind: &str) -> String {
        let error = self.verified().map(|package| package.trust).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        error.to_string()
    }
}

#[test]
fn pinned_is_what_was_installed_and_nothing_else() {
    let place = Place::new(PluginPolicy::Pinned);
    assert!(place.refused("NotPinned").contains(&Sha256::of(COMPONENT).to_string()));
    place.pin();
    let package = place.trusted();
    assert_eq!((package.component.as_slice(), package.trust.pinned), (COMPONENT, true));
    assert_eq!(package.manifest.unwrap().name, "pager");

    fs::write(place.at("pager/pager.wasm"), b"another").unwrap();
    assert!(place.refused("ManifestHash").contains("is not the one of its manifest"));
    place.write_package("1.2.0", b"another");
    assert!(place.refused("PinnedHash").contains("the component of \"pager\" was changed"));
    place.write_package("1.3.0", COMPONENT);
    assert!(place.refused("PinnedHash").contains("the manifest of \"pager\" was changed"));
    place.write_package("1.2.0", COMPONENT);
    place.trusted();
    fs::remove_file(place.at("pager/pager.wasm")).unwrap();
    assert!(place.refused("Incomplete").contains("has no pager.wasm"));
}

#[test]
fn a_pinned_component_gets_no_manifest_and_a_package_does_not_lose_its_own() {
    let place = Place::new(PluginPolicy::Pinned);
    place.pin();
    fs::remove_dir_all(place.at("pager")).unwrap();
    fs::write(place.at("pager.wasm"), COMPONENT).unwrap();
    place.refused("PinnedManifest");
    let mut lock = PluginLock::read(place.directory.path()).unwrap();
    lock.plugins.get_mut("pager").unwrap().manifest_sha256 = None;
    lock.write(place.directory.path()).unwrap();
    assert!(place.trusted().manifest.is_none());
    fs::write(place.at("plugin.toml"), manifest("1.2.0", COMPONENT)).unwrap();
    place.refused("PinnedManifest");
}

#[test]
fn signed_needs_a_trusted_key_over_this_very_manifest() {
    let place = Place::new(PluginPolicy::Signed);
    assert!(place.refused("NotSigned").contains("plugin.toml.minisig"));
    place.sign(&place.key);
    assert_eq!(place.trusted().trust.signer.as_deref(), Some("ada"));

    let stranger = SecretKey::generate().unwrap();
    place.sign(&stranger);
    assert!(place.refused("UnknownKey").contains(&stranger.id()));

    let another = place.key.sign(b"another file", "file:plugin.toml");
    fs::write(place.at("pager/plugin.toml.minisig"), another).unwrap();
    assert!(place.refused("WrongSignature").contains("\"ada\""));

    place.sign(&place.key);
    place.write_package("1.2.1", COMPONENT);
    place.refused("WrongSignature");
    place.sign(&place.key);
    fs::write(place.at("pager/pager.wasm"), b"another").unwrap();
    place.refused("ManifestHash");
    fs::write(place.at("pager/plugin.toml.minisig"), "no signature").unwrap();
    fs::write(place.at("pager/pager.wasm"), COMPONENT).unwrap();
    place.refused("MalformedSignature");

    // Without the hash a signature over the manifest says nothing of the component.
    let text = manifest("1.2.0", COMPONENT);
    let without: Vec<_> = text.lines().filter(|line| !line.starts_with("sha256")).collect();
    fs::write(place.at("pager/plugin.toml"), without.join("\n")).unwrap();
    place.sign(&place.key);
    assert!(place.refused("NotSigned").contains("sha256"));
    fs::remove_dir_all(place.at("pager")).unwrap();
    fs::write(place.at("pager.wasm"), COMPONENT).unwrap();
    assert!(place.refused("NotSigned").contains("no manifest"));
}

#[test]
fn all_that_a_manifest_and_its_component_disagree_about_is_told() {
    let manifest = super::Manifest::parse(manifest("1.2.0", COMPONENT).as_bytes()).unwrap();
    let mut info = PluginInfo {
        name: "pager".to_owned(),
        kind: PluginKind::Sink,
        contract: CONTRACT_VERSION,
        version: "1.2.0".to_owned(),
        description: String::new(),
        config_schema: serde_json::json!({"type": "object"}),
        imports: vec!["bridge:telemetry/types@0.1.0".to_owned()],
        sha256: String::new(),
        component_bytes: 0,
        aggregates: Vec::new(),
    };
    let keys = |info: &PluginInfo, schema: &[u8]| -> Vec<&'static str> {
        let found = disagreements("pager", &manifest, Some(schema), info);
        let key = |error| match error {
            PackageError::Disagreement { key, .. } => key,
            other => panic!("{other}"),
        };
        found.into_iter().map(key).collect()
    };
    let schema = br#"{ "type": "object" }"#;
    assert_eq!(keys(&info, schema), [""; 0]);
    info.imports = vec!["bridge:telemetry/types@0.2.1".to_owned()];
    info.version = "1.2.1".to_owned();
    assert_eq!(keys(&info, b"no JSON"), ["version", "contract", "config_schema"]);
    info.imports.clear();
    assert_eq!(keys(&info, schema), ["version"], "what imports nothing tells no contract");
}

#[test]
fn a_signature_counts_under_every_policy_once_keys_are_named() {
    let mut place = Place::new(PluginPolicy::Any);
    place.sign(&SecretKey::generate().unwrap());
    place.refused("UnknownKey");
    place.plugins.policy = PluginPolicy::Pinned;
    place.pin();
    place.refused("UnknownKey");
    place.plugins.trusted_keys.clear();
    assert_eq!(place.trusted().trust.signer, None);
}

#[test]
fn the_configurations_hash_holds_under_every_policy() {
    let mut place = Place::new(PluginPolicy::Pinned);
    let hash = |bytes: &[u8]| PluginSettings { sha256: Some(Sha256::of(bytes)), ..PluginSettings::default() };
    place.plugins.settings.insert("pager".to_owned(), hash(COMPONENT));
    assert!(place.trusted().trust.pinned, "it stands for a pin");
    place.plugins.settings.insert("pager".to_owned(), hash(b"another"));
    place.pin();
    for policy in [PluginPolicy::Any, PluginPolicy::Pinned] {
        place.plugins.policy = policy;
        assert!(place.refused("ConfiguredHash").contains("plugins.settings.pager.sha256"));
    }
}

#[test]
fn links_are_not_followed() {
    let place = Place::new(PluginPolicy::Any);
    let elsewhere = tempfile::tempdir().unwrap();
    let move_away = |path: &str, name: &str| {
        fs::rename(place.at(path), elsewhere.path().join(name)).unwrap();
        symlink(elsewhere.path().join(name), place.at(path)).unwrap();
    };
    let bring_back = |path: &str, name: &str| {
        fs::remove_file(place.at(path)).unwrap();
        fs::rename(elsewhere.path().join(name), place.at(path)).unwrap();
    };
    for path in ["pager/pager.wasm", "pager/plugin.toml", "pager"] {
        move_away(path, "moved");
        assert!(place.refused("SymbolicLink").contains("symbolic link"), "{path}");
        bring_back(path, "moved");
        place.trusted();
    }
    fs::remove_dir_all(place.at("pager")).unwrap();
    fs::write(elsewhere.path().join("pager.wasm"), COMPONENT).unwrap();
    symlink(elsewhere.path().join("pager.wasm"), place.at("pager.wasm")).unwrap();
    place.refused("SymbolicLink");
}

#[test]
fn paths_of_the_manifest_stay_in_its_folder() {
    let place = Place::new(PluginPolicy::Any);
    fs::write(place.at("secret.wasm"), COMPONENT).unwrap();
    for component in ["../secret.wasm", "/etc/hostname.wasm", "./pager.wasm"] {
        let text = manifest("1.2.0", COMPONENT).replace("pager.wasm", component);
        fs::write(place.at("pager/plugin.toml"), text).unwrap();
        place.refused("Manifest");
    }
}

#[test]
fn a_name_stands_for_one_plugin() {
    let place = Place::new(PluginPolicy::Any);
    let text = manifest("1.2.0", COMPONENT).replace("name = \"pager\"", "name = \"webhook\"");
    fs::write(place.at("pager/plugin.toml"), text).unwrap();
    assert!(place.refused("FolderName").contains("\"webhook\""));
    place.write_package("1.2.0", COMPONENT);
    fs::write(place.at("pager.wasm"), COMPONENT).unwrap();
    assert!(place.refused("Ambiguous").contains("remove one"));
}

#[test]
fn what_is_too_large_is_not_read() {
    let place = Place::new(PluginPolicy::Any);
    let grow = |path: &str, bytes: u64| {
        fs::File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(place.at(path))
            .unwrap()
            .set_len(bytes)
            .unwrap();
    };
    grow("pager/pager.wasm", telemetry_core::limits::MAX_COMPONENT_BYTES + 1);
    place.refused("TooLarge");
    place.write_package("1.2.0", COMPONENT);
    grow("pager/plugin.toml.minisig", telemetry_core::limits::MAX_SIGNATURE_BYTES + 1);
    place.refused("TooLarge");
    fs::remove_file(place.at("pager/plugin.toml.minisig")).unwrap();
    grow("pager/plugin.toml", telemetry_core::limits::MAX_MANIFEST_BYTES + 1);
    place.refused("TooLarge");
}

#[test]
fn pins_that_cannot_be_read_pin_nothing() {
    for policy in [PluginPolicy::Any, PluginPolicy::Pinned, PluginPolicy::Signed] {
        let place = Place::new(policy);
        place.sign(&place.key);
        place.pin();
        place.trusted();
        fs::write(place.at(LOCK_FILE), "format = 1\n[plugins.pager]\n").unwrap();
        assert!(place.refused("Lock").contains(LOCK_FILE));
    }
}

#[test]
fn a_copy_has_the_trust_of_the_plugin_it_is_made_of() {
    let mut place = Place::new(PluginPolicy::Pinned);
    let copy = |component: &Path| PluginSettings {
        component: Some(component.to_owned()),
        ..PluginSettings::default()
    };
    let inside = place.at("pager/pager.wasm");
    place.plugins.settings.insert("by-name".to_owned(), copy(Path::new("pager")));
    place.plugins.settings.insert("by-file".to_owned(), copy(Path::new("pager/pager.wasm")));
    place.plugins.settings.insert("by-path".to_owned(), copy(&inside));
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(&inside, elsewhere.path().join("pager.wasm")).unwrap();
    place.plugins.settings.insert("elsewhere".to_owned(), copy(&elsewhere.path().join("pager.wasm")));
    let kinds = || {
        let packages = PluginPackages::of(&place.plugins);
        ["by-name", "by-file", "by-path", "elsewhere"].map(|name| match packages.verified(name) {
            Ok(package) if package.manifest.is_some() => "package",
            Ok(_) => "component",
            Err(error) => error.kind(),
        })
    };
    assert_eq!(kinds(), ["NotPinned"; 4]);
    place.pin();
    assert_eq!(kinds(), ["package", "package", "package", "NotPinned"]);
}
