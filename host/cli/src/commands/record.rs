//! `record event` and `record metric`.

use std::io::Read;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::recording::RecordError;
use serde_json::{Map, Value};
use telemetry_core::admission::AdmissionError;
use telemetry_core::limits;

use crate::arguments::{Record, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};
use crate::samples::number_or_text;

pub(super) fn execute(connection: &Connection, record: Record, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = match record {
        Record::Event { event } => connection.record_event(&body(event)?)?,
        Record::Metric { name, value, context, timestamp } => match number_or_text(&value) {
            Err(must) => {
                let reason = format!("{must}, it is {value}");
                Envelope::of_error(&RecordError::from(AdmissionError::MetricValue { reason }))
            }
            Ok(value) => {
                let context: Map<String, Value> =
                    context.into_iter().map(|(key, value)| (key, value.into())).collect();
                let metric = serde_json::json!({
                    "metric_name": name, "metric_value": value, "context": context, "timestamp": timestamp,
                });
                connection.record_metric(metric.to_string().as_bytes())?
            }
        },
    };
    Ok(output::answer(&envelope, shared.json, |body| {
        let receipts =
            body.get("results").and_then(Value::as_array).map_or(vec![body], |all| all.iter().collect());
        for receipt in receipts {
            match receipt.get("error") {
                None => output::line(&format!(
                    "stored {} at {}",
                    text(receipt, "/event_id"),
                    text(receipt, "/timestamp")
                )),
                Some(error) => eprintln!("refused: {}: {}", text(error, "/code"), text(error, "/message")),
            }
            for warning in receipt.get("warnings").and_then(Value::as_array).into_iter().flatten() {
                eprintln!("warning: {}: {}", text(warning, "/field"), text(warning, "/message"));
            }
        }
    }))
}

/// The argument, or standard input up to one byte over the limit, so that the host refuses what is too large.
fn body(json: String) -> Result<Vec<u8>, Failure> {
    if json != "-" {
        return Ok(json.into_bytes());
    }
    let mut body = Vec::new();
    let most = limits::MAX_PAYLOAD_BYTES as u64 * 16;
    std::io::stdin().lock().take(most).read_to_end(&mut body).map_err(Failure::refused)?;
    Ok(body)
}
