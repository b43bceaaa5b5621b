//! `plugin build`.

use std::path::Path;

use serde_json::json;
use telemetry_toolkit::build;

use crate::arguments::Shared;
use crate::exit::{Exit, Failure};
use crate::output::line;

pub(super) fn execute(directory: &Path, shared: &Shared) -> Result<Exit, Failure> {
    let built = build(directory).map_err(Failure::refused)?;
    if shared.json {
        line(&json!({"status": "success", "built": built}).to_string());
    } else {
        line(&format!(
            "{}: a {} in {}, {} bytes, sha256 {}",
            built.component.display(),
            built.kind,
            built.language,
            built.bytes,
            built.sha256
        ));
    }
    Ok(Exit::Done)
}
