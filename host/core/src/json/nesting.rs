//! How deep JSON nests: objects and arrays within one another. A number has depth 0, `{}` depth 1.
//!
//! The text is JSON already. What is not is looked at like JSON, and what is made of it is no JSON either.

use std::borrow::Cow;
use std::iter::Enumerate;
use std::str::Bytes;

/// Stands in place of what is nested too deeply to be shown.
pub const ELIDED: &str = "…";

/// Whether the text nests deeper than `limit`.
pub fn is_deeper(text: &str, limit: usize) -> bool {
    // Nearly every text is too short to be deep, or opens too few: both is quicker to see than where its strings end.
    if text.len() <= limit.saturating_mul(2) {
        return false;
    }
    let opening = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    opening > limit && Brackets::of(text).any(|bracket| bracket.depth > limit)
}

/// The text with [`ELIDED`] in place of each object and array that nests deeper than `limit`.
pub fn elided(text: &str, limit: usize) -> Cow<'_, str> {
    if !is_deeper(text, limit) {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for bracket in Brackets::of(text).filter(|bracket| bracket.depth.checked_sub(1) == Some(limit)) {
        if bracket.opens {
            kept.push_str(text.get(from..bracket.place).unwrap_or_default());
            kept.push('"');
            kept.push_str(ELIDED);
            kept.push('"');
        } else {
            from = bracket.place.saturating_add(1);
        }
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// A bracket that is part of no string.
struct Bracket {
    /// Its index in bytes.
    place: usize,
    opens: bool,
    /// Of what it opens or closes.
    depth: usize,
}

/// The brackets of a text in order.
struct Brackets<'a> {
    bytes: Enumerate<Bytes<'a>>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl<'a> Brackets<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.bytes().enumerate(), depth: 0, in_string: false, escaped: false }
    }
}

impl Iterator for Brackets<'_> {
    type Item = Bracket;

    fn next(&mut self) -> Option<Bracket> {
        for (place, byte) in self.bytes.by_ref() {
            if self.escaped {
                self.escaped = false;
                continue;
            }
            match byte {
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.depth = self.depth.saturating_add(1);
                    return Some(Bracket { place, opens: true, depth: self.depth });
                }
                b'}' | b']' if !self.in_string => {
                    let depth = self.depth;
                    self.depth = depth.saturating_sub(1);
                    return Some(Bracket { place, opens: false, depth });
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_too_deep_is_elided_and_nothing_else() {
        let check = |text: &str, limit: usize, expected: &str| {
            assert_eq!(elided(text, limit), expected, "{text} {limit}");
            assert_eq!(is_deeper(text, limit), text != expected, "{text} {limit}");
        };
        let text = r#"{"a":[1,{"b":2},[3]],"c":{"d":[4]}}"#;
        check(text, 3, text);
        check(text, 2, r#"{"a":[1,"…","…"],"c":{"d":"…"}}"#);
        check(text, 1, r#"{"a":"…","c":"…"}"#);
        check(text, 0, r#""…""#);
        // Brackets in strings open nothing, and an escaped quotation mark ends none.
        let strings = r#"{"[[[[":"]]}}\"{{{{\\","k":["{{{{"]}"#;
        check(strings, 2, strings);
        check(strings, 1, r#"{"[[[[":"]]}}\"{{{{\\","k":"…"}"#);
        check("17", 0, "17");
    }

    #[test]
    fn the_limit_is_the_deepest_that_passes() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(!is_deeper(&nested(100), 100));
        assert!(is_deeper(&nested(101), 100));
        assert!(!is_deeper(&format!("[{}]", vec!["[]"; 500].join(",")), 2), "many are not deep");
        // However deep, it is looked at without recursion.
        assert_eq!(elided(&nested(1_000_000), 2), r#"[["…"]]"#);
    }
}
