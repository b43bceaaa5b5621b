//! Text that a plugin wrote, made safe to show: bounded, and without characters that steer a terminal or fake a line.

/// `text` cut to `max_bytes` at a character's border, with an ellipsis where something was cut.
pub(crate) fn cut(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes.saturating_sub(3)));
        text.push('…');
    }
    text
}

/// `text` cut, with control and direction-changing characters escaped.
pub(crate) fn shown(text: String, max_bytes: usize) -> String {
    let text = cut(text, max_bytes);
    if !text.chars().any(is_steering) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_steering(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 6), "äöü");
        assert_eq!(cut("äöüä".to_owned(), 6), "ä…");
        assert_eq!(cut("abc".to_owned(), 0), "…");
    }

    #[test]
    fn steering_characters_are_escaped() {
        assert_eq!(shown("a\nb\u{1b}[31mc\u{202e}d".to_owned(), 99), "a\\nb\\u{1b}[31mc\\u{202e}d");
        assert_eq!(shown("päivä".to_owned(), 99), "päivä");
    }
}
