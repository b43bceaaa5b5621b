//! `plugin sign`.

use anyhow::Context;
use bridge_telemetry::plugins::package::{SecretKey, sign};
use bridge_telemetry::{Clock, SystemClock};
use serde_json::json;

use super::{failure, path_text};
use crate::arguments::{Shared, Sign};
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line};

pub(super) fn execute(arguments: &Sign, shared: &Shared) -> Result<Exit, Failure> {
    let place = || arguments.key.display().to_string();
    let text = std::fs::read_to_string(&arguments.key).with_context(place).map_err(Failure::usage)?;
    let key = SecretKey::parse(&text).with_context(place).map_err(Failure::usage)?;
    let signed = sign(&arguments.folder, &key, SystemClock::default().now()).map_err(failure)?;
    let manifest = &signed.manifest;
    if shared.json {
        let body = json!({
            "status": "success",
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "signature": path_text(&signed.signature),
            "key": key.id(),
            "public_key": key.public_line(),
        });
        line(&body.to_string());
    } else {
        let (name, version, place) = (&manifest.name, &manifest.version, signed.signature.display());
        line(&one_line(&format!("signed {name} {version} with the key {}: {place}", key.id())));
        line(&format!("hosts that trust it have plugins.trusted_keys.NAME = \"{}\"", key.public_line()));
    }
    Ok(Exit::Done)
}
