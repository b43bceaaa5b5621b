//! Whether a package may be run: the hash in its manifest, its signature, its pin, the host's policy.
//!
//! Invariant: a [`VerifiedPackage`] holds the very bytes that were checked, and only this module makes one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use minisign_verify::Signature;
use serde::Serialize;
use serde_json::Value;
use telemetry_sandbox::PluginInfo;

use super::error::PackageError;
use super::floor::{LockEntry, VersionFloor};
use super::lock::Pin;
use super::manifest::Manifest;
use super::sha256::Sha256;
use super::source::{FoundManifest, UnverifiedPackage};
use crate::config::{PluginPolicy, TrustedKey, key_id};

/// A package that may be run.
#[derive(Clone, Debug)]
pub struct VerifiedPackage {
    /// The plugin's name in the configuration.
    pub name: String,
    /// Where it lies: a component's file, or a package's folder.
    pub place: PathBuf,
    /// The manifest; absent for a component without one.
    pub manifest: Option<Manifest>,
    /// The component's bytes, as they were checked.
    pub component: Vec<u8>,
    /// Their SHA-256.
    pub sha256: Sha256,
    /// The SHA-256 of its manifest.
    pub manifest_sha256: Option<Sha256>,
    /// Why it may be run.
    pub trust: Trust,
    /// The schema file that the manifest names.
    pub(super) config_schema: Option<Vec<u8>>,
    /// What `plugins.lock` said of it.
    pub(crate) entry: LockEntry,
}

/// Why a plugin may be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// What the host asks for.
    pub policy: PluginPolicy,
    /// Whether its bytes are those that were pinned, when it was installed or in the configuration.
    pub pinned: bool,
    /// The name of the trusted key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// What a package is held against.
#[derive(Clone, Debug)]
pub(super) struct Demands<'a> {
    pub(super) policy: PluginPolicy,
    pub(super) trusted_keys: &'a BTreeMap<String, TrustedKey>,
    /// What `plugins.lock` says of it, with what was installed under its name.
    pub(super) entry: LockEntry,
    /// The lowest version that may run.
    pub(super) floor: Option<VersionFloor>,
    /// `plugins.settings.NAME.sha256`.
    pub(super) configured: Option<&'a Sha256>,
}

impl UnverifiedPackage {
    /// Checks the package against all that is demanded of it.
    pub(super) fn verify(self, name: &str, demands: Demands<'_>) -> Result<VerifiedPackage, PackageError> {
        let signer = self.check_own(name, demands.policy, demands.trusted_keys)?;
        let Demands { policy, entry, floor, configured, .. } = demands;
        if let Some(expected) = configured
            && *expected != self.sha256
        {
            let (expected, found) = (expected.clone(), self.sha256);
            return Err(PackageError::ConfiguredHash { name: name.to_owned(), expected, found });
        }
        let held = entry.pin.as_ref().map(|pin| self.check_pin(name, pin));
        let pinned = configured.is_some() || matches!(held, Some(Ok(())));
        match (policy, held) {
            (PluginPolicy::Any, _) => {}
            (PluginPolicy::Signed, _) => {
                // The very bytes that the configuration names are meant, in whichever version.
                if let (None, Some(floor), Some(manifest)) = (configured, floor, self.manifest()) {
                    floor.check(name, &manifest.version)?;
                }
            }
            (PluginPolicy::Pinned, _) if configured.is_some() => {}
            (PluginPolicy::Pinned, Some(held)) => held?,
            (PluginPolicy::Pinned, None) => {
                return Err(PackageError::NotPinned { name: name.to_owned(), found: self.sha256 });
            }
        }
        let verified = self.verified(name, Trust { policy, pinned, signer });
        Ok(VerifiedPackage { entry, ..verified })
    }

    /// The package as it is to be installed: checked by itself, with no pin yet.
    pub(super) fn verified(self, name: &str, trust: Trust) -> VerifiedPackage {
        let (manifest, manifest_sha256, config_schema) = match self.manifest {
            Some(found) => (Some(found.manifest), Some(found.sha256), found.config_schema),
            None => (None, None, None),
        };
        VerifiedPackage {
            name: name.to_owned(),
            place: self.place,
            manifest,
            component: self.component,
            sha256: self.sha256,
            manifest_sha256,
            trust,
            config_schema,
            entry: LockEntry::default(),
        }
    }

    /// What the package shows by itself: its manifest's hash, and its signature. The signer, if there is one to trust.
    pub(super) fn check_own(
        &self,
        name: &str,
        policy: PluginPolicy,
        keys: &BTreeMap<String, TrustedKey>,
    ) -> Result<Option<String>, PackageError> {
        let is_demanded = policy == PluginPolicy::Signed;
        let Some(found) = &self.manifest else {
            if is_demanded {
                return Err(PackageError::not_signed(
                    name,
                    "it has no manifest, over which a signature is made",
                ));
            }
            return Ok(None);
        };
        self.check_hash(name)?;
        let Some(signature) = &found.signature else {
            if is_demanded {
                return Err(PackageError::not_signed(
                    name,
                    "there is no plugin.toml.minisig beside its manifest",
                ));
            }
            return Ok(None);
        };
        if keys.is_empty() {
            // Nobody is trusted, so that a signature says nothing.
            return Ok(None);
        }
        let signer = signer(name, found, signature, keys)?;
        if found.manifest.sha256.is_some() {
            return Ok(Some(signer));
        }
        Err(PackageError::not_signed(
            name,
            "its manifest does not say the component's sha256, so that the signature does not cover it",
        ))
    }

    /// Checks that the component is the one whose hash the manifest says, if it says one.
    pub(super) fn check_hash(&self, name: &str) -> Result<(), PackageError> {
        match self.manifest().and_then(|manifest| manifest.sha256.clone()) {
            Some(expected) if expected != self.sha256 => {
                let found = self.sha256.clone();
                Err(PackageError::ManifestHash { name: name.to_owned(), expected, found })
            }
            _ => Ok(()),
        }
    }

    fn check_pin(&self, name: &str, pin: &Pin) -> Result<(), PackageError> {
        let changed = |file, expected: &Sha256, found: &Sha256| PackageError::PinnedHash {
            name: name.to_owned(),
            file,
            expected: expected.clone(),
            found: found.clone(),
        };
        if pin.sha256 != self.sha256 {
            return Err(changed("component", &pin.sha256, &self.sha256));
        }
        match (&pin.manifest_sha256, self.manifest.as_ref().map(|found| &found.sha256)) {
            (Some(expected), Some(found)) if expected != found => Err(changed("manifest", expected, found)),
            (Some(_), None) => Err(PackageError::PinnedManifest { name: name.to_owned(), came: false }),
            (None, Some(_)) => Err(PackageError::PinnedManifest { name: name.to_owned(), came: true }),
            _ => Ok(()),
        }
    }
}

/// The name of the trusted key that signed the manifest.
fn signer(
    name: &str,
    found: &FoundManifest,
    signature: &[u8],
    keys: &BTreeMap<String, TrustedKey>,
) -> Result<String, PackageError> {
    let malformed = || PackageError::MalformedSignature { name: name.to_owned() };
    let text = std::str::from_utf8(signature).map_err(|_| malformed())?;
    let signature = Signature::decode(text).map_err(|_| malformed())?;
    let id = text.lines().nth(1).and_then(key_id).ok_or_else(malformed)?;
    let mut named = keys.iter().filter(|(_, key)| key.id() == id).peekable();
    let Some((claimed, _)) = named.peek().copied() else {
        return Err(PackageError::UnknownKey { name: name.to_owned(), key: id });
    };
    // Two keys may have one id: it is only a hint.
    match named.find(|(_, key)| key.signed(&found.bytes, &signature)) {
        Some((signer, _)) => Ok(signer.clone()),
        None => Err(PackageError::WrongSignature { name: name.to_owned(), key: claimed.clone() }),
    }
}

impl VerifiedPackage {
    /// Changes with the component and with what its manifest says.
    pub(crate) fn content(&self) -> String {
        match &self.manifest_sha256 {
            Some(manifest) => format!("{} {manifest}", self.sha256),
            None => self.sha256.to_string(),
        }
    }

    /// Checks that the component says the same of itself as its manifest.
    pub fn check_description(&self, info: &PluginInfo) -> Result<(), PackageError> {
        let Some(manifest) = &self.manifest else { return Ok(()) };
        let mut found = disagreements(&self.name, manifest, self.config_schema.as_deref(), info).into_iter();
        found.next().map_or(Ok(()), Err)
    }
}

/// All that a component says of itself otherwise than its manifest. `config_schema` holds the file that the manifest names.
pub(super) fn disagreements(
    name: &str,
    manifest: &Manifest,
    config_schema: Option<&[u8]>,
    info: &PluginInfo,
) -> Vec<PackageError> {
    let described = [
        ("name", manifest.name.clone(), info.name.clone()),
        ("kind", manifest.kind.to_string(), info.kind.to_string()),
        ("version", manifest.version.to_string(), info.version.clone()),
    ];
    let contract = contract_of(&info.imports)
        .map(|contract| ("contract", manifest.contract.to_string(), contract.to_owned()));
    let is_stale =
        |bytes: &&[u8]| serde_json::from_slice::<Value>(bytes).ok().as_ref() != Some(&info.config_schema);
    let schema = config_schema.filter(is_stale).map(|_| {
        let file = manifest.config_schema.clone().unwrap_or_default();
        ("config_schema", format!("the file {file}"), "its own schema".to_owned())
    });
    let differs = |(_, manifest, component): &(&'static str, String, String)| manifest != component;
    let all = described.into_iter().chain(contract).filter(differs).chain(schema);
    all.map(|(key, manifest, component)| PackageError::Disagreement {
        name: name.to_owned(),
        key,
        manifest,
        component,
    })
    .collect()
}

/// The version of the contract that a component's imports name. One that imports nothing of the contract tells none; whether the
/// host speaks it is for the sandbox to say.
pub fn contract_of(imports: &[String]) -> Option<&str> {
    let ours = imports.iter().find_map(|import| import.strip_prefix("bridge:telemetry/"))?;
    ours.split_once('@').map(|(_, version)| version)
}
