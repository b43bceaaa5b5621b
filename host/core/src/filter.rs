//! Filters on the labels of series: `{"key": "value" | ["a","b"] | {"regex": "…"} | {"not": …}}` (spec §1).

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::limits;

/// A condition on one label of a series.
#[derive(Clone, Debug)]
pub struct LabelFilter {
    /// The context's key.
    pub key: String,
    /// What its text must be.
    pub matcher: LabelMatcher,
}

/// What a label's text must be. A series without the label matches nothing but a negation.
#[derive(Clone, Debug)]
pub enum LabelMatcher {
    /// Exactly this text.
    Equal(String),
    /// One of these texts.
    In(Vec<String>),
    /// Matched as a whole by this expression.
    Regex(Regex),
    /// Not what the inner matcher says.
    Not(Box<LabelMatcher>),
}

/// A filter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter on \"{key}\": {reason}")]
pub struct FilterError {
    /// The label's key.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

impl LabelFilter {
    /// The filter `key = value`.
    pub fn equal(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), matcher: LabelMatcher::Equal(value.into()) }
    }

    /// Parses one entry of the contract's filter object.
    pub fn parse(key: &str, value: &Value) -> Result<Self, FilterError> {
        let matcher =
            LabelMatcher::parse(value, 0).map_err(|reason| FilterError { key: key.to_owned(), reason })?;
        Ok(Self { key: key.to_owned(), matcher })
    }

    /// Whether a series whose label has this text (`None`: no such label) passes.
    pub fn matches(&self, text: Option<&str>) -> bool {
        self.matcher.matches(text)
    }
}

impl LabelMatcher {
    /// A whole-text regular expression with a bounded compiled size.
    pub fn regex(pattern: &str) -> Result<Self, String> {
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(limits::MAX_REGEX_BYTES)
                .build()
                .map_err(|error| error.to_string())
        };
        // By itself first: of "a)|(?:b" the anchors' group would be closed within the pattern.
        build(pattern)?;
        build(&format!("^(?:{pattern})$")).map(Self::Regex)
    }

    fn parse(value: &Value, depth: u32) -> Result<Self, String> {
        match value {
            Value::Array(values) => values.iter().map(scalar_text).collect::<Result<_, _>>().map(Self::In),
            Value::Object(map) => {
                let mut entries = map.iter();
                match (entries.next(), entries.next()) {
                    (Some((key, Value::String(pattern))), None) if key == "regex" => Self::regex(pattern),
                    (Some((key, inner)), None) if key == "not" && depth < 4 => {
                        Self::parse(inner, depth + 1).map(|matcher| Self::Not(Box::new(matcher)))
                    }
                    _ => Err("an object must be {\"regex\": \"…\"} or {\"not\": …}".to_owned()),
                }
            }
            scalar => scalar_text(scalar).map(Self::Equal),
        }
    }

    /// Whether a label with this text (`None`: no such label) matches.
    pub fn matches(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Not(inner), text) => !inner.matches(text),
            (_, None) => false,
            (Self::Equal(wanted), Some(text)) => wanted == text,
            (Self::In(wanted), Some(text)) => wanted.iter().any(|value| value == text),
            (Self::Regex(regex), Some(text)) => regex.is_match(text),
        }
    }
}

fn scalar_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) | Value::Null => Ok(value.to_string()),
        _ => Err("values must be strings, numbers or booleans".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form() {
        let check = |filter: Value, text: Option<&str>, expected: bool| {
            assert_eq!(
                LabelFilter::parse("k", &filter).unwrap().matches(text),
                expected,
                "{filter} {text:?}"
            );
        };
        check(json!("a"), Some("a"), true);
        check(json!(1), Some("1"), true);
        check(json!(["a", "b"]), Some("b"), true);
        check(json!({"regex": "a|b.*"}), Some("bcd"), true);
        check(json!({"regex": "a"}), Some("ba"), false);
        check(json!({"regex": "(a)|(?:b)"}), Some("xb"), false);
        check(json!({"not": "a"}), Some("b"), true);
        check(json!({"not": ["a"]}), None, true);
        check(json!("a"), None, false);
    }

    #[test]
    fn bad_filters() {
        let escaping =
            ["(", "a)|(?:b", "a)|(b", ")(?:", "(?x)a # no end"].map(|regex| json!({ "regex": regex }));
        let others = [json!({}), json!({"regex": "a", "not": "b"}), json!([[1]])];
        for filter in escaping.into_iter().chain(others) {
            assert!(LabelFilter::parse("k", &filter).is_err(), "{filter}");
        }
    }
}
