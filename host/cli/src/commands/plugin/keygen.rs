//! `plugin keygen`.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use bridge_telemetry::plugins::package::SecretKey;
use serde_json::json;

use super::path_text;
use crate::arguments::{Keygen, Shared};
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line};

pub(super) fn execute(arguments: &Keygen, shared: &Shared) -> Result<Exit, Failure> {
    let key = SecretKey::generate().map_err(Failure::refused)?;
    let secret = arguments.path.with_added_extension("key");
    let public = arguments.path.with_added_extension("pub");
    create(&secret, &key.secret_text(), 0o600)?;
    create(&public, &key.public_text(), 0o644)?;
    if shared.json {
        let body = json!({
            "status": "success",
            "key": key.id(),
            "public_key": key.public_line(),
            "secret_file": path_text(&secret),
            "public_file": path_text(&public),
        });
        line(&body.to_string());
    } else {
        line(&one_line(&format!(
            "secret key: {}; it has no password: keep it to yourself",
            secret.display()
        )));
        line(&one_line(&format!("public key: {}", public.display())));
        line(&format!("hosts that trust it have plugins.trusted_keys.NAME = \"{}\"", key.public_line()));
    }
    Ok(Exit::Done)
}

/// A key that is there already is not replaced: what it signed could not be signed again.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let place = || path.display().to_string();
    File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(place)
        .map_err(Failure::refused)
}
