//! Attacks through patterns, the same for every kind that has them.

use bridge_telemetry_plugin::bindings::imports::patterns::Pattern;
use bridge_telemetry_plugin::bindings::imports::types::TextColumn;

/// Bytes of a giant text: half of what the host takes from a guest at once in the tests.
const GIANT: usize = 1 << 19;

/// Makes the attack, if it is one of these: none of them ends by itself.
pub fn attack(attack: &str) {
    match attack {
        "patterns.compile*" => loop {
            drop(Pattern::compile("(a|b)+c"));
        },
        "patterns.compile-giant" => {
            let giant = "x".repeat(GIANT);
            loop {
                drop(Pattern::compile(&giant));
            }
        }
        // Gives up when it gets no more.
        "patterns.compile-leak" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Pattern::compile("a").unwrap());
            }
        }
        "patterns.is-match*" => is_match("a"),
        "patterns.is-match-giant" => is_match(&"x".repeat(GIANT)),
        "patterns.find*" => find("b", &column(1, b"a".to_vec())),
        "patterns.find-giant" => find("b", &column(1 << 7, vec![b'x'; GIANT])),
        // Texts of about the greatest length that the host searches to its end for such an expression.
        "patterns.find-costly" => find(COSTLY, &column(1 << 15, noise(GIANT))),
        _ => {}
    }
}

fn is_match(text: &str) -> ! {
    let pattern = Pattern::compile("b").unwrap();
    loop {
        drop(pattern.is_match(text));
    }
}

fn find(expression: &str, texts: &TextColumn) -> ! {
    let pattern = Pattern::compile(expression).unwrap();
    loop {
        drop(pattern.find(texts));
    }
}

/// Texts of so many bytes each.
fn column(each: usize, bytes: Vec<u8>) -> TextColumn {
    let ends = (1..=bytes.len() / each).map(|text| (text * each) as u32).collect();
    TextColumn { bytes, ends }
}

/// Any of the last 400 letters may be the `a`: nearly every letter of a text leads to a state that there was not before.
const COSTLY: &str = "[ab]*a[ab]{400}c";

/// Letters a and b without order, the same each time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { b'a' } else { b'b' }
    };
    (0..bytes).map(|_| letter()).collect()
}
