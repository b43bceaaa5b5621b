//! `import`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use telemetry_core::ErrorCode;

use crate::arguments::{Import, ImportFormat, Shared};
use crate::batches::{Batch, Target, read_csv, read_json_lines};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

/// Refused records that are shown one by one.
const SHOWN_REFUSALS: usize = 10;

/// What became of the file's records so far.
#[derive(Default)]
struct Tally {
    stored: u64,
    known: u64,
    refused: u64,
    reasons: Vec<String>,
}

pub(super) fn execute(connection: &Connection, import: &Import, shared: &Shared) -> Result<Exit, Failure> {
    let place = || import.file.display().to_string();
    let open = |error: std::io::Error| Failure::usage(anyhow::Error::new(error).context(place()));
    let file = File::open(&import.file).map_err(open)?;
    let length = file.metadata().map_err(open)?.len();
    let format = import.format.or_else(|| format_of(&import.file)).ok_or_else(|| {
        Failure::usage(anyhow::anyhow!("name the format of {} with --format", import.file.display()))
    })?;
    if format == ImportFormat::Jsonl && import.metric.is_some() {
        return Err(Failure::usage(anyhow::anyhow!(
            "--metric names the metric of a CSV file; a JSON line names its own with metric_name"
        )));
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left") {
        bar.set_style(style);
    }
    let input = bar.wrap_read(file);
    let name = import.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut sender =
        Sender { connection, name, bar: &bar, batches: 0, body_limit: None, tally: Tally::default() };
    let read = read(input, import, format, &mut sender)?;
    bar.finish_and_clear();
    read.map_err(open)?;
    Ok(sender.tally.print(shared))
}

fn read(
    input: impl Read,
    import: &Import,
    format: ImportFormat,
    sender: &mut Sender<'_>,
) -> Result<std::io::Result<()>, Failure> {
    let context: Map<String, Value> =
        import.context.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    match format {
        ImportFormat::Jsonl => read_json_lines(BufReader::new(input), &context, sender),
        ImportFormat::Csv => {
            let stem = import.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let metric = import.metric.as_deref().unwrap_or(stem);
            read_csv(input, metric, &context, sender)
        }
    }
}

fn format_of(file: &Path) -> Option<ImportFormat> {
    match file.extension()?.to_str()? {
        "jsonl" | "ndjson" => Some(ImportFormat::Jsonl),
        "csv" => Some(ImportFormat::Csv),
        _ => None,
    }
}

/// Sends the file's batches in order. What the host refuses for another reason than its size ends the import: it can be
/// called again.
struct Sender<'a> {
    connection: &'a Connection,
    /// The file's, for people.
    name: &'a str,
    bar: &'a ProgressBar,
    /// Batches so far, whatever became of them: each batch's id depends on its place.
    batches: u64,
    /// The host's limit of a body in bytes, once it has told it.
    body_limit: Option<u64>,
    tally: Tally,
}

impl Target for Sender<'_> {
    type Error = Failure;

    fn send(&mut self, batch: Batch) -> Result<(), Failure> {
        let place = self.batches;
        self.batches = self.batches.saturating_add(1);
        let sent = self.send_in_parts(place, batch);
        let Tally { stored, known, refused, .. } = &self.tally;
        self.bar.set_message(format!("{stored} stored, {known} known, {refused} refused"));
        sent
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.tally.refuse(format!("line {line}: {reason}"));
    }
}

impl Sender<'_> {
    /// Sends a batch; what is too large for the host in halves, down to single records, which are refused then.
    fn send_in_parts(&mut self, place: u64, batch: Batch) -> Result<(), Failure> {
        let mut waiting = vec![batch];
        while let Some(part) = waiting.pop() {
            let Some(objection) = self.offer(place, &part)? else { continue };
            match part.halves() {
                Ok([first, second]) => waiting.extend([second, first]),
                Err(single) => match single.line_of(0) {
                    Some(line) => self.refuse(line, objection),
                    None => self.tally.refuse(objection),
                },
            }
        }
        Ok(())
    }

    /// Sends a batch or a part of one as it is; when it is too large for the host, the host's objection.
    fn offer(&mut self, place: u64, part: &Batch) -> Result<Option<String>, Failure> {
        let request = part.request(place, self.name);
        if let Some(limit) = self.body_limit
            && request.len() as u64 > limit
        {
            let code = ErrorCode::PayloadTooLarge;
            return Ok(Some(format!("{code}: the body is over the limit of {limit} bytes")));
        }
        let envelope = self.connection.import(request.as_bytes())?;
        let Some(error) = envelope.error else {
            self.tally.count(part, &envelope.body);
            return Ok(None);
        };
        let (code, message) = (text(&envelope.body, "/error/code"), text(&envelope.body, "/error/message"));
        if error == ErrorCode::PayloadTooLarge {
            if envelope.body.pointer("/error/details/unit").and_then(Value::as_str) == Some("bytes") {
                self.body_limit = envelope.body.pointer("/error/details/limit").and_then(Value::as_u64);
            }
            return Ok(Some(format!("{code}: {message}")));
        }
        Err(Failure::refused(anyhow::anyhow!(
            "the host refused a batch: {code}: {message}; what came before it is stored, call the command again to go on"
        )))
    }
}

impl Tally {
    /// What the host answered to a batch or a part of one.
    fn count(&mut self, part: &Batch, body: &Value) {
        if body.get("known").and_then(Value::as_bool) == Some(true) {
            self.known = self.known.saturating_add(part.len() as u64);
            return;
        }
        let stored = body.get("stored").and_then(Value::as_u64).unwrap_or(0);
        self.stored = self.stored.saturating_add(stored);
        for refusal in body.get("results").and_then(Value::as_array).into_iter().flatten() {
            let reason = format!("{}: {}", text(refusal, "/error/code"), text(refusal, "/error/message"));
            let number = refusal.get("index").and_then(Value::as_u64);
            match number.and_then(|number| part.line_of(usize::try_from(number).ok()?)) {
                Some(line) => self.refuse(format!("line {line}: {reason}")),
                None => self.refuse(reason),
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        self.refused = self.refused.saturating_add(1);
        if self.reasons.len() < SHOWN_REFUSALS {
            self.reasons.push(reason);
        }
    }

    fn print(&self, shared: &Shared) -> Exit {
        let status = if self.refused == 0 { "success" } else { "partial" };
        if shared.json {
            let body = json!({
                "status": status, "stored": self.stored, "known": self.known, "refused": self.refused,
                "reasons": self.reasons,
            });
            output::line(&body.to_string());
        } else {
            for reason in &self.reasons {
                eprintln!("refused: {}", output::one_line(reason));
            }
            let (stored, known, refused) = (self.stored, self.known, self.refused);
            output::line(&format!("{stored} stored, {known} known already, {refused} refused"));
        }
        if self.refused > 0 && self.stored == 0 && self.known == 0 { Exit::Refused } else { Exit::Done }
    }
}
