//! Regular expressions, searched for plugins.

use std::ops::ControlFlow;
use std::time::Instant;

use telemetry_core::limits;
use wasmtime::Trap;
use wasmtime::component::Resource;

use crate::bindings::patterns::{Findings, Found, Host, HostPattern};
use crate::bindings::types::{PluginError, TextColumnResult};
use crate::linker::unsupported;
use crate::pattern::{Pattern, Searched};
use crate::state::HostState;

impl Host for HostState {}

/// Its time is the guest's own, as if it compiled and searched itself, and ends the call when it is over.
impl HostPattern for HostState {
    fn compile(&mut self, expression: String) -> wasmtime::Result<Result<Resource<Pattern>, PluginError>> {
        self.count_search()?;
        if self.patterns.is_full() {
            return unsupported(format!("the plugin keeps {} patterns already", limits::MAX_PATTERNS));
        }
        let pattern = match Pattern::new(&expression) {
            Ok(pattern) => pattern,
            Err(reason) => return unsupported(reason),
        };
        if !self.limiter.host_grows(pattern.memory()) {
            return unsupported("the plugin's memory has no room for this pattern".to_owned());
        }
        Ok(Ok(self.patterns.keep(pattern)?))
    }

    fn is_match(
        &mut self,
        pattern: Resource<Pattern>,
        text: String,
    ) -> wasmtime::Result<Result<bool, PluginError>> {
        let end = self.count_search()?;
        let found = self.patterns.get(&pattern)?.is_match(&text);
        // As a guest ends whose own code takes too long.
        if end.is_some_and(|end| Instant::now() >= end) {
            return Err(Trap::Interrupt.into());
        }
        match found {
            Some(found) => Ok(Ok(found)),
            None => unsupported("the text is too long for this pattern".to_owned()),
        }
    }

    fn find(
        &mut self,
        pattern: Resource<Pattern>,
        texts: TextColumnResult,
    ) -> wasmtime::Result<Result<Findings, PluginError>> {
        let end = self.count_search()?;
        let is_over = || end.is_some_and(|end| Instant::now() >= end);
        let pattern = self.patterns.get(&pattern)?;
        let mut findings = Findings { found: Vec::new(), given_up: Vec::new() };
        for (text, content) in texts_of(&texts).enumerate() {
            let Some(content) = content else {
                return unsupported(format!("text {text} is not UTF-8 within the bytes of the column"));
            };
            let text = offset(text);
            let before = findings.found.len();
            let searched = pattern.find(content, |place| {
                findings.found.push(Found { text, start: offset(place.start), end: offset(place.end) });
                let is_enough = findings.found.len() > limits::MAX_PATTERN_PLACES || is_over();
                if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if searched == Searched::GivenUp {
                findings.found.truncate(before);
                findings.given_up.push(text);
            }
            if findings.found.len() > limits::MAX_PATTERN_PLACES {
                let limit = limits::MAX_PATTERN_PLACES;
                return unsupported(format!("the pattern is found in more than {limit} places"));
            }
            // As a guest ends whose own code takes too long.
            if is_over() {
                return Err(Trap::Interrupt.into());
            }
        }
        Ok(Ok(findings))
    }

    fn drop(&mut self, pattern: Resource<Pattern>) -> wasmtime::Result<()> {
        let pattern = self.patterns.give_back(pattern)?;
        self.limiter.host_shrank(pattern.memory());
        Ok(())
    }
}

/// All strings of a column, in order; `None` stands for one that is none.
fn texts_of(column: &TextColumnResult) -> impl Iterator<Item = Option<&str>> {
    let whole = std::str::from_utf8(&column.bytes).ok();
    let starts = std::iter::once(0).chain(column.ends.iter().copied());
    starts.zip(&column.ends).map(move |(start, end)| {
        let place = start as usize..*end as usize;
        match whole {
            Some(whole) => whole.get(place),
            // Some text is none.
            None => std::str::from_utf8(column.bytes.get(place)?).ok(),
        }
    })
}

/// A column has less than 4 GiB, and less strings.
fn offset(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_that_is_none_is_known() {
        let texts = |bytes: &[u8], ends: &[u32]| {
            let column = TextColumnResult { bytes: bytes.to_vec(), ends: ends.to_vec() };
            texts_of(&column).map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(texts("aéb".as_bytes(), &[1, 3, 4]), [some("a"), some("é"), some("b")]);
        assert_eq!(texts(b"a\xFFb", &[1, 2, 3]), [some("a"), None, some("b")]);
        // Within a character, beyond the end, backwards.
        for ends in [&[2_u32][..], &[9], &[4, 1]] {
            assert!(texts("aéb".as_bytes(), ends).contains(&None), "{ends:?}");
        }
    }
}
