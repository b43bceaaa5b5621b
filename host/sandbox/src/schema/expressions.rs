//! Regular expressions in foreign schemas.

use std::borrow::Cow;
use std::str::Chars;

use jsonschema_regex::{Search, search_form, to_rust_regex};
use regex_automata::nfa::thompson::{Compiler, Config};
use regex_automata::util::syntax;
use telemetry_core::limits;

use crate::pattern;

/// What each byte of an expression weighs that is written in ECMA's own way.
const WEIGHT_PER_BYTE: usize = 256;

/// What a search for it costs for each byte of a text, at the worst. The error says why it may not be searched for.
pub(super) fn weighed(expression: &str) -> Result<usize, String> {
    if expression.len() > limits::MAX_SCHEMA_PATTERN_BYTES {
        let limit = limits::MAX_SCHEMA_PATTERN_BYTES;
        return Err(format!("one of its patterns is longer than {limit} bytes"));
    }
    if has_flags(expression) {
        return Err(format!(
            "its pattern {expression} sets flags, as (?i) does; patterns of JSON Schema have none"
        ));
    }
    let config = Config::new().nfa_size_limit(Some(limits::MAX_SCHEMA_REGEX_BYTES));
    // What the engine is given in its place.
    let translated = to_rust_regex(expression).unwrap_or(Cow::Borrowed(expression));
    let searched = match search_form(expression, &translated) {
        // Characters are counted.
        Some(Search::RepeatedClass(_)) => return Ok(1),
        Some(Search::Collapsed(shorter)) => Cow::Owned(shorter),
        None => translated,
    };
    let parsed = syntax::parse(&searched).ok();
    let nfa = parsed.and_then(|hir| Compiler::new().configure(config).build_from_hir(&hir).ok());
    Ok(nfa.map_or(expression.len().saturating_mul(WEIGHT_PER_BYTE), |nfa| pattern::weight(&nfa)))
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

    #[test]
    fn expressions_without_flags_weigh_something() {
        for expression in ["", "^a$", r"^\(?i\)?$", r"[(?i)]", "(?:ab)+", "(?<year>[0-9]{4})", r"\\(a)?", "("]
        {
            assert!(weighed(expression).is_ok(), "{expression}");
        }
        assert!(weighed("^c[ab]{400}c$").unwrap() >= 400);
        for light in [
            "^.{1,255}$",
            "^[A-Za-z0-9+/=]{1,1000}$",
            r"^\d{4}-\d{2}-\d{2}$",
            "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        ] {
            assert!(weighed(light).unwrap() < 200, "{light}: {}", weighed(light).unwrap());
        }
        // What looks around is no expression of this engine.
        assert_eq!(weighed("^(?=a)b$").unwrap(), 8 * WEIGHT_PER_BYTE);
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
