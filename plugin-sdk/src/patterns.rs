//! Regular expressions, compiled and searched by the host: many times faster than by a library within the component, which takes 40 KB
//! of it besides. For validators, monitors and sinks.
//!
//! The syntax is that of the crate [`regex`](https://docs.rs/regex/latest/regex/#syntax), Unicode included: without look-around and
//! back-references, one match is found in time in proportion to the text, and of many each takes as long as what has to be read
//! behind it (`.*b|a` reads to the end for each `a`). It is the call's own time. A call that floods the host with
//! expressions and searches fails: more than two thousand, and as many as there may be expressions (256) for each record, sample or
//! alert that the call is about. In native builds that crate itself searches. It finds the same places, but has none of the host's
//! limits: it takes more and longer expressions, and gives up no text.

use std::ops::Range;

use crate::bindings::imports::types::TextColumn;
use crate::error::{PluginError, Result};

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::patterns as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::patterns as host;

/// One regular expression. It takes a part of the plugin's memory as long as it is kept: make it once, in
/// [`Plugin::new`](crate::Plugin::new).
///
/// ```
/// use bridge_telemetry_plugin::patterns::{Pattern, Texts};
///
/// let pattern = Pattern::new("tok-[0-9]+")?;
/// assert!(pattern.is_match("it is tok-42")?);
///
/// let mut texts = Texts::new();
/// texts.push("nothing")?;
/// texts.push("tok-1 and tok-20")?;
/// let findings = pattern.find(&texts)?;
/// let places: Vec<_> = findings.found.into_iter().map(|found| (found.text, found.range)).collect();
/// assert_eq!(places, [(1, 0..5), (1, 10..16)]);
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
#[derive(Debug)]
pub struct Pattern(host::Pattern);

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] says where it is wrong, or which limit of the host it is over: 4 KiB of text, 4 MiB when it is
    /// compiled, 256 patterns that are kept.
    pub fn new(expression: &str) -> Result<Self> {
        Ok(Self(host::Pattern::compile(expression)?))
    }

    /// Whether it is found anywhere in the text. Who has many texts asks for all of them at once, with [`find`](Self::find).
    ///
    /// # Errors
    /// When the text is too long to be searched for this pattern at a bounded cost.
    pub fn is_match(&self, text: &str) -> Result<bool> {
        Ok(self.0.is_match(text)?)
    }

    /// Finds all places in all texts: one call for a whole batch.
    ///
    /// # Errors
    /// When there are more places than the host hands over: a million.
    pub fn find(&self, texts: &Texts) -> Result<Findings> {
        let findings = self.0.find(&texts.column)?;
        let found = findings.found.into_iter().map(|found| Found {
            text: found.text as usize,
            range: found.start as usize..found.end as usize,
        });
        let given_up = findings.given_up.into_iter().map(|text| text as usize);
        Ok(Findings { found: found.collect(), given_up: given_up.collect() })
    }
}

/// Many texts, numbered from 0, that are searched together.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    column: TextColumn,
}

impl Texts {
    /// No texts yet.
    pub const fn new() -> Self {
        Self { column: TextColumn { bytes: Vec::new(), ends: Vec::new() } }
    }

    /// Adds a text behind the others.
    ///
    /// # Errors
    /// When all texts together come to 4 GiB.
    pub fn push(&mut self, text: &str) -> Result<()> {
        let end = self.column.bytes.len().checked_add(text.len()).and_then(|end| u32::try_from(end).ok());
        let end = end.ok_or_else(|| PluginError::unsupported("the texts have too many bytes"))?;
        self.column.bytes.extend_from_slice(text.as_bytes());
        self.column.ends.push(end);
        Ok(())
    }

    /// The number of texts.
    pub const fn len(&self) -> usize {
        self.column.ends.len()
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.column.ends.is_empty()
    }

    /// The text of this number.
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = |number: usize| self.column.ends.get(number).map(|end| *end as usize);
        let start = number.checked_sub(1).map_or(Some(0), end)?;
        std::str::from_utf8(self.column.bytes.get(start..end(number)?)?).ok()
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::new()
    }
}

/// What a search of many texts found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// In order of the texts, and within each from left to right without overlaps.
    pub found: Vec<Found>,
    /// The texts, in order, that are too long to be searched for this pattern at a bounded cost; nothing in them is in `found`.
    pub given_up: Vec<usize>,
}

/// One place where a pattern was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of the text.
    pub text: usize,
    /// Which bytes of it; none where the pattern matches nothing but a place.
    pub range: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Texts {
        let mut texts = Texts::new();
        all.iter().try_for_each(|text| texts.push(text)).unwrap();
        texts
    }

    #[test]
    fn texts_are_given_back_by_their_numbers() {
        let given = ["", "é", "", "abc"];
        let texts = texts(&given);
        assert_eq!((texts.len(), texts.is_empty(), Texts::default().is_empty()), (4, false, true));
        for (number, text) in given.iter().enumerate() {
            assert_eq!(texts.get(number), Some(*text));
        }
        assert_eq!(texts.get(4), None);
    }

    #[test]
    fn all_places_in_all_texts_are_found() {
        let places = |expression: &str, all: &[&str]| {
            let findings = Pattern::new(expression).unwrap().find(&texts(all)).unwrap();
            assert!(findings.given_up.is_empty());
            findings.found.into_iter().map(|found| (found.text, found.range)).collect::<Vec<_>>()
        };
        assert_eq!(places("b+", &["abba", "", "b"]), [(0, 1..3), (2, 0..1)]);
        assert_eq!(places(r"ö\b", &["äö", "ö"]), [(0, 2..4), (1, 0..2)]);
        assert_eq!(places("x?", &["a", ""]), [(0, 0..0), (0, 1..1), (1, 0..0)]);
        assert_eq!(places("a|ab", &["ab"]), [(0, 0..1)], "the one that the expression prefers");
        assert!(places("ab", &["a", "b"]).is_empty(), "not across texts");
        assert!(places("a", &[]).is_empty());
    }

    #[test]
    fn a_wrong_expression_is_unsupported() {
        let error = Pattern::new("a(b").err().unwrap();
        assert!(matches!(&error, PluginError::Unsupported(message) if message.contains("unclosed group")));
        assert!(Pattern::new("(?=a)").is_err());
    }
}
