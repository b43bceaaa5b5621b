//! Schemas that stand in files for people to read, embedded without the spaces between their words.

/// A file's JSON as a constant text, like [`include_str!`] but without the spaces that make it readable: a third of a schema.
///
/// ```ignore
/// const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));
/// ```
#[macro_export]
macro_rules! include_schema {
    ($path:literal) => {{
        const PRETTY: &str = ::std::include_str!($path);
        const COMPACT: [u8; $crate::schema::compact_length(PRETTY)] = $crate::schema::compact(PRETTY);
        match ::std::str::from_utf8(&COMPACT) {
            Ok(text) => text,
            Err(_) => PRETTY,
        }
    }};
}

/// The bytes of a JSON text that stand within strings or are no spaces.
pub const fn compact_length(json: &str) -> usize {
    let (mut place, mut length) = (Place::START, 0);
    while let Some((counts, next)) = place.step(json.as_bytes()) {
        length += counts as usize;
        place = next;
    }
    length
}

/// A JSON text without the spaces outside strings; `LENGTH` is its [`compact_length`].
#[allow(clippy::indexing_slicing, reason = "only called by the compiler, which says where it is wrong")]
pub const fn compact<const LENGTH: usize>(json: &str) -> [u8; LENGTH] {
    let (mut place, mut compact, mut length) = (Place::START, [b' '; LENGTH], 0);
    while let Some((counts, next)) = place.step(json.as_bytes()) {
        if counts {
            compact[length] = json.as_bytes()[place.at];
            length += 1;
        }
        place = next;
    }
    compact
}

/// A place in a JSON text.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    in_string: bool,
    escaped: bool,
}

impl Place {
    const START: Self = Self { at: 0, in_string: false, escaped: false };

    /// Whether the byte here counts, and the next place; `None` at the end.
    #[allow(clippy::indexing_slicing, reason = "it is checked, and `get` cannot be called at compile time")]
    const fn step(self, json: &[u8]) -> Option<(bool, Self)> {
        if self.at >= json.len() {
            return None;
        }
        let byte = json[self.at];
        let quote = byte == b'"' && !self.escaped;
        let escaped = self.in_string && byte == b'\\' && !self.escaped;
        let next = Self { at: self.at + 1, in_string: self.in_string != quote, escaped };
        Some((self.in_string || !byte.is_ascii_whitespace(), next))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_stands_between_words_goes() {
        const PRETTY: &str = "{\n  \"a b\": [1, \"\\\" \\\\\", \" é\"],\n  \"\": {}\n}\n";
        const COMPACT: [u8; super::compact_length(PRETTY)] = super::compact(PRETTY);
        assert_eq!(std::str::from_utf8(&COMPACT).unwrap(), r#"{"a b":[1,"\" \\"," é"],"":{}}"#);
    }
}
