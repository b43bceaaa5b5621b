//! Regular expressions in foreign schemas.

use std::borrow::Cow;
use std::str::Chars;

use jsonschema_regex::{Search, search_form, to_rust_regex};
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::syntax;
use telemetry_core::limits;

use crate::pattern;

/// What each byte of an expression weighs that is written in ECMA's own way.
const STEPS_PER_BYTE: usize = 256;
/// Most bytes of what the engine makes of an expression with groups, if it can: an automaton that knows at each byte where they are.
const ONE_PASS_BYTES: usize = 1 << 20;

/// What an expression costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weighed {
    /// What a search for it costs for each byte of a text, at the worst.
    pub(super) steps: usize,
    /// Bytes that it is taken to need.
    pub(super) bytes: usize,
}

/// What an expression costs. The error says why it may not be searched for.
pub(super) fn weighed(expression: &str) -> Result<Weighed, String> {
    if expression.len() > limits::MAX_SCHEMA_PATTERN_BYTES {
        let limit = limits::MAX_SCHEMA_PATTERN_BYTES;
        return Err(format!("one of its patterns is longer than {limit} bytes"));
    }
    if has_flags(expression) {
        return Err(format!(
            "its pattern {expression} sets flags, as (?i) does; patterns of JSON Schema have none"
        ));
    }
    let too_large = || {
        let limit = limits::MAX_SCHEMA_REGEX_BYTES;
        format!("its pattern {expression} takes more than {limit} bytes when it is compiled")
    };
    // What the engine is given in its place.
    let translated = to_rust_regex(expression).unwrap_or(Cow::Borrowed(expression));
    let searched = match search_form(expression, &translated) {
        // Characters are counted.
        Some(Search::RepeatedClass(_)) => return Ok(Weighed { steps: 1, bytes: 0 }),
        Some(Search::Collapsed(shorter)) => Cow::Owned(shorter),
        None => translated,
    };
    let config = Config::new().nfa_size_limit(Some(limits::MAX_SCHEMA_REGEX_BYTES));
    let backwards = config.clone().which_captures(WhichCaptures::None).reverse(true);
    let (nfa, reverse) = match (automaton(&searched, config), automaton(&searched, backwards)) {
        (Ok(nfa), Ok(reverse)) => (nfa, reverse),
        (Err(Unfit::TooLarge), _) | (_, Err(Unfit::TooLarge)) => return Err(too_large()),
        // The validator says what is wrong with it.
        _ => return Ok(Weighed { steps: expression.len().saturating_mul(STEPS_PER_BYTE), bytes: 0 }),
    };
    // What one search keeps for each state: where each group may begin and end, twice.
    let (states, slots) = (nfa.states().len(), nfa.group_info().slot_len());
    let kept = states.saturating_mul(slots.saturating_mul(16).saturating_add(32));
    if kept > limits::MAX_SCHEMA_REGEX_BYTES {
        return Err(too_large());
    }
    let one_pass = match nfa.group_info().explicit_slot_len() {
        0 => 0,
        _ => ONE_PASS_BYTES.min((states << nfa.byte_classes().stride2()).saturating_mul(8)),
    };
    // Two threads may search.
    let searches = 2 * kept + limits::SCHEMA_PATTERN_BYTES;
    let bytes = nfa.memory_usage() + reverse.memory_usage() + one_pass + searches;
    Ok(Weighed { steps: pattern::steps(&nfa), bytes })
}

/// Why there is no automaton.
enum Unfit {
    TooLarge,
    Wrong,
}

fn automaton(expression: &str, config: Config) -> Result<NFA, Unfit> {
    let parsed = syntax::parse(expression).map_err(|_| Unfit::Wrong)?;
    let built = Compiler::new().configure(config).build_from_hir(&parsed);
    built.map_err(|error| if error.size_limit().is_some() { Unfit::TooLarge } else { Unfit::Wrong })
}

/// Whether a group begins in it that is no group of ECMA 262: one that only sets flags, or sets them within it.
fn has_flags(expression: &str) -> bool {
    let sets =
        |mut rest: Chars<'_>| rest.next() == Some('?') && !matches!(rest.next(), Some(':' | '<' | '=' | '!'));
    let mut characters = expression.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            // The engine's classes may nest, and end later: then this is stricter.
            ']' => in_class = false,
            '(' if !in_class && sets(characters.clone()) => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(expression: &str) -> usize {
        weighed(expression).unwrap().steps
    }

    #[test]
    fn expressions_without_flags_weigh_something() {
        for expression in ["", "^a$", r"^\(?i\)?$", r"[(?i)]", "(?:ab)+", "(?<year>[0-9]{4})", r"\\(a)?", "("]
        {
            assert!(weighed(expression).is_ok(), "{expression}");
        }
        assert!(steps("^c[ab]{400}c$") >= 400);
        for light in [
            "^.{1,255}$",
            "^[A-Za-z0-9+/=]{1,1000}$",
            r"^\d{4}-\d{2}-\d{2}$",
            "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        ] {
            assert!(steps(light) < 200, "{light}: {}", steps(light));
        }
        // What looks around is no expression of this engine.
        assert_eq!(steps("^(?=a)b$"), 8 * STEPS_PER_BYTE);
    }

    #[test]
    fn names_in_any_script_may_be_searched_for() {
        let name = weighed(r"^\p{L}[\p{L}0-9]{1,63}$").unwrap();
        // Of a class one state is met at a time, whatever it consists of.
        assert!((64..16 << 10).contains(&name.steps), "{name:?}");
        assert!(name.bytes < limits::MAX_SCHEMA_PATTERNS_MEMORY, "{name:?}");
        let reason = weighed(r"^(?:\p{L}[\p{L}0-9]{1,63}){9}$").unwrap_err();
        assert!(reason.contains("takes more than 8388608 bytes"), "{reason}");
    }

    #[test]
    fn groups_need_room_in_each_state() {
        let groups = |count: usize, each: usize| weighed(&format!("{}b{{{each}}}c", "(a)".repeat(count)));
        let (few, many) = (groups(1, 500).unwrap(), groups(80, 500).unwrap());
        assert!(many.bytes > few.bytes + 500 * 2 * 2 * 79 * 16, "{few:?} {many:?}");
        assert!(groups(80, 9_000).unwrap_err().contains("takes more than"));
    }

    #[test]
    fn flags_and_long_ones_are_refused() {
        for expression in ["(?i)a", "(?s:.)", "(?-u)a", r"\\(?i)", "[a](?i)", "(?", "(?P<a>b)"] {
            assert!(weighed(expression).unwrap_err().contains("flags"), "{expression}");
        }
        let long = "a".repeat(limits::MAX_SCHEMA_PATTERN_BYTES);
        assert!(weighed(&long).is_ok());
        assert!(weighed(&format!("{long}a")).unwrap_err().contains("longer than"));
    }
}
