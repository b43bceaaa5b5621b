//! What an expression without regard to case costs before it has a size: all characters of its classes are looked up, one by one.

use telemetry_core::limits;

/// Refuses an expression that may take long to read.
pub(super) fn check(expression: &str) -> Result<(), String> {
    if has_flag(expression) && classes(expression) > limits::MAX_FOLDED_CLASSES {
        let limit = limits::MAX_FOLDED_CLASSES;
        return Err(format!("the expression ignores case and has more than {limit} classes of characters"));
    }
    Ok(())
}

/// Whether there is `(?i)` in it, alone or among other flags, or `(?x)`, after which there may be spaces in the way. Where it only
/// looks so, as behind a backslash, that is no harm.
fn has_flag(expression: &str) -> bool {
    let flags = |group: &str| {
        group.chars().take_while(|flag| flag.is_ascii_alphabetic()).any(|flag| matches!(flag, 'i' | 'x'))
    };
    expression.split("(?").skip(1).any(flags)
}

/// How many classes it has at most, and operations on them.
fn classes(expression: &str) -> usize {
    let of = |what: &str| expression.matches(what).count();
    ["[", "\\p", "\\P", "&&", "--", "~~"].into_iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_classes_without_regard_to_case_are_refused() {
        let many = |flags: &str| check(&format!("{flags}{}", "[\\S]".repeat(1_000)));
        assert!(many("").is_ok());
        for flags in ["(?i)", "(?si)", "a(?i-s:b)", "(?i:x)", "(?x)( ?i)"] {
            assert!(many(flags).unwrap_err().contains("classes of characters"), "{flags}");
        }
        assert!(check("(?i)bearer [a-z0-9._-]{8,}|[a-z]+").is_ok());
        assert!(check("(?P<i>x)(?:i)").is_ok());
    }
}
