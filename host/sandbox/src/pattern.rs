//! Regular expressions that plugins have the host search for, at a bounded cost for any expression and any text.
//!
//! A lazy DFA reads each byte once or twice, and finds its states while it reads. A text that makes it find the same states over
//! and over, or one beyond ASCII where the expression has a word boundary, is followed through the NFA, state by state; only as long
//! as states and bytes are few. What is too long for that is given up. What becomes of a text depends on nothing that was searched
//! before. No prefilter is made of literals: those of some hundred literals are tens of megabytes.

mod cost;
mod folding;
#[cfg(test)]
mod tests;

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};

use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::iter::Searcher;
use regex_automata::util::syntax;
use regex_automata::{Input, Match, MatchError, MatchErrorKind, MatchKind};
use telemetry_core::limits;

pub(crate) use self::cost::steps;
use self::cost::weight;

/// Weight up to which finding the automaton's states anew is a matter of some milliseconds.
const EASY: usize = 2_048;

/// One regular expression, ready to be searched for.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
pub struct Pattern {
    lazy: regex::Regex,
    cache: regex::Cache,
    exact: PikeVM,
    exact_cache: pikevm::Cache,
    /// What one byte costs at the worst where the NFA is followed.
    steps: usize,
    memory: usize,
    /// A search panicked: there is no other.
    is_broken: bool,
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
        // What is foreign here panics at nothing that is known; a plugin must not find out more.
        catch_unwind(|| Self::compiled(expression))
            .unwrap_or_else(|_| Err("the expression cannot be compiled".to_owned()))
    }

    fn compiled(expression: &str) -> Result<Self, String> {
        if expression.len() > limits::MAX_PATTERN_EXPRESSION_BYTES {
            let limit = limits::MAX_PATTERN_EXPRESSION_BYTES;
            return Err(format!("the expression is longer than {limit} bytes"));
        }
        folding::check(expression)?;
        let hir = syntax::parse(expression).map_err(|error| error.to_string())?;
        let nfa = |config: Config| -> Result<NFA, String> {
            let config = config.nfa_size_limit(Some(limits::MAX_PATTERN_BYTES));
            let built = Compiler::new().configure(config).build_from_hir(&hir);
            let nfa = built.map_err(|error| match error.size_limit() {
                Some(limit) => format!("the expression takes more than {limit} bytes when it is compiled"),
                None => error.to_string(),
            })?;
            if weight(&nfa) > limits::MAX_PATTERN_WEIGHT {
                let limit = limits::MAX_PATTERN_WEIGHT;
                return Err(format!("the expression has more than {limit} states and ways between them"));
            }
            Ok(nfa)
        };
        let forward = nfa(Config::new().which_captures(WhichCaptures::Implicit))?;
        let reverse = nfa(Config::new().which_captures(WhichCaptures::None).reverse(true))?;
        let automaton = |config: dfa::Config, nfa: &NFA| {
            let config = config.unicode_word_boundary(true);
            let least = config.get_minimum_cache_capacity(nfa).map_err(|error| error.to_string())?;
            // What is reckoned there as the least has no room for all ways out of the states that are met at once; with less than
            // it takes, the automaton panics.
            let capacity = least.max(limits::PATTERN_CACHE_BYTES) + 2 * size_of::<u32>() * weight(nfa);
            // The more there is to do for each state, the fewer of them may be found anew.
            let clears = limits::MAX_PATTERN_CACHE_CLEARS * EASY / weight(nfa).max(EASY);
            let config = config.cache_capacity(capacity).minimum_cache_clear_count(Some(clears.max(1)));
            let built = dfa::Builder::new().configure(config).build_from_nfa(nfa.clone());
            Ok::<_, String>((built.map_err(|error| error.to_string())?, capacity))
        };
        let (fore, fore_cache) = automaton(dfa::Config::new(), &forward)?;
        let (back, back_cache) = automaton(dfa::Config::new().match_kind(MatchKind::All), &reverse)?;
        let lazy = regex::Builder::new().build_from_dfas(fore, back);
        let steps = steps(&forward);
        let exact = PikeVM::new_from_nfa(forward.clone()).map_err(|error| error.to_string())?;
        let exact_cache = exact.create_cache();
        // Each way may wait to be gone.
        let exact_memory = exact_cache.memory_usage() + 2 * size_of::<usize>() * weight(&forward);
        let automata = forward.memory_usage() + reverse.memory_usage();
        let memory = automata + fore_cache + back_cache + exact_memory;
        let cache = lazy.create_cache();
        Ok(Self { lazy, cache, exact, exact_cache, steps, memory, is_broken: false })
    }

    /// Bytes that it may take, with all that searches keep in it.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether it is found in the text; `None` where that is too long for this expression.
    pub(crate) fn is_match(&mut self, text: &str) -> Option<bool> {
        let input = Input::new(text).earliest(true);
        self.guarded(|pattern| Search::new(pattern, text).is_match(&input).ok()).flatten()
    }

    /// Hands each place where it is found to `found`, from left to right, until told to stop: each may have been found only when all
    /// the rest of the text was read.
    pub(crate) fn find(
        &mut self,
        text: &str,
        mut found: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> Searched {
        let find = |pattern: &mut Self| {
            let mut search = Search::new(pattern, text);
            let mut places = Searcher::new(Input::new(text));
            loop {
                match places.try_advance(|input| search.next(input)) {
                    Ok(Some(place)) if found(place.range()).is_break() => return Searched::Stopped,
                    Ok(Some(_)) => {}
                    Ok(None) => return Searched::Whole,
                    Err(_) => return Searched::GivenUp,
                }
            }
        };
        self.guarded(find).unwrap_or(Searched::GivenUp)
    }

    /// Searches; `None` where that panicked, now or before.
    fn guarded<R>(&mut self, search: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.is_broken {
            return None;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| search(self))).ok();
        self.is_broken = answer.is_none();
        answer
    }
}

/// The search of one text.
struct Search<'a> {
    pattern: &'a mut Pattern,
    /// The lazy DFA cannot do with this text; the NFA can.
    is_exact: bool,
}

impl<'a> Search<'a> {
    fn new(pattern: &'a mut Pattern, text: &str) -> Self {
        // Whether the lazy DFA gives up depends on what it has found before. Of shorter texts the NFA finds the same then.
        if pattern.steps.saturating_mul(text.len()) > limits::MAX_PATTERN_STEPS {
            pattern.lazy.reset_cache(&mut pattern.cache);
        }
        Self { pattern, is_exact: false }
    }

    /// The next place.
    fn next(&mut self, input: &Input<'_>) -> Result<Option<Match>, MatchError> {
        let exactly = |exact: &PikeVM, cache: &mut pikevm::Cache| {
            let mut slots = [None, None];
            let pattern = exact.search_slots(cache, input, &mut slots)?;
            let (start, end) = (slots[0]?.get(), slots[1]?.get());
            Some(Match::new(pattern, start..end))
        };
        self.found(input, |lazy, cache| lazy.try_search(cache, input), exactly)
    }

    /// Whether there is one: where it begins takes no search backwards.
    fn is_match(&mut self, input: &Input<'_>) -> Result<bool, MatchError> {
        let lazily = |lazy: &regex::Regex, cache: &mut regex::Cache| {
            lazy.forward().try_search_fwd(cache.as_parts_mut().0, input).map(|found| found.is_some())
        };
        self.found(input, lazily, |exact, cache| exact.is_match(cache, input.clone()))
    }

    /// What the lazy DFA finds, or else the NFA.
    fn found<R>(
        &mut self,
        input: &Input<'_>,
        lazily: impl FnOnce(&regex::Regex, &mut regex::Cache) -> Result<R, MatchError>,
        exactly: impl FnOnce(&PikeVM, &mut pikevm::Cache) -> R,
    ) -> Result<R, MatchError> {
        let Pattern { lazy, cache, exact, exact_cache, steps, .. } = &mut *self.pattern;
        if !self.is_exact {
            match lazily(lazy, cache) {
                Ok(found) => return Ok(found),
                // It counts over all texts, and begins anew.
                Err(error) if matches!(error.kind(), MatchErrorKind::GaveUp { .. }) => {
                    lazy.reset_cache(cache);
                }
                // A character beyond ASCII at a word boundary.
                Err(_) => {}
            }
            self.is_exact = true;
        }
        if steps.saturating_mul(input.get_span().len()) > limits::MAX_PATTERN_STEPS {
            return Err(MatchError::gave_up(input.start()));
        }
        Ok(exactly(exact, exact_cache))
    }
}
