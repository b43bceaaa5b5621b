//! The copy for people: one coloured line on standard error for each record.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use telemetry_core::{Timestamp, limits};

use super::escape;
use super::payload::Payload;
use super::record::LogRecord;
use crate::config::LogLevel;

/// Where the copy goes.
#[derive(Default)]
pub enum Console {
    /// Nowhere.
    Off,
    /// To standard error, coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Stderr,
    /// To a writer, such as one that keeps a status line at the bottom of the terminal.
    Writer {
        /// Gets one whole line with each call.
        writer: Box<dyn Write + Send>,
        /// Whether it shows ANSI colours.
        color: bool,
    },
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Stderr => "Stderr",
            Self::Writer { .. } => "Writer",
        })
    }
}

/// The open console.
pub(super) struct ConsoleCopy {
    /// Standard error when absent.
    writer: Option<Mutex<Box<dyn Write + Send>>>,
    color: bool,
}

impl ConsoleCopy {
    /// `None` when it is off.
    pub(super) fn open(console: Console) -> Option<Self> {
        match console {
            Console::Off => None,
            Console::Stderr => {
                let color = anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never;
                Some(Self { writer: None, color })
            }
            Console::Writer { writer, color } => Some(Self { writer: Some(Mutex::new(writer)), color }),
        }
    }

    /// Writes the copy of a record.
    pub(super) fn write(&self, record: &LogRecord, timestamp: Timestamp) -> io::Result<()> {
        let line = line(record, timestamp, self.color);
        match &self.writer {
            Some(writer) => writer.lock().write_all(line.as_bytes()),
            None => io::stderr().lock().write_all(line.as_bytes()),
        }
    }
}

fn line(record: &LogRecord, timestamp: Timestamp, color: bool) -> String {
    let styled = |style: Style| if color { style } else { Style::new() };
    let (dim, level) = (styled(Style::new().dimmed()), styled(level_style(record.level)));
    let mut line = String::with_capacity(160);
    let _ = write!(
        line,
        "{dim}{timestamp}{dim:#} {level}{:<7}{level:#} {dim}{}:{dim:#} {}",
        record.level,
        escape::text(&record.source),
        escape::text(&record.message),
    );
    if let Some(error) = &record.error {
        let code = error.error_code.as_deref().unwrap_or("error");
        let _ = write!(line, " [{}: {}]", escape::text(code), escape::text(&error.error_message));
    }
    if !matches!(record.payload, Payload::Nothing) {
        let payload = escape::json(serde_json::to_string(&record.payload).unwrap_or_default());
        let end = payload.floor_char_boundary(limits::MAX_CONSOLE_PAYLOAD_BYTES);
        let (shown, rest) = payload.split_at_checked(end).unwrap_or((&payload, ""));
        let _ = write!(line, " {dim}{shown}{}{dim:#}", if rest.is_empty() { "" } else { "…" });
    }
    line.push('\n');
    line
}

fn level_style(level: LogLevel) -> Style {
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    match level {
        LogLevel::Debug => color(AnsiColor::Blue),
        LogLevel::Info => color(AnsiColor::Green),
        LogLevel::Warning => color(AnsiColor::Yellow),
        LogLevel::Error => color(AnsiColor::Red),
        LogLevel::Fatal => color(AnsiColor::Red).bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::payload::BoundedText;
    use crate::logging::record::ErrorDetails;
    use expect_test::expect;

    fn record() -> LogRecord {
        LogRecord {
            level: LogLevel::Fatal,
            source: "Bridge\u{1b}[2J".into(),
            status: "ERROR".into(),
            message: "two\nlines\u{202e}".into(),
            payload: Payload::of_text(BoundedText::of("{\"a\":\"\u{9b}\"}", 100)),
            error: Some(ErrorDetails { error_code: None, error_message: "bell\u{7}".into() }),
        }
    }

    #[test]
    fn plain_and_coloured() {
        let at = Timestamp::parse("2025-05-21T14:32:17.123Z").unwrap();
        expect![[r#"
            2025-05-21T14:32:17.123Z FATAL   Bridge\u{1b}[2J: two\nlines\u{202e} [error: bell\u{7}] {"a":"\u009b"}
        "#]]
        .assert_eq(&line(&record(), at, false));
        let coloured = line(&record(), at, true).replace('\u{1b}', "^");
        expect![[r#"
            ^[2m2025-05-21T14:32:17.123Z^[0m ^[1m^[31mFATAL  ^[0m ^[2mBridge\u{1b}[2J:^[0m two\nlines\u{202e} [error: bell\u{7}] ^[2m{"a":"\u009b"}^[0m
        "#]]
        .assert_eq(&coloured);
    }

    #[test]
    fn a_long_payload_is_cut() {
        let mut record = record();
        record.payload = Payload::Text("é".repeat(5_000));
        let line = line(&record, Timestamp::EPOCH, false);
        assert!(line.len() < limits::MAX_CONSOLE_PAYLOAD_BYTES + 200, "{}", line.len());
        assert!(line.ends_with("…\n"));
    }
}
