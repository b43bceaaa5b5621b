//! Patterns and JSON Schemas applied by the host for a plugin, beside a plugin that brings libraries for them.

use std::sync::Arc;

use bridge_telemetry_tests as artifact;
use serde_json::{Value, json};
use telemetry_core::batch::EventBatch;
use telemetry_core::extension::Validator;
use telemetry_sandbox::Plugin;

use super::Plan;
use super::checks::{BATCH, EVENTS, batches};
use super::contest::contest;
use super::laboratory::{Laboratory, spec};
use crate::chart::{Chart, Goal, Unit};
use crate::meter::thread_time;
use crate::table::seconds;

const HOST: usize = 0;
const LIBRARY: usize = 1;

/// Numbers of cards, tokens, addresses: in nearly none of the events, so that each text is read to its end.
fn patterns() -> Value {
    json!([
        r"\b(?:[0-9]{4}[ -]?){3}[0-9]{4}\b",
        "(?i)bearer [a-z0-9._-]{8,}",
        r"[a-zA-Z0-9.+-]+@[a-zA-Z0-9-]+\.[a-z]+"
    ])
}

/// What the events are, but for the priority of one in a hundred.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["command_type", "command_id", "status"],
        "properties": {
            "command_type": {"enum": ["INJECT_TASK", "MOVE", "STOP", "SCAN", "REPORT", "CALIBRATE"]},
            "command_id": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
            "status": {"type": "string", "maxLength": 16},
            "priority": {"type": "integer", "minimum": 0, "maximum": 9},
            "processing_time_ms": {"type": "number", "minimum": 0},
            "parameters": {
                "type": "object",
                "properties": {"tags": {"type": "array", "items": {"type": "string"}}, "dry_run": {"type": "boolean"}}
            }
        }
    })
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let load = |component, config| -> anyhow::Result<Plugin> {
        Ok(laboratory.sandbox.load(spec(component).with_config(config))?)
    };
    let library = artifact::guest("libraries")?;
    let masking = load(artifact::plugin("redact")?, json!({"keys": [], "patterns": patterns()}))?;
    let searching = load(library.clone(), json!({ "patterns": patterns() }))?;
    let fitting = load(artifact::plugin("json-schema")?, json!({"schemas": {"*": schema()}}))?;
    let judging = load(library, json!({ "schema": schema() }))?;
    for (name, host, library) in [
        (
            "three patterns in all texts of an event: the host searches, beside regex-lite in the plugin",
            masking,
            searching,
        ),
        (
            "an event judged by its JSON Schema: the host judges, beside jsonschema in the plugin",
            fitting,
            judging,
        ),
    ] {
        let validator = |plugin: &Plugin| {
            plugin.validator().ok_or_else(|| anyhow::anyhow!("{} is no validator", plugin.info().name))
        };
        row(chart, plan, name, &validator(&host)?, &validator(&library)?)?;
    }
    Ok(())
}

fn row(
    chart: &mut Chart,
    plan: &Plan,
    name: &str,
    host: &Arc<dyn Validator>,
    library: &Arc<dyn Validator>,
) -> anyhow::Result<()> {
    let batches = batches(BATCH);
    let judge = |validator: &dyn Validator| -> anyhow::Result<()> {
        for batch in &batches {
            std::hint::black_box(validator.validate_events(batch)?);
        }
        Ok(())
    };
    agree(&**host, &**library, &batches)?;
    let times =
        contest(plan.rounds, EVENTS, thread_time, &mut [&mut || judge(&**host), &mut || judge(&**library)])?;
    let detail =
        format!("an event {} beside {}", seconds(times.median(HOST)), seconds(times.median(LIBRARY)));
    chart.row(name, times.ratio(HOST, LIBRARY), Unit::Ratio, detail, Goal::None);
    Ok(())
}

/// Both refuse or rewrite the same events, some of them.
fn agree(host: &dyn Validator, library: &dyn Validator, batches: &[EventBatch]) -> anyhow::Result<()> {
    let mut any = 0;
    for batch in batches {
        let rows = |validator: &dyn Validator| -> anyhow::Result<Vec<u32>> {
            let verdict = validator.validate_events(batch)?;
            let rewritten = verdict.rewrites.iter().map(|rewrite| rewrite.row);
            Ok(verdict.issues.iter().map(|issue| issue.row).chain(rewritten).collect())
        };
        let found = rows(host)?;
        anyhow::ensure!(found == rows(library)?, "host and library find other things");
        any += found.len();
    }
    anyhow::ensure!(any > 0, "nothing is found");
    Ok(())
}
