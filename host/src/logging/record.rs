//! One record of the log and its line.

use serde::Serialize;
use telemetry_core::Timestamp;
use uuid::Uuid;

use super::escape;
use super::payload::Payload;
use crate::config::LogLevel;

/// A record before it has an id and a time.
#[derive(Debug)]
pub(super) struct LogRecord {
    pub(super) level: LogLevel,
    pub(super) source: String,
    pub(super) status: String,
    pub(super) message: String,
    pub(super) payload: Payload,
    pub(super) error: Option<ErrorDetails>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorDetails {
    /// A code of the contract, if one was named.
    pub(super) error_code: Option<String>,
    pub(super) error_message: String,
}

/// The line's keys in the contract's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    event_id: Uuid,
    timestamp: Timestamp,
    source: &'a str,
    status: &'a str,
    payload: &'a Payload,
    log_level: &'a str,
    message: &'a str,
    error_details: Option<&'a ErrorDetails>,
}

impl LogRecord {
    /// The record's line, with its newline.
    pub(super) fn line(&self, event_id: Uuid, timestamp: Timestamp) -> String {
        let line = Line {
            event_id,
            timestamp,
            source: &self.source,
            status: &self.status,
            payload: &self.payload,
            log_level: self.level.as_str(),
            message: &self.message,
            error_details: self.error.as_ref(),
        };
        // Texts, a map of values and checked JSON always serialise.
        let mut line = escape::json(serde_json::to_string(&line).unwrap_or_default());
        line.push('\n');
        line
    }
}

/// The status of a record that names none.
pub(super) fn status_of(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug | LogLevel::Info => "SUCCESS",
        LogLevel::Warning => "WARNING",
        LogLevel::Error | LogLevel::Fatal => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::payload::BoundedText;
    use expect_test::expect;

    #[test]
    fn the_exact_line() {
        let mut record = LogRecord {
            level: LogLevel::Error,
            source: "Bridge_Telemetry".into(),
            status: "ERROR".into(),
            message: "Event validation failed.\n{\"forged\":1}\u{1b}[2J".into(),
            payload: Payload::of_text(BoundedText::of("{\"a\":\n\"\u{202e}\"}", 100)),
            error: Some(ErrorDetails {
                error_code: Some("INVALID_EVENT".into()),
                error_message: "source must not be empty".into(),
            }),
        };
        let id = Uuid::from_u128(7);
        let at = Timestamp::parse("2025-05-21T14:32:17.123Z").unwrap();
        expect![[r#"
            {"eventId":"00000000-0000-0000-0000-000000000007","timestamp":"2025-05-21T14:32:17.123Z","source":"Bridge_Telemetry","status":"ERROR","payload":{"a":"\u202e"},"logLevel":"ERROR","message":"Event validation failed.\n{\"forged\":1}\u001b[2J","errorDetails":{"errorCode":"INVALID_EVENT","errorMessage":"source must not be empty"}}
        "#]]
        .assert_eq(&record.line(id, at));
        (record.payload, record.error, record.level) = (Payload::Nothing, None, LogLevel::Info);
        assert!(record.line(id, at).contains(r#""payload":null,"logLevel":"INFO","#));
        assert!(record.line(id, at).ends_with("\"errorDetails\":null}\n"));
    }
}
