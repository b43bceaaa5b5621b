//! The effective grant: what the manifest requests and the configuration grants, both; and the reason for each line.

use std::collections::BTreeMap;

use serde::Serialize;
use telemetry_core::limits;
use telemetry_sandbox::PluginKind;
use url::Url;

use super::manifest::Manifest;
use super::requested::ANY;
use crate::config::{ByteCount, Grants};

/// What one plugin may reach, and what it would like to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GrantReport {
    /// Whether a manifest says what is requested. Without one, everything that is configured is effective.
    pub has_manifest: bool,
    /// Origins for HTTP requests.
    pub http: Vec<GrantLine>,
    /// Addresses that are not public, behind these origins.
    pub private_addresses: GrantState,
    /// Secrets, by name.
    pub secrets: Vec<GrantLine>,
    /// Room in the store; absent for kinds that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_value: Option<RoomState>,
}

/// One origin or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantLine {
    /// The origin or name.
    pub value: String,
    /// How it stands.
    #[serde(flatten)]
    pub state: GrantState,
}

/// How a grant stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GrantState {
    /// Whether the manifest asks for it.
    pub requested: bool,
    /// Whether the configuration grants it.
    pub configured: bool,
    /// Whether the plugin has it.
    pub effective: bool,
    /// What the manifest says it is needed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Room in the store, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomState {
    /// What the manifest asks for; absent without a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<u64>,
    /// What the configuration grants.
    pub configured: u64,
    /// What the plugin has.
    pub effective: u64,
    /// What the manifest says it is needed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl GrantReport {
    /// Puts what is requested and what is configured beside each other. Without a manifest nothing is known of requests.
    pub fn of(manifest: Option<&Manifest>, kind: PluginKind, configured: &Grants) -> Self {
        let requests = manifest.map(|manifest| &manifest.grants);
        let origins = requests.map(|requests| {
            requests.http.iter().map(|one| (normal_origin(&one.origin), one.reason.as_str())).collect()
        });
        let secrets = requests.map(|requests| {
            requests.secrets.iter().map(|one| (one.name.clone(), one.reason.as_str())).collect()
        });
        let private = requests.map(|requests| requests.private_addresses.as_ref());
        Self {
            has_manifest: manifest.is_some(),
            http: lines(origins, configured.http.iter().map(|origin| normal_origin(origin))),
            private_addresses: GrantState {
                requested: private.is_some_and(|request| request.is_some()),
                configured: configured.allow_private,
                effective: configured.allow_private && private.is_none_or(|request| request.is_some()),
                reason: private.flatten().map(|request| request.reason.clone()),
            },
            secrets: lines(secrets, configured.secrets.keys().cloned()),
            key_value: matches!(kind, PluginKind::Monitor | PluginKind::Sink).then(|| {
                let request = requests.map(|requests| requests.key_value.as_ref());
                let requested = request.map(|request| request.map_or(0, |room| room.bytes.bytes()));
                let granted = configured.key_value_bytes.unwrap_or(ByteCount(limits::PLUGIN_KEY_VALUE_BYTES));
                RoomState {
                    requested,
                    configured: granted.bytes(),
                    effective: requested.map_or(granted.bytes(), |requested| requested.min(granted.bytes())),
                    reason: request.flatten().map(|room| room.reason.clone()),
                }
            }),
        }
    }

    /// What is left of the configured grants.
    pub fn effective(&self, configured: &Grants) -> Grants {
        let has = |lines: &[GrantLine], value: &str| {
            lines.iter().any(|line| line.state.effective && line.value == value)
        };
        let (mut http, mut secrets) = (configured.http.clone(), configured.secrets.clone());
        http.retain(|origin| has(&self.http, &normal_origin(origin)));
        secrets.retain(|name, _| has(&self.secrets, name));
        Grants {
            http,
            allow_private: self.private_addresses.effective,
            key_value_bytes: self.key_value.as_ref().map(|room| ByteCount(room.effective)),
            secrets,
        }
    }

    /// What is configured and not effective, because the manifest does not request it.
    pub fn refused(&self) -> Vec<String> {
        let lost = |state: &GrantState| state.configured && !state.effective;
        let named = |what: &'static str, lines: &[GrantLine]| {
            let lost = lines.iter().filter(|line| lost(&line.state));
            lost.map(|line| format!("{what} {}", line.value)).collect::<Vec<_>>()
        };
        let mut refused = named("http", &self.http);
        refused.extend(lost(&self.private_addresses).then(|| "private_addresses".to_owned()));
        refused.extend(named("secret", &self.secrets));
        refused
    }
}

/// An origin as it is compared: `HTTPS://Example.com:443` is `https://example.com`.
fn normal_origin(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => text.to_owned(),
    }
}

/// Requests, with their reasons by value, beside what is configured.
fn lines(
    requests: Option<BTreeMap<String, &str>>,
    configured: impl Iterator<Item = String>,
) -> Vec<GrantLine> {
    let mut lines: BTreeMap<String, GrantState> = BTreeMap::new();
    let any = requests.as_ref().and_then(|requests| requests.get(ANY).copied());
    for value in configured {
        let reason = requests.as_ref().and_then(|requests| requests.get(value.as_str()).copied()).or(any);
        let state = GrantState {
            requested: reason.is_some(),
            configured: true,
            effective: requests.is_none() || reason.is_some(),
            reason: reason.map(str::to_owned),
        };
        lines.insert(value, state);
    }
    for (value, reason) in requests.unwrap_or_default() {
        if value == ANY && lines.values().any(|state| state.requested) {
            // It shows in the lines that it stands for.
            continue;
        }
        lines.entry(value).or_insert_with(|| GrantState {
            requested: true,
            reason: Some(reason.to_owned()),
            ..GrantState::default()
        });
    }
    lines.into_iter().map(|(value, state)| GrantLine { value, state }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretSource;

    fn manifest(grants: &str) -> Manifest {
        let head = "name = \"p\"\nversion = \"1.0.0\"\nkind = \"sink\"\ncontract = \"0.1.0\"\ncomponent = \"p.wasm\"\ndescription = \"d\"\n";
        Manifest::parse(format!("{head}{grants}").as_bytes()).unwrap()
    }

    fn configured(http: &[&str], secrets: &[&str]) -> Grants {
        Grants {
            http: http.iter().map(ToString::to_string).collect(),
            secrets: secrets.iter().map(|name| (name.to_string(), SecretSource::Env("X".into()))).collect(),
            ..Grants::default()
        }
    }

    const ASKS: &str = "[[grants.http]]\norigin = \"https://a.example:443\"\nreason = \"ra\"\n[[grants.http]]\norigin = \"https://b.example\"\nreason = \"rb\"\n[[grants.secrets]]\nname = \"T\"\nreason = \"rt\"\n[grants.key_value]\nbytes = 100\nreason = \"rk\"\n";

    #[test]
    fn only_what_is_asked_for_and_granted_is_effective() {
        let asked = manifest(ASKS);
        let mut grants = configured(&["https://A.example", "https://c.example"], &["T", "U"]);
        grants.allow_private = true;
        let report = GrantReport::of(Some(&asked), PluginKind::Sink, &grants);
        let seen: Vec<_> = (report.http.iter().chain(&report.secrets))
            .map(|line| {
                let state = &line.state;
                (
                    line.value.as_str(),
                    state.requested,
                    state.configured,
                    state.effective,
                    state.reason.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("https://a.example", true, true, true, Some("ra")),
                ("https://b.example", true, false, false, Some("rb")),
                ("https://c.example", false, true, false, None),
                ("T", true, true, true, Some("rt")),
                ("U", false, true, false, None),
            ]
        );
        let effective = report.effective(&grants);
        assert_eq!((effective.http, effective.allow_private), (vec!["https://A.example".to_owned()], false));
        assert_eq!(effective.secrets.keys().collect::<Vec<_>>(), ["T"]);
        assert_eq!(effective.key_value_bytes, Some(ByteCount(100)));
        assert_eq!(report.refused(), ["http https://c.example", "private_addresses", "secret U"]);
    }

    #[test]
    fn without_a_manifest_the_configuration_alone_grants() {
        let grants = configured(&["https://a.example"], &["T"]);
        let report = GrantReport::of(None, PluginKind::Sink, &grants);
        let effective = report.effective(&grants);
        assert_eq!((effective.http, effective.secrets), (grants.http, grants.secrets));
        assert_eq!(effective.key_value_bytes, Some(ByteCount(limits::PLUGIN_KEY_VALUE_BYTES)));
        assert!(report.refused().is_empty());
    }

    #[test]
    fn nothing_is_granted_by_asking_and_no_kind_gets_what_it_cannot_have() {
        let report = GrantReport::of(Some(&manifest(ASKS)), PluginKind::Sink, &Grants::default());
        let effective = report.effective(&Grants::default());
        assert_eq!((effective.http.len(), effective.secrets.len()), (0, 0));
        assert_eq!(GrantReport::of(None, PluginKind::Validator, &Grants::default()).key_value, None);
        let silent = GrantReport::of(Some(&manifest("")), PluginKind::Monitor, &Grants::default());
        assert_eq!(silent.key_value.unwrap().effective, 0);
    }

    #[test]
    fn any_stands_for_what_the_operator_names() {
        let any = manifest("[[grants.http]]\norigin = \"*\"\nreason = \"configured\"\n");
        let grants = configured(&["https://a.example", "https://b.example"], &["T"]);
        let report = GrantReport::of(Some(&any), PluginKind::Sink, &grants);
        assert_eq!(report.http.len(), 2);
        assert!(report.http.iter().all(|line| line.state.effective));
        assert_eq!(report.effective(&grants).secrets.len(), 0);
        let none = GrantReport::of(Some(&any), PluginKind::Sink, &Grants::default());
        assert_eq!((none.http[0].value.as_str(), none.http[0].state.effective), ("*", false));
    }
}
