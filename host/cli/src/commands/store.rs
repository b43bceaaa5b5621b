//! `store`: the clock, backups, verifying, repairing, figures.

use std::path::Path;

use bridge_telemetry::{BackupError, BackupSummary, Existing, check_backup, restore};
use serde_json::{Value, json};

use super::{store_repair, store_stats};
use crate::arguments::{Shared, Store};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, line, text};
use crate::settings;

pub(super) fn execute(store: Store, shared: &Shared) -> Result<Exit, Failure> {
    match store {
        Store::AcceptClock => accept_clock(shared),
        Store::Backup { directory } => back_up(&directory, shared),
        Store::Restore { backup, replace, check } => bring_back(&backup, replace, check, shared),
        Store::Verify => verify(shared),
        Store::Repair { dry_run } => store_repair::execute(dry_run, shared),
        Store::Stats { quick } => store_stats::execute(quick, shared),
    }
}

fn accept_clock(shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::open(shared)?.accept_clock()?;
    Ok(output::answer(&envelope, shared.json, |body| {
        line(&format!("accepted: it is {}; records expire by this clock", text(body, "/time")));
    }))
}

fn back_up(directory: &Path, shared: &Shared) -> Result<Exit, Failure> {
    // A running host has another working folder.
    let directory = std::path::absolute(directory).map_err(Failure::usage)?;
    let named = directory
        .to_str()
        .ok_or_else(|| Failure::usage(anyhow::anyhow!("the path of the backup is not UTF-8")))?;
    let body = json!({"directory": named}).to_string();
    let envelope = Connection::open(shared)?.backup(body.as_bytes())?;
    Ok(output::answer(&envelope, shared.json, |body| {
        line(&format!("{}: {}", output::one_line(named), contents(body)));
    }))
}

fn bring_back(backup: &Path, replace: bool, check: bool, shared: &Shared) -> Result<Exit, Failure> {
    if check {
        let summary = check_backup(backup).map_err(failure)?;
        report("whole", &summary, None, shared);
        return Ok(Exit::Done);
    }
    let config = settings::config(shared)?;
    let existing = if replace { Existing::SetAside } else { Existing::Keep };
    let directory = &config.storage_config.connection_string;
    let (summary, aside) = restore(backup, directory, existing).map_err(failure)?;
    report("restored", &summary, aside.as_deref(), shared);
    Ok(Exit::Done)
}

fn report(what: &str, summary: &BackupSummary, aside: Option<&Path>, shared: &Shared) {
    let mut body = json!(summary);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("status".to_owned(), "success".into());
        fields.insert("set_aside".to_owned(), aside.map(|path| path.to_string_lossy().into_owned()).into());
    }
    if shared.json {
        line(&body.to_string());
        return;
    }
    line(&format!("{what}: {}", contents(&body)));
    if let Some(aside) = aside {
        line(&format!("the store before is in {}", output::one_line(&aside.to_string_lossy())));
    }
}

fn contents(body: &Value) -> String {
    format!(
        "{} files, {} bytes; every record up to {}, begun at {}",
        text(body, "/files"),
        text(body, "/bytes"),
        text(body, "/last_sequence"),
        text(body, "/made_at")
    )
}

fn failure(error: BackupError) -> Failure {
    match error {
        BackupError::NotEmpty { .. } => {
            Failure::refused(anyhow::Error::new(error).context("use --replace to move the store aside"))
        }
        BackupError::Taken(_) => Failure::unreachable(error),
        error => Failure::refused(error),
    }
}

fn verify(shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::open(shared)?.verify()?;
    let exit = output::answer(&envelope, shared.json, |body| {
        for finding in body["findings"].as_array().into_iter().flatten() {
            let part = |pointer| text(finding, pointer);
            line(&format!("{} {} {}: {}", part("/family"), part("/file"), part("/rows"), part("/reason")));
        }
        let verdict = if body["sound"] == true { "sound" } else { "damaged" };
        let [tables, bytes, rows] = ["/tables", "/bytes", "/rows"].map(|pointer| text(body, pointer));
        line(&format!("{verdict}: {rows} rows, {tables} tables, {bytes} bytes"));
        if body["findings_left_out"] != 0 {
            line(&format!("{} further findings", text(body, "/findings_left_out")));
        }
    });
    Ok(if envelope.body.get("sound") == Some(&Value::Bool(false)) { Exit::Refused } else { exit })
}
