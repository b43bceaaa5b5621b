//! Texts that name an aggregation: `MEAN`, `percentile(q=0.99)`.
//!
//! Grammar: a name, then optionally `key=value` pairs in parentheses, separated by commas. A value is a JSON scalar or a bare
//! word, which is a string.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::limits;

/// An aggregation as a caller names it; nothing is looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregationSpec {
    /// The name as it was written.
    pub name: String,
    /// The parameters in the order they were written.
    pub parameters: Map<String, Value>,
}

/// The text does not follow the grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" does not name an aggregation: {reason}")]
pub struct SpecError {
    /// The text, cut to 64 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl AggregationSpec {
    /// A name without parameters.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Map::new() }
    }

    /// Reads `name` or `name(key=value, …)`.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        parse(text.trim())
            .map_err(|reason| SpecError { text: text.chars().take(64).collect(), reason: reason.into() })
    }
}

impl FromStr for AggregationSpec {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Writes what [`AggregationSpec::parse`] reads.
impl fmt::Display for AggregationSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            f.write_str(if index == 0 { "(" } else { ", " })?;
            match value {
                Value::String(text) if is_bare(text) => write!(f, "{key}={text}")?,
                other => write!(f, "{key}={other}")?,
            }
        }
        f.write_str(if self.parameters.is_empty() { "" } else { ")" })
    }
}

fn parse(text: &str) -> Result<AggregationSpec, &'static str> {
    if text.len() > limits::MAX_AGGREGATION_TEXT_BYTES {
        return Err("it is too long");
    }
    let (name, rest) = take_word(text);
    if name.is_empty() {
        return Err("it must begin with a name of letters, digits and _ - + . : /");
    }
    let mut spec = AggregationSpec::named(name);
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Ok(spec);
    }
    let mut rest = rest.strip_prefix('(').ok_or("after the name comes ( or the end")?.trim_start();
    if rest.starts_with(')') {
        return close(rest, spec);
    }
    loop {
        let (key, value, after) = parse_parameter(rest)?;
        if spec.parameters.insert(key.to_owned(), value).is_some() {
            return Err("a parameter is given twice");
        }
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return close(after, spec),
        }
    }
}

fn close(rest: &str, spec: AggregationSpec) -> Result<AggregationSpec, &'static str> {
    match rest.strip_prefix(')') {
        Some(end) if end.trim().is_empty() => Ok(spec),
        Some(_) => Err("there is text after the )"),
        None => Err("after a parameter comes , or )"),
    }
}

/// One `key=value` and what follows it, without the space in between.
fn parse_parameter(text: &str) -> Result<(&str, Value, &str), &'static str> {
    let (key, rest) = take_word(text);
    if key.is_empty() {
        return Err("a parameter begins with its name");
    }
    let rest = rest.trim_start().strip_prefix('=').ok_or("after a parameter's name comes =")?.trim_start();
    let (value, rest) = if rest.starts_with('"') {
        take_quoted(rest)?
    } else {
        let (word, rest) = take_word(rest);
        if word.is_empty() {
            return Err("a parameter's value is a JSON scalar or a bare word");
        }
        (bare_value(word), rest)
    };
    Ok((key, value, rest.trim_start()))
}

fn bare_value(word: &str) -> Value {
    match serde_json::from_str::<Value>(word) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => value,
        _ => Value::String(word.to_owned()),
    }
}

fn take_quoted(text: &str) -> Result<(Value, &str), &'static str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match values.next() {
        Some(Ok(string)) => {
            let rest = text.get(values.byte_offset()..).unwrap_or_default();
            Ok((Value::String(string), rest))
        }
        _ => Err("a quoted value is not a JSON string"),
    }
}

fn take_word(text: &str) -> (&str, &str) {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | ':' | '/')
}

/// Whether a string can be written without quotes and is read back as the same string.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(is_word)
        && matches!(bare_value(text), Value::String(found) if found == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(text: &str, name: &str, parameters: Value) {
        let spec = AggregationSpec::parse(text).unwrap();
        assert_eq!(spec.name, name, "{text}");
        assert_eq!(Value::Object(spec.parameters), parameters, "{text}");
    }

    #[test]
    fn every_form() {
        check("MEAN", "MEAN", json!({}));
        check("  mean ()  ", "mean", json!({}));
        check("percentile(q=0.99)", "percentile", json!({"q": 0.99}));
        check("percentile ( q = 0.99 , exact=true)", "percentile", json!({"q": 0.99, "exact": true}));
        check("ewma(half_life=5m,by=null)", "ewma", json!({"half_life": "5m", "by": null}));
        check(r#"f(text="a, (b)=\"c\"", n=-1e3)"#, "f", json!({"text": "a, (b)=\"c\"", "n": -1000.0}));
    }

    #[test]
    fn refusals() {
        let long = "x".repeat(limits::MAX_AGGREGATION_TEXT_BYTES + 1);
        for text in [
            "",
            " ",
            "(q=1)",
            "mean(",
            "mean(q",
            "mean(q=",
            "mean(q=)",
            "mean(q=1",
            "mean(q=1) x",
            "mean() x",
            "m(q=1,)",
            "m(q=1 r=2)",
            "m(q=1,q=2)",
            "m(q=\"a)",
            "m x",
            "m(q=[1])",
            &long,
        ] {
            assert!(AggregationSpec::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = AggregationSpec::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(
            name in "[a-zA-Z][a-z0-9_]{0,8}",
            strings in proptest::collection::btree_map("[a-z]{1,4}", ".{0,12}", 0..4),
            number in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        ) {
            let mut spec = AggregationSpec::named(name);
            spec.parameters.extend(strings.into_iter().map(|(key, text)| (key, Value::String(text))));
            spec.parameters.insert("number".to_owned(), json!(number));
            prop_assert_eq!(AggregationSpec::parse(&spec.to_string()).unwrap(), spec);
        }
    }
}
