//! The payload of a record, bounded as it is taken in.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemetry_core::limits;

/// A text of which only the beginning is kept when it is too long; its whole size is known.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundedText {
    text: String,
    limit: usize,
    size: usize,
}

impl BoundedText {
    /// An empty text that keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, size: 0 }
    }

    /// `text`, as far as `limit` allows.
    pub(super) fn of(text: &str, limit: usize) -> Self {
        let mut bounded = Self::new(limit);
        bounded.push(text);
        bounded
    }

    /// The text; what is missing is said at its end.
    pub(super) fn into_text(mut self) -> String {
        if self.is_cut() {
            self.text.push_str(&format!("… ({} bytes)", self.size));
        }
        self.text
    }

    fn is_cut(&self) -> bool {
        self.size > self.text.len()
    }

    fn push(&mut self, more: &str) {
        // Once something was left out, nothing more is taken in.
        if !self.is_cut() {
            let room = self.limit.saturating_sub(self.text.len());
            let end = if more.len() <= room { more.len() } else { more.floor_char_boundary(room) };
            self.text.push_str(more.get(..end).unwrap_or_default());
        }
        self.size = self.size.saturating_add(more.len());
    }
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push(more);
        Ok(())
    }
}

/// What a record is about.
#[derive(Debug, Default)]
pub(super) enum Payload {
    /// Nothing: null.
    #[default]
    Nothing,
    /// JSON as it was given.
    Json(Box<RawValue>),
    /// A text that is not JSON.
    Text(String),
    /// Too long; only its beginning is shown.
    Cut {
        /// In bytes.
        original_size: usize,
        /// Its first characters.
        summary: String,
    },
}

impl Payload {
    /// A payload that was given as text.
    pub(super) fn of_text(given: BoundedText) -> Self {
        if given.is_cut() {
            return Self::cut(&given.text, given.size);
        }
        match serde_json::from_str::<&RawValue>(&given.text) {
            Ok(json) => Self::Json(json.to_owned()),
            Err(_) => Self::Text(given.text),
        }
    }

    /// A payload of fields; none without fields.
    pub(super) fn of_fields(fields: &Map<String, Value>) -> Self {
        if fields.is_empty() {
            return Self::Nothing;
        }
        let text = serde_json::to_string(fields).unwrap_or_default();
        Self::of_text(BoundedText::of(&text, limits::MAX_LOGGED_PAYLOAD_BYTES))
    }

    fn cut(text: &str, original_size: usize) -> Self {
        Self::Cut { original_size, summary: text.chars().take(limits::LOGGED_SUMMARY_CHARS).collect() }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Json(json) => json.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Cut { original_size, summary } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("truncated", &true)?;
                map.serialize_entry("original_size", original_size)?;
                map.serialize_entry("summary", summary)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn shown(text: &str) -> String {
        let given = BoundedText::of(text, limits::MAX_LOGGED_PAYLOAD_BYTES);
        serde_json::to_string(&Payload::of_text(given)).unwrap()
    }

    #[test]
    fn json_stays_and_text_becomes_a_string() {
        assert_eq!(shown(r#"{"b":42.0,"a":[]}"#), r#"{"b":42.0,"a":[]}"#);
        assert_eq!(shown("not json"), r#""not json""#);
        assert_eq!(shown("{} {}"), r#""{} {}""#);
        assert_eq!(shown(""), r#""""#);
    }

    #[test]
    fn above_a_mebibyte_only_the_beginning_is_shown() {
        let whole = format!("\"{}\"", "é".repeat((limits::MAX_LOGGED_PAYLOAD_BYTES - 2) / 2));
        assert_eq!(whole.len(), limits::MAX_LOGGED_PAYLOAD_BYTES);
        assert_eq!(shown(&whole), whole);
        let longer = format!("{whole} ");
        let expected = serde_json::json!({
            "truncated": true,
            "original_size": longer.len(),
            "summary": longer.chars().take(1000).collect::<String>(),
        });
        assert_eq!(shown(&longer), expected.to_string());
    }

    #[test]
    fn a_long_text_says_what_is_missing() {
        let mut text = BoundedText::new(10);
        for _ in 0..4 {
            write!(text, "äöü").unwrap();
        }
        assert_eq!(text.into_text(), "äöüäö… (24 bytes)");
        assert_eq!(BoundedText::of("short", 10).into_text(), "short");
    }
}
