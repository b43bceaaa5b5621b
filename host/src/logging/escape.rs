//! Takes the harm out of texts: what could end a line, steer a terminal, hide or reorder what is read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters, line separators, bidirectional controls, invisible format characters and tags.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Whether a text of these bytes needs a look at its characters.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7F).contains(&byte))
}

/// Valid JSON on one line with harmful characters as `\u` escapes: the same value.
///
/// Within a JSON string control characters are escaped already, so those met here are white space between tokens;
/// other harmful characters occur in strings only.
pub(super) fn json(text: String) -> String {
    if is_plain(&text) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => {}
            c if is_harmful(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A text for a terminal, with harmful characters as visible escapes.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn terminals_see_escapes() {
        assert_eq!(text("plain ünïcode 漢 👩‍🚀"), "plain ünïcode 漢 👩‍🚀");
        assert_eq!(text("a\nb\r\t\u{1b}[2J\u{7f}\u{9b}31m"), r"a\nb\r\t\u{1b}[2J\u{7f}\u{9b}31m");
        assert_eq!(text("x\u{202e}y\u{2028}\u{feff}"), r"x\u{202e}y\u{2028}\u{feff}");
    }

    #[test]
    fn json_keeps_its_value_on_one_line() {
        let source = "{\n\t\"a\u{202e}\": \"\u{9b}\u{e0041}\u{7f} é\", \"b\":\r\n[1 ,2]}".to_owned();
        let safe = json(source.clone());
        assert_eq!(safe, r#"{"a\u202e": "\u009b\udb40\udc41\u007f é", "b":[1 ,2]}"#);
        assert_eq!(
            serde_json::from_str::<Value>(&safe).unwrap(),
            serde_json::from_str::<Value>(&source).unwrap()
        );
    }

    proptest! {
        #[test]
        fn any_text_survives(source: String, key: String) {
            let value = serde_json::json!({ key: [source.clone(), 1, null] });
            for form in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let safe = json(form);
                prop_assert!(!safe.contains(is_harmful));
                prop_assert_eq!(&serde_json::from_str::<Value>(&safe).unwrap(), &value);
            }
            prop_assert!(!text(&source).contains(is_harmful));
        }
    }
}
