//! `plugin inspect`.

use bridge_telemetry::plugins::package::{Inspection, inspect};
use serde_json::{Value, json};

use super::failure;
use super::install::requests;
use crate::arguments::{Inspect, Shared};
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line, printable};
use crate::settings;

pub(super) fn execute(arguments: &Inspect, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let inspection = inspect(&config.plugins, &arguments.plugin).map_err(failure)?;
    if shared.json {
        let mut body = json!(inspection);
        if let Some(fields) = body.as_object_mut() {
            // What the component tells has been called so from the beginning.
            let info = fields.shift_remove("info").unwrap_or_default();
            fields.insert("plugin".to_owned(), info);
            fields.insert("status".to_owned(), "success".into());
        }
        line(&body.to_string());
    } else {
        show(&inspection);
    }
    Ok(Exit::Done)
}

fn show(inspection: &Inspection) {
    let Inspection { place, info, manifest, grants, trust, refused } = inspection;
    let row = |name: &str, value: &str| line(&format!("{name:<13} {}", one_line(value)));
    row("name", &info.name);
    row("kind", info.kind.as_str());
    row("version", &info.version);
    row("description", &info.description);
    if let Some(manifest) = manifest {
        row("licence", manifest.licence.as_deref().unwrap_or("-"));
        row("authors", &manifest.authors.join(", "));
        row("contract", &format!("bridge:telemetry@{}", manifest.contract));
    } else {
        row("manifest", "none: what the configuration grants is granted");
    }
    row("place", &place.to_string_lossy());
    row("component", &format!("{} bytes, SHA-256 {}", info.component_bytes, info.sha256));
    row("imports", &info.imports.join(", "));
    match (trust, refused) {
        (Some(trust), _) => {
            let signed = trust.signer.as_ref().map(|signer| format!("signed by {signer}"));
            let signed = signed.unwrap_or_else(|| "not signed by a trusted key".to_owned());
            let pinned = if trust.pinned { "pinned" } else { "not pinned" };
            row("trust", &format!("{signed}, {pinned}; the policy is \"{}\"", trust.policy));
        }
        (None, Some(refused)) => row("refused", &refused.message),
        (None, None) => {}
    }
    for request in requests(grants) {
        row("grant", &request);
    }
    if info.config_schema != Value::Bool(true) {
        let schema = serde_json::to_string_pretty(&info.config_schema).unwrap_or_default();
        line("config schema");
        line(&printable(&schema));
    }
}
