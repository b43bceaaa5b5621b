//! `plugin install`.

use bridge_telemetry::plugins::package::{GrantReport, InstallOptions, Installation, install};
use bridge_telemetry::{Clock, SystemClock};
use serde_json::{Map, json};

use super::{Effect, failure, path_text, report_change};
use crate::arguments::{Install, Shared};
use crate::exit::{Exit, Failure};
use crate::settings;

pub(super) fn execute(arguments: &Install, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let options = InstallOptions {
        name: arguments.name.clone(),
        sha256: arguments.sha256.clone(),
        allow_downgrade: arguments.allow_downgrade,
    };
    let now = SystemClock::default().now();
    let installed = install(&config.plugins, &arguments.source, &options, now).map_err(failure)?;
    let settings = config.plugins.settings_of(&installed.name);
    let grants = GrantReport::of(installed.manifest.as_ref(), installed.info.kind, &settings.grants);
    let Installation { name, place, info, trust, replaced, .. } = &installed;
    let mut told = vec![format!("installed {name} {} ({}) in {}", info.version, info.kind, place.display())];
    if let Some(before) = replaced {
        told.push(format!("it replaces {before}"));
    }
    told.push(match &trust.signer {
        Some(signer) => format!("signed by {signer}; pinned by its hash {}", info.sha256),
        None => format!("no trusted signature; pinned by its hash {}", info.sha256),
    });
    told.extend(requests(&grants));
    let plugin = json!({
        "name": name,
        "kind": info.kind,
        "version": info.version,
        "sha256": info.sha256,
        "place": path_text(place),
        "replaced": replaced,
        "trust": trust,
        "grants": grants,
    });
    let body = Map::from_iter([("plugin".to_owned(), plugin)]);
    report_change(shared, &told, body, Effect::of_gain(&config.plugins))
}

/// What the plugin asks for, a line each: nothing of it is given by installing.
pub(super) fn requests(grants: &GrantReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |what: String, state: &bridge_telemetry::plugins::package::GrantState| {
        let standing = match (state.requested, state.configured, state.effective) {
            (true, false, _) => "asks for",
            (_, _, true) => "has",
            _ => "does not get",
        };
        let reason = match &state.reason {
            Some(reason) => format!(": {reason}"),
            None if state.effective => String::new(),
            None => ": its manifest does not request it".to_owned(),
        };
        lines.push(format!("{standing} {what}{reason}"));
    };
    for grant in &grants.http {
        add(format!("HTTP to {}", any(&grant.value, "origins that you name")), &grant.state);
    }
    if grants.private_addresses.requested || grants.private_addresses.configured {
        add("addresses that are not public".to_owned(), &grants.private_addresses);
    }
    for grant in &grants.secrets {
        add(format!("the secret {}", any(&grant.value, "values that you name")), &grant.state);
    }
    if let Some(room) = &grants.key_value
        && let Some(requested) = room.requested
        && requested > 0
    {
        let reason = room.reason.as_deref().unwrap_or_default();
        lines.push(format!("has {} of {requested} requested bytes in the store: {reason}", room.effective));
    }
    lines
}

fn any<'a>(value: &'a str, words: &'a str) -> &'a str {
    if value == bridge_telemetry::plugins::package::ANY { words } else { value }
}
