//! `plugin new`.

use serde_json::json;
use telemetry_toolkit::{Language, NewProject, create, kind_named};

use crate::arguments::{New, Shared};
use crate::exit::{Exit, Failure};
use crate::output::line;

pub(super) fn execute(arguments: &New, shared: &Shared) -> Result<Exit, Failure> {
    let directory = arguments.dir.clone().unwrap_or_else(|| arguments.name.clone().into());
    let kind = clap::ValueEnum::to_possible_value(&arguments.kind)
        .and_then(|value| kind_named(value.get_name()))
        .ok_or_else(|| Failure::usage(anyhow::anyhow!("no kind of that name")))?;
    let new = NewProject {
        name: arguments.name.clone(),
        kind,
        language: Language::from(arguments.language),
        directory,
        sdk: arguments.sdk.clone(),
    };
    let files = create(&new).map_err(Failure::usage)?;
    if shared.json {
        line(&json!({"status": "success", "directory": new.directory, "files": files}).to_string());
        return Ok(Exit::Done);
    }
    for file in &files {
        line(&file.display().to_string());
    }
    line(&format!("next: cd {} && cat README.md", new.directory.display()));
    Ok(Exit::Done)
}
