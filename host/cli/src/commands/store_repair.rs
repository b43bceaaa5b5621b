//! `store repair`.

use std::sync::Arc;

use bridge_telemetry::{RepairError, RepairMode, RepairReport, SystemClock, repair_store};
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line};
use crate::settings;

pub(super) fn execute(dry_run: bool, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let mode = if dry_run { RepairMode::DryRun } else { RepairMode::Replace };
    let report = repair_store(&config, Arc::new(SystemClock::default()), mode).map_err(failure)?;
    if shared.json {
        let mut body = json!(report);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("status".to_owned(), "success".into());
        }
        line(&body.to_string());
    } else {
        show(&report, dry_run);
    }
    Ok(Exit::Done)
}

fn failure(error: RepairError) -> Failure {
    match error {
        RepairError::Taken(_) => Failure::unreachable(error),
        RepairError::InMemory | RepairError::NoStore { .. } => Failure::usage(error),
        error => Failure::refused(error),
    }
}

fn show(report: &RepairReport, dry_run: bool) {
    if !report.damaged {
        return line("sound: nothing was changed");
    }
    for text in &report.index {
        line(&one_line(text));
    }
    for table in &report.tables_lost {
        let family = table.family.as_deref().unwrap_or("a family that is not known");
        line(&one_line(&format!("{}, {} bytes, of {family} is lost", table.file, table.bytes)));
    }
    for family in report.families.iter().filter(|family| family.damaged) {
        line(&one_line(&family_text(family)));
        for place in &family.lost {
            line(&format!("  lost: {}", one_line(place)));
        }
    }
    for note in &report.notes {
        line(&one_line(note));
    }
    if report.notes_left_out > 0 {
        line(&format!("{} further notes", report.notes_left_out));
    }
    let verb = if dry_run { "would keep" } else { "kept" };
    line(&format!(
        "{verb} {} events and {} samples; lost {} events and {} samples",
        report.events_kept, report.samples_kept, report.events_lost, report.samples_lost
    ));
    if let Some(aside) = &report.set_aside {
        line(&format!("the store as it was is in {}", one_line(&aside.to_string_lossy())));
    }
}

fn family_text(family: &bridge_telemetry::FamilyRepair) -> String {
    let records = match (family.records_kept, family.records_lost) {
        (Some(kept), Some(lost)) => format!(", {kept} records, {lost} lost"),
        (Some(kept), None) => format!(", {kept} records; how many there were is not known"),
        _ => String::new(),
    };
    format!("{}: {} rows kept{records}", family.family, family.rows_kept)
}
