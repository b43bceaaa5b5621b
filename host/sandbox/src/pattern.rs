//! Regular expressions that plugins have the host search for, at a bounded cost for any expression and any text.
//!
//! A lazy DFA reads each byte once or twice, and finds its states while it reads. A text that makes it find the same states over
//! and over, or one beyond ASCII where the expression has a word boundary, is followed through the NFA, state by state; only as long
//! as states and bytes are few. What is too long for that is given up.

use std::ops::{ControlFlow, Range};

use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::iter::Searcher;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::syntax;
use regex_automata::{Input, Match, MatchError, MatchErrorKind, MatchKind};
use telemetry_core::limits;

/// One regular expression, ready to be searched for.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
pub struct Pattern {
    lazy: regex::Regex,
    cache: regex::Cache,
    exact: PikeVM,
    /// States of the NFA.
    states: usize,
    memory: usize,
}

/// How far a search got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Searched {
    /// To the end.
    Whole,
    /// The text is too long for this expression.
    GivenUp,
    /// No further: it was told to stop.
    Stopped,
}

impl Pattern {
    /// Compiles an expression; an error says where it is wrong or which limit it is over.
    pub(crate) fn new(expression: &str) -> Result<Self, String> {
        if expression.len() > limits::MAX_PATTERN_EXPRESSION_BYTES {
            let limit = limits::MAX_PATTERN_EXPRESSION_BYTES;
            return Err(format!("the expression is longer than {limit} bytes"));
        }
        let hir = syntax::parse(expression).map_err(|error| error.to_string())?;
        let nfa = |config: Config| -> Result<NFA, String> {
            let config = config.nfa_size_limit(Some(limits::MAX_PATTERN_BYTES));
            let built = Compiler::new().configure(config).build_from_hir(&hir);
            built.map_err(|error| match error.size_limit() {
                Some(limit) => format!("the expression takes more than {limit} bytes when it is compiled"),
                None => error.to_string(),
            })
        };
        let forward = nfa(Config::new().which_captures(WhichCaptures::Implicit))?;
        let reverse = nfa(Config::new().which_captures(WhichCaptures::None).reverse(true))?;
        let automaton = |config: dfa::Config, nfa: &NFA| {
            let config = config
                .unicode_word_boundary(true)
                .cache_capacity(limits::PATTERN_CACHE_BYTES)
                .skip_cache_capacity_check(true)
                .minimum_cache_clear_count(Some(limits::MAX_PATTERN_CACHE_CLEARS));
            let least = config.get_minimum_cache_capacity(nfa).map_err(|error| error.to_string())?;
            let built = dfa::Builder::new().configure(config).build_from_nfa(nfa.clone());
            Ok::<_, String>((
                built.map_err(|error| error.to_string())?,
                least.max(limits::PATTERN_CACHE_BYTES),
            ))
        };
        let first = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &hir);
        let (fore, fore_cache) = automaton(dfa::Config::new().prefilter(first), &forward)?;
        let (back, back_cache) = automaton(dfa::Config::new().match_kind(MatchKind::All), &reverse)?;
        let states = forward.states().len();
        let memory = forward.memory_usage() + reverse.memory_usage() + fore_cache + back_cache;
        let lazy = regex::Builder::new().build_from_dfas(fore, back);
        let exact = PikeVM::new_from_nfa(forward).map_err(|error| error.to_string())?;
        Ok(Self { cache: lazy.create_cache(), lazy, exact, states, memory })
    }

    /// Bytes that it may take, with all that searches keep in it.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether it is found in the text; `None` where that is too long for this expression.
    pub(crate) fn is_match(&mut self, text: &str) -> Option<bool> {
        let found = Search::new(self).next(&Input::new(text).earliest(true));
        found.ok().map(|found| found.is_some())
    }

    /// Hands each place where it is found to `found`, from left to right, until told to stop: each may have been found only when all
    /// the rest of the text was read.
    pub(crate) fn find(
        &mut self,
        text: &str,
        mut found: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> Searched {
        let mut search = Search::new(self);
        let mut places = Searcher::new(Input::new(text));
        loop {
            match places.try_advance(|input| search.next(input)) {
                Ok(Some(place)) if found(place.range()).is_break() => return Searched::Stopped,
                Ok(Some(_)) => {}
                Ok(None) => return Searched::Whole,
                Err(_) => return Searched::GivenUp,
            }
        }
    }
}

/// The search of one text.
struct Search<'a> {
    pattern: &'a mut Pattern,
    /// The lazy DFA gave up on this text once.
    was_reset: bool,
    /// It cannot do with this text; the NFA does, with what it keeps.
    exact: Option<pikevm::Cache>,
}

impl<'a> Search<'a> {
    fn new(pattern: &'a mut Pattern) -> Self {
        Self { pattern, was_reset: false, exact: None }
    }

    fn next(&mut self, input: &Input<'_>) -> Result<Option<Match>, MatchError> {
        while self.exact.is_none() {
            let Pattern { lazy, cache, .. } = &mut *self.pattern;
            match lazy.try_search(cache, input) {
                Ok(found) => return Ok(found),
                // It counts over all texts. The count of this one alone is known once it was set back.
                Err(error) if matches!(error.kind(), MatchErrorKind::GaveUp { .. }) => {
                    lazy.reset_cache(cache);
                    if self.was_reset {
                        self.exact = Some(self.pattern.exact.create_cache());
                    }
                    self.was_reset = true;
                }
                // A character beyond ASCII at a word boundary.
                Err(_) => self.exact = Some(self.pattern.exact.create_cache()),
            }
        }
        let steps = self.pattern.states.saturating_mul(input.get_span().len());
        if steps > limits::MAX_PATTERN_STEPS {
            return Err(MatchError::gave_up(input.start()));
        }
        let Some(cache) = &mut self.exact else { return Ok(None) };
        let mut slots = [None, None];
        let pattern = self.pattern.exact.search_slots(cache, input, &mut slots);
        Ok(pattern.and_then(|pattern| {
            let (start, end) = (slots[0]?.get(), slots[1]?.get());
            Some(Match::new(pattern, start..end))
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(expression: &str, text: &str) -> (Vec<Range<usize>>, Searched) {
        let mut places = Vec::new();
        let searched = find_all(&mut Pattern::new(expression).unwrap(), text, &mut places);
        (places, searched)
    }

    fn find_all(pattern: &mut Pattern, text: &str, places: &mut Vec<Range<usize>>) -> Searched {
        pattern.find(text, |place| {
            places.push(place);
            ControlFlow::Continue(())
        })
    }

    fn expected(expression: &str, text: &str) -> Vec<Range<usize>> {
        ::regex::Regex::new(expression).unwrap().find_iter(text).map(|found| found.range()).collect()
    }

    /// Expressions of all sorts: literals, classes, empty matches, anchors, word boundaries, case, lines, greed.
    const EXPRESSIONS: [&str; 14] = [
        "a",
        "ab|a",
        "a*",
        "",
        r"\d{2,4}-\d+",
        r"\bab\b",
        r"(?-u:\b)a",
        "^a|b$",
        "(?m)^b",
        "(?i)A+?b",
        "[^a]b",
        r"\w+@\w+",
        "(?s).*b",
        "é|ü+",
    ];

    proptest! {
        #[test]
        fn finds_what_the_library_finds(
            index in 0..EXPRESSIONS.len(),
            texts in prop::collection::vec("[ab@ \\-éü17\n]{0,24}", 1..6),
        ) {
            let expression = EXPRESSIONS[index];
            let mut pattern = Pattern::new(expression).unwrap();
            for text in texts {
                let mut places = Vec::new();
                let searched = find_all(&mut pattern, &text, &mut places);
                prop_assert_eq!(searched, Searched::Whole);
                prop_assert_eq!(&places, &expected(expression, &text));
                prop_assert_eq!(pattern.is_match(&text), Some(!places.is_empty()));
            }
        }
    }

    #[test]
    fn wrong_expressions_and_those_over_a_limit_are_told() {
        let fault = |expression: &str| Pattern::new(expression).err().unwrap();
        assert!(fault("a(b").contains("unclosed group"), "{}", fault("a(b"));
        assert!(fault("(?=a)").contains("look-around"));
        assert!(fault(&"a".repeat(5_000)).contains("longer than 4096 bytes"));
        assert!(fault(r"((\w{99}){99}){99}").contains("when it is compiled"));
    }

    #[test]
    fn usual_expressions_are_far_below_the_limits() {
        for expression in [r"[\w.+-]+@[\w-]+\.[\w.-]+", r"\b(?:\d{4}[ -]?){3}\d{4}\b", "error|critical"] {
            let pattern = Pattern::new(expression).unwrap();
            assert!(pattern.memory() < limits::MAX_PATTERN_BYTES, "{expression}: {}", pattern.memory());
        }
    }

    /// A text of letters a and b without order, the same each time.
    fn noise(bytes: usize) -> String {
        let mut state = 1_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if state >> 63 == 0 { 'a' } else { 'b' }
        };
        (0..bytes).map(|_| letter()).collect()
    }

    /// Each letter leads to a state that was not met before.
    const COSTLY: &str = "[ab]*a[ab]{400}c";

    #[test]
    fn a_costly_search_is_made_while_it_is_small_and_given_up_when_it_is_not() {
        let mut pattern = Pattern::new(COSTLY).unwrap();
        let small = noise(limits::MAX_PATTERN_STEPS / pattern.states / 2);
        assert_eq!(pattern.is_match(&small), Some(false));
        assert_eq!(pattern.is_match(&format!("{small}c")), Some(true));
        let large = noise(1 << 20);
        assert_eq!(pattern.is_match(&large), None);
        assert_eq!(find_all(&mut pattern, &large, &mut Vec::new()), Searched::GivenUp);
        // It is as good as new for the next text.
        assert_eq!(pattern.is_match("ab"), Some(false));
    }

    #[test]
    fn a_search_ends_when_it_is_told_to() {
        let mut places = 0;
        let searched = Pattern::new(".*[^a]|a").unwrap().find(&"a".repeat(1 << 20), |_| {
            places += 1;
            if places < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!((searched, places), (Searched::Stopped, 3));
    }

    #[test]
    fn beyond_ascii_word_boundaries_are_exact() {
        let text = "é ab éab abé";
        assert_eq!(found(r"\bab\b", text), (expected(r"\bab\b", text), Searched::Whole));
        assert_eq!(found(r"\bab\b", text).0.len(), 1);
    }
}
