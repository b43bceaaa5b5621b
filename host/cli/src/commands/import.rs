//! `import`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::arguments::{Import, ImportFormat, Shared};
use crate::batches::{Batch, read_csv, read_json_lines};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

/// Refused records that are shown one by one.
const SHOWN_REFUSALS: usize = 10;

/// What became of the file's records so far.
#[derive(Default)]
struct Tally {
    batches: u64,
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
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left") {
        bar.set_style(style);
    }
    let input = bar.wrap_read(file);
    let mut tally = Tally::default();
    let mut send = |batch: Batch| {
        let sent = tally.send(connection, &batch, &import.file);
        bar.set_message(format!("{} stored, {} known, {} refused", tally.stored, tally.known, tally.refused));
        sent
    };
    let read = read(input, import, format, &mut send)?;
    bar.finish_and_clear();
    read.map_err(open)?;
    Ok(tally.print(shared))
}

fn read(
    input: impl Read,
    import: &Import,
    format: ImportFormat,
    send: &mut impl FnMut(Batch) -> Result<(), Failure>,
) -> Result<std::io::Result<()>, Failure> {
    let context: Map<String, Value> =
        import.context.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    match format {
        ImportFormat::Jsonl => read_json_lines(BufReader::new(input), send),
        ImportFormat::Csv => {
            let stem = import.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let metric = import.metric.as_deref().unwrap_or(stem);
            read_csv(input, metric, &context, send)
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

impl Tally {
    /// Sends one batch. What the host refuses as a whole ends the import: it can be called again.
    fn send(&mut self, connection: &Connection, batch: &Batch, file: &Path) -> Result<(), Failure> {
        for (line, reason) in &batch.unreadable {
            self.refuse(format!("line {line}: {reason}"));
        }
        if batch.len() == 0 {
            return Ok(());
        }
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let envelope = connection.import(batch.request(self.batches, name).to_string().as_bytes())?;
        self.batches += 1;
        if envelope.error.is_some() {
            let (code, message) =
                (text(&envelope.body, "/error/code"), text(&envelope.body, "/error/message"));
            return Err(Failure::refused(anyhow::anyhow!(
                "the host refused a batch: {code}: {message}; what came before it is stored, call the command again to go on"
            )));
        }
        if envelope.body.get("known").and_then(Value::as_bool) == Some(true) {
            self.known += batch.len() as u64;
            return Ok(());
        }
        self.stored += envelope.body.get("stored").and_then(Value::as_u64).unwrap_or(0);
        for refusal in envelope.body.get("results").and_then(Value::as_array).into_iter().flatten() {
            self.refuse(format!("{}: {}", text(refusal, "/error/code"), text(refusal, "/error/message")));
        }
        Ok(())
    }

    fn refuse(&mut self, reason: String) {
        self.refused += 1;
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
        if self.refused > 0 && self.stored + self.known == 0 { Exit::Refused } else { Exit::Done }
    }
}
