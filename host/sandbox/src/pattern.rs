//! Regular expressions that plugins have the host search for, at a bounded cost for any expression and any text.
//!
//! A lazy DFA reads each byte once or twice, and finds its states while it reads. A text that makes it find the same states over
//! and over, or one beyond ASCII where the expression has a word boundary, is followed through the NFA, state by state; only as long
//! as states and bytes are few. What is too long for that is given up. No prefilter is made of literals: those of some hundred
//! literals are tens of megabytes.

mod folding;

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};

use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, WhichCaptures};
use regex_automata::util::iter::Searcher;
use regex_automata::util::syntax;
use regex_automata::{Input, Match, MatchError, MatchErrorKind, MatchKind};
use telemetry_core::limits;

/// Weight up to which finding the automaton's states anew is a matter of some milliseconds.
const EASY: usize = 2_048;

/// One regular expression, ready to be searched for.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
pub struct Pattern {
    lazy: regex::Regex,
    cache: regex::Cache,
    exact: PikeVM,
    /// What one byte costs at the worst.
    weight: usize,
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
        let memory = forward.memory_usage() + reverse.memory_usage() + fore_cache + back_cache;
        let lazy = regex::Builder::new().build_from_dfas(fore, back);
        let weight = weight(&forward);
        let exact = PikeVM::new_from_nfa(forward).map_err(|error| error.to_string())?;
        Ok(Self { cache: lazy.create_cache(), lazy, exact, weight, memory, is_broken: false })
    }

    /// Bytes that it may take, with all that searches keep in it.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether it is found in the text; `None` where that is too long for this expression.
    pub(crate) fn is_match(&mut self, text: &str) -> Option<bool> {
        let is_match = |pattern: &mut Self| {
            Search::new(pattern).next(&Input::new(text).earliest(true)).ok().map(|found| found.is_some())
        };
        self.guarded(is_match).flatten()
    }

    /// Hands each place where it is found to `found`, from left to right, until told to stop: each may have been found only when all
    /// the rest of the text was read.
    pub(crate) fn find(
        &mut self,
        text: &str,
        mut found: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> Searched {
        let find = |pattern: &mut Self| {
            let mut search = Search::new(pattern);
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

/// What one byte of a text costs at the worst: all states, and all ways out of them.
pub(crate) fn weight(nfa: &NFA) -> usize {
    let ways = |state: &State| match state {
        State::Union { alternates } => alternates.len(),
        State::Sparse(sparse) => sparse.transitions.len(),
        State::Dense(_) => 256,
        State::BinaryUnion { .. } => 2,
        _ => 1,
    };
    nfa.states().iter().map(|state| 1 + ways(state)).sum()
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
                    if self.was_reset || self.pattern.weight > EASY {
                        self.exact = Some(self.pattern.exact.create_cache());
                    }
                    self.was_reset = true;
                }
                // A character beyond ASCII at a word boundary.
                Err(_) => self.exact = Some(self.pattern.exact.create_cache()),
            }
        }
        let steps = self.pattern.weight.saturating_mul(input.get_span().len());
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
        let small = noise(limits::MAX_PATTERN_STEPS / pattern.weight / 2);
        assert_eq!(pattern.is_match(&small), Some(false));
        assert_eq!(pattern.is_match(&format!("{small}a{}c", "b".repeat(400))), Some(true));
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

    #[test]
    fn what_makes_the_automaton_meet_everything_at_once_is_bounded() {
        // Ways without end out of one state: the automaton's cache has no room for them that it knows of.
        let alternates = format!("(?:x{}){{20}}", "|".repeat(2_000));
        assert!(Pattern::new(&alternates).err().unwrap().contains("ways between them"));
        for count in [10, 100, 400, 1_500] {
            let Ok(mut pattern) = Pattern::new(&format!("(?:x{}){{10}}", "|".repeat(count))) else {
                continue;
            };
            assert_eq!(pattern.is_match("a"), Some(true));
            assert!(!pattern.is_broken, "{count}");
        }
        let literals: Vec<String> = (0..250).map(|number| format!("{number:03}")).collect();
        let pattern = Pattern::new(&format!("(?:{}){}", literals.join("|"), "z".repeat(97))).unwrap();
        assert!(pattern.memory() < 2 << 20);
        // Each of them counts at each byte.
        let empty = format!("(?:(?:a{})a){{10}}\\bq", "|".repeat(500));
        let mut pattern = Pattern::new(&empty).unwrap();
        assert_eq!(pattern.is_match(&format!("é{}", "a".repeat(400_000))), None);
    }
}
