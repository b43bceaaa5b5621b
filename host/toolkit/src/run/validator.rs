//! Runs a validator.

use serde_json::{Map, Value, json};
use telemetry_core::extension::{PluginFailure, RowIssue, Validator};
use telemetry_core::{EventBatch, SampleBatch, Timestamp};
use telemetry_sandbox::PluginKind;

use super::{Bench, Outcome, RunError, failure, last, numbered, wrong_step};
use crate::case::{Case, Step};
use crate::shown::{Shown, shown_events, shown_samples};

/// What a validator says of some rows.
#[derive(Debug, Default, PartialEq)]
struct Judgement {
    issues: Vec<Value>,
    rewrites: Vec<Value>,
}

/// Judges the case's rows together, and one by one with a copy of the plugin.
pub(super) fn run(bench: &Bench, copy: &Bench, case: &Case) -> Result<Outcome, RunError> {
    let (Some(validator), Some(singly)) = (bench.plugin.validator(), copy.plugin.validator()) else {
        return Ok(Outcome::of(Vec::new()));
    };
    let mut outcome = Outcome::of(Vec::new());
    for (number, step) in numbered(case) {
        let (sort, rows) = match step {
            Step::Events(batch) => ("events", batch.len()),
            Step::Samples(batch) => ("samples", batch.len()),
            _ => return Err(wrong_step(number, PluginKind::Validator)),
        };
        for bench in [bench, copy] {
            bench.at(time_of(step));
        }
        let (shown, whole, single) = judge_step(&*validator, &*singly, step);
        let mut document = json!({"step": number, sort: rows, "shown": shown});
        match &whole {
            Ok(judgement) => {
                document["issues"] = judgement.issues.clone().into();
                document["rewrites"] = judgement.rewrites.clone().into();
            }
            Err(error) => document["failure"] = failure(error),
        }
        if let (Ok(whole), Some(Ok(single))) = (&whole, &single)
            && whole != single
        {
            outcome.breaches.push(format!(
                "step {number}: rows judged one by one get another verdict than together; each row is judged by itself, and the \
                 host splits and joins batches: {} issues and {} rewrites together, {} and {} one by one",
                whole.issues.len(),
                whole.rewrites.len(),
                single.issues.len(),
                single.rewrites.len()
            ));
        }
        outcome.steps.push(document);
    }
    Ok(outcome)
}

type Judged = Result<Judgement, PluginFailure>;

/// The time of a step's last row.
fn time_of(step: &Step) -> Timestamp {
    let timestamps = match step {
        Step::Events(batch) => batch.timestamps(),
        Step::Samples(batch) => batch.timestamps(),
        _ => &[],
    };
    last(timestamps).unwrap_or_default()
}

/// How many rows are shown, what is said of them together, and what the copy says of each by itself.
fn judge_step(
    validator: &dyn Validator,
    copy: &dyn Validator,
    step: &Step,
) -> (usize, Judged, Option<Judged>) {
    match step {
        Step::Events(batch) => {
            let shown = shown_events(batch, validator.subscription());
            let whole = events(validator, &shown);
            let single =
                (shown.rows.len() > 1).then(|| joined(shown.singly().iter().map(|one| events(copy, one))));
            (shown.rows.len(), whole, single)
        }
        Step::Samples(batch) => {
            let shown = shown_samples(batch, validator.subscription());
            let whole = samples(validator, &shown);
            let single =
                (shown.rows.len() > 1).then(|| joined(shown.singly().iter().map(|one| samples(copy, one))));
            (shown.rows.len(), whole, single)
        }
        _ => (0, Ok(Judgement::default()), None),
    }
}

fn joined(parts: impl Iterator<Item = Judged>) -> Judged {
    let mut whole = Judgement::default();
    for part in parts {
        let part = part?;
        whole.issues.extend(part.issues);
        for rewrite in part.rewrites {
            // One series is rewritten with each of its rows.
            if !whole.rewrites.contains(&rewrite) {
                whole.rewrites.push(rewrite);
            }
        }
    }
    whole.sort();
    Ok(whole)
}

impl Judgement {
    /// Issues may come in any order.
    fn sort(&mut self) {
        self.issues.sort_by_key(|issue| issue["row"].as_u64());
        self.rewrites.sort_by_key(|rewrite| (rewrite["row"].as_u64(), rewrite["series"].to_string()));
    }
}

fn events(validator: &dyn Validator, shown: &Shown<EventBatch>) -> Judged {
    let verdict = validator.validate_events(&shown.batch)?;
    let rewrites = verdict.rewrites.iter().map(|rewrite| {
        let mut document = Map::new();
        document.insert("row".to_owned(), shown.row(rewrite.row).into());
        for (name, part) in [("data", &rewrite.data), ("extra", &rewrite.extra)] {
            if let Some(part) = part {
                document.insert(name.to_owned(), Value::Object(part.to_map()));
            }
        }
        Value::Object(document)
    });
    let mut judgement = Judgement {
        issues: verdict.issues.iter().map(|found| issue(found, shown.row(found.row))).collect(),
        rewrites: rewrites.collect(),
    };
    judgement.sort();
    Ok(judgement)
}

fn samples(validator: &dyn Validator, shown: &Shown<SampleBatch>) -> Judged {
    let verdict = validator.validate_samples(&shown.batch)?;
    let rewrites = verdict.rewrites.iter().map(|rewrite| {
        json!({"series": series(&shown.batch, rewrite.series), "context": rewrite.context.to_map()})
    });
    let mut judgement = Judgement {
        issues: verdict.issues.iter().map(|found| issue(found, shown.row(found.row))).collect(),
        rewrites: rewrites.collect(),
    };
    judgement.sort();
    Ok(judgement)
}

/// A series as people name it.
pub(super) fn series(batch: &SampleBatch, number: u32) -> Value {
    let (name, context) = batch.series(number).unwrap_or_default();
    let context: Value = serde_json::from_str(context).unwrap_or_default();
    json!({"metric_name": name, "context": context})
}

fn issue(issue: &RowIssue, row: usize) -> Value {
    json!({
        "row": row, "reject": issue.reject, "code": issue.code, "path": issue.path, "message": issue.message,
    })
}
