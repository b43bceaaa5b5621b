//! The stand-in for the host that searches for regular expressions, with the functions of the generated bindings.

use crate::bindings::imports::patterns::{Findings, Found};
use crate::bindings::imports::types::{PluginError, TextColumn};

/// One regular expression.
#[derive(Debug)]
pub(crate) struct Pattern(regex::Regex);

impl Pattern {
    pub(crate) fn compile(expression: &str) -> Result<Self, PluginError> {
        let compiled = regex::Regex::new(expression);
        compiled.map(Self).map_err(|error| PluginError::Unsupported(error.to_string()))
    }

    pub(crate) fn is_match(&self, text: &str) -> Result<bool, PluginError> {
        Ok(self.0.is_match(text))
    }

    pub(crate) fn find(&self, texts: &TextColumn) -> Result<Findings, PluginError> {
        let mut found = Vec::new();
        let mut start = 0;
        for (number, end) in (0..).zip(&texts.ends) {
            let end = *end as usize;
            let text = texts.bytes.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| PluginError::Unsupported(format!("text {number} is not UTF-8")))?;
            let places = self.0.find_iter(text);
            found.extend(places.map(|place| Found {
                text: number,
                start: offset(place.start()),
                end: offset(place.end()),
            }));
            start = end;
        }
        Ok(Findings { found, given_up: Vec::new() })
    }
}

/// No text of a column is longer.
fn offset(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
