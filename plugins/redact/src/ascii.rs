//! Patterns as ASCII reads them. To Unicode a digit behind a letter of any language is within a word, to ASCII it begins one: a secret
//! hides from neither.

use bridge_telemetry_plugin::{Result, log, patterns::Pattern};

/// What stands behind a backslash where a word begins or ends; of those that begin alike the longest first.
const BOUNDARIES: [&str; 7] = ["b{start-half}", "b{end-half}", "b{start}", "b{end}", "b", "<", ">"];

/// The pattern with the letters, digits and words of ASCII; `None` where that is the same.
///
/// Some things cannot be said of ASCII alone, such as "any character" or "no digit". Where words begin and end then still is as in
/// ASCII.
pub(crate) fn reading(index: usize, pattern: &str) -> Result<Option<Pattern>> {
    if !pattern.contains('\\') && !pattern.contains("(?") {
        return Ok(None);
    }
    // Not as a group, whose end would be lost in a comment.
    let error = match Pattern::new(&format!("(?-u){pattern}")) {
        Ok(ascii) => return Ok(Some(ascii)),
        Err(error) => error,
    };
    let bounded = with_boundaries(pattern);
    if bounded != pattern {
        return Pattern::new(&bounded).map(Some);
    }
    let reason = error.message().lines().next_back().unwrap_or_default();
    log::warn(format!(
        "patterns[{index}] is searched for with the letters, digits and words of Unicode alone: {reason}"
    ));
    Ok(None)
}

/// The pattern with words that begin and end as in ASCII. In a class of characters there is no such boundary.
fn with_boundaries(pattern: &str) -> String {
    let mut bounded = String::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('\\') {
        bounded += before;
        let boundary = BOUNDARIES.into_iter().find_map(|name| Some((name, behind.strip_prefix(name)?)));
        rest = match boundary {
            Some((name, behind)) => {
                bounded.extend(["(?-u:\\", name, ")"]);
                behind
            }
            None => {
                // Perhaps a backslash, which then escapes nothing itself.
                let mut characters = behind.chars();
                bounded.push('\\');
                bounded.extend(characters.next());
                characters.as_str()
            }
        };
    }
    bounded + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing;

    #[test]
    fn boundaries_of_words_are_those_of_ascii() {
        for (pattern, expected) in [
            (r"\bpassword=\S+", r"(?-u:\b)password=\S+"),
            (r"\\b\\\b", r"\\b\\(?-u:\b)"),
            (r"\<a\>\b{start}b{2}\b{2}", r"(?-u:\<)a(?-u:\>)(?-u:\b{start})b{2}(?-u:\b){2}"),
            (r"[\\b]\B.", r"[\\b]\B."),
            ("日本", "日本"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(with_boundaries(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_said_of_ascii_is_told() {
        testing::reset();
        for (index, pattern) in ["a.", "[0-9]+", r"\d\b", r"\b.", "(?x) k\\d # key"].iter().enumerate() {
            reading(index, pattern).unwrap();
        }
        assert!(testing::logs().is_empty(), "{:?}", testing::logs());
        assert!(reading(7, r"key=\S+").unwrap().is_none());
        let logs = testing::logs();
        assert_eq!(logs.len(), 1);
        assert!(logs[0].message.contains("patterns[7]"), "{logs:?}");
    }
}
