//! Runs a sink.

use std::time::Duration;

use serde_json::{Map, Value, json};
use telemetry_core::extension::DeliveryOutcome;
use telemetry_sandbox::{HttpRequest, PluginKind};

use super::{Bench, Outcome, RunError, failure, numbered, wrong_step};
use crate::case::{Case, Step};

/// Time for one delivery.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn run(bench: &Bench, case: &Case) -> Result<Outcome, RunError> {
    let Some(mut sink) = bench.plugin.sink() else { return Ok(Outcome::of(Vec::new())) };
    let mut steps = Vec::new();
    for (number, step) in numbered(case) {
        let Step::Alerts { alerts, answers } = step else {
            return Err(wrong_step(number, PluginKind::Sink));
        };
        if let Some(alert) = alerts.last() {
            bench.at(alert.alert.last_seen);
        }
        bench.http.expect(answers);
        let mut document = json!({"step": number, "alerts": alerts.len()});
        match sink.deliver(alerts, DEADLINE) {
            Ok(outcomes) => document["outcomes"] = outcomes.iter().map(outcome).collect(),
            Err(error) => document["failure"] = failure(&error),
        }
        let requests = bench.http.take_requests();
        if !requests.is_empty() {
            document["requests"] = requests.iter().map(request).collect();
        }
        steps.push(document);
    }
    Ok(Outcome::of(steps))
}

fn outcome(outcome: &DeliveryOutcome) -> Value {
    match outcome {
        DeliveryOutcome::Delivered(None) => json!("delivered"),
        DeliveryOutcome::Delivered(Some(reference)) => json!({"delivered": reference}),
        DeliveryOutcome::Duplicate => json!("duplicate"),
        DeliveryOutcome::Rejected(reason) => json!({"rejected": reason}),
        DeliveryOutcome::Retry { after, reason } => {
            json!({"retry": reason, "after_seconds": after.map(|after| after.as_secs_f64())})
        }
        DeliveryOutcome::Forward(receivers) => json!({"forward": receivers}),
    }
}

fn request(request: &HttpRequest) -> Value {
    let headers: Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let text = String::from_utf8_lossy(&request.body);
    // JSON is compared as JSON, not as one long line.
    let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    json!({"method": request.method, "url": request.url, "headers": headers, "body": body})
}
