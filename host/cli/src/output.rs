//! What commands print. Text that comes from records or plugins never reaches a terminal with control characters.

use std::io::Write;

use bridge_telemetry::envelope::{Envelope, error_envelope};
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Prints a line on standard output. A reader that went away ends the command quietly.
pub(crate) fn line(text: &str) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints an answer: the envelope with `--json`, else an error on standard error or `show`'s text.
pub(crate) fn answer(envelope: &Envelope, json: bool, show: impl FnOnce(&Value)) -> Exit {
    if json {
        line(&envelope.body.to_string());
    } else if envelope.error.is_some() {
        print_error(&envelope.body);
    } else {
        show(&envelope.body);
    }
    if envelope.is_success() { Exit::Done } else { Exit::Refused }
}

fn print_error(body: &Value) {
    let errors: Vec<&Value> = match body.get("results").and_then(Value::as_array) {
        Some(results) => results.iter().filter_map(|result| result.get("error")).collect(),
        None => body.get("error").into_iter().collect(),
    };
    for error in errors {
        eprintln!("error: {}: {}", text(error, "/code"), text(error, "/message"));
        for issue in
            error.pointer("/details/validation_errors").and_then(Value::as_array).into_iter().flatten()
        {
            let (field, message) = (text(issue, "/field"), text(issue, "/message"));
            eprintln!("  {field}: {message} ({}, {})", text(issue, "/code"), text(issue, "/validator"));
        }
        if let Some(supported) = error.pointer("/details/supported").and_then(Value::as_array) {
            let names: Vec<&str> = supported.iter().filter_map(Value::as_str).collect();
            eprintln!("  supported: {}", printable(&names.join(", ")));
        }
    }
}

/// Prints why a command could not do its work.
pub(crate) fn print_failure(failure: &Failure, json: bool) {
    if json {
        line(&error_envelope(failure.code(), &failure.message(), failure.details()).body.to_string());
    } else {
        eprintln!("error: {}", printable(&failure.message()));
    }
}

/// A table without frames; without a header when all of its cells are empty.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if header.iter().any(|cell| !cell.is_empty()) {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row);
    }
    for row in table.to_string().lines() {
        line(row.trim_end());
    }
}

/// The text at a pointer, in one line: strings bare, null as `-`, others as JSON.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => one_line(text),
        Some(other) => one_line(&other.to_string()),
    }
}

/// The printable text without line feeds: what comes from a record must not look like the next line.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\u{FFFD}")
}

/// The text without control characters and marks that reorder it on a terminal; line feeds stay.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| {
        c == '\n' || !(c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
    };
    text.chars().map(|c| if harmless(c) { c } else { '\u{FFFD}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_no_control_characters() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\rd\n"), "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d\n");
        let event = serde_json::json!({"source": "s\n2026  FORGED", "data": {"k": "\u{202e}\n"}});
        assert_eq!(text(&event, "/source"), "s\u{FFFD}2026  FORGED");
        assert_eq!(text(&event, "/data"), r#"{"k":"\u{202e}\n"}"#.replace("\\u{202e}", "\u{FFFD}"));
    }
}
