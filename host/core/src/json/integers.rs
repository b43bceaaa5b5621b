//! Integers that JSON can carry and 64 bits cannot: parsed they would become rounded floats, in silence.

use serde_json::{Map, Value};

/// Floats of at least this size may have been such integers: 2^63.
const SUSPECT: f64 = 9_223_372_036_854_775_808.0;

/// The first integer of `text`, which was parsed to `map`, that fits neither a signed nor an unsigned integer of 64 bits.
pub fn overlong_integer<'t>(text: &'t str, map: &Map<String, Value>) -> Option<&'t str> {
    // Nearly no text has floats of that size, and to see that is quicker than to look at all of it.
    if map.values().any(is_suspect) { numbers(text).find(|number| is_overlong(number)) } else { None }
}

fn is_suspect(value: &Value) -> bool {
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().is_some_and(|float| float.abs() >= SUSPECT)
        }
        Value::Array(values) => values.iter().any(is_suspect),
        Value::Object(map) => map.values().any(is_suspect),
        _ => false,
    }
}

fn is_overlong(number: &str) -> bool {
    !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
}

/// The numbers of a text that is JSON, in order.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    // Between two quotation marks that no backslash escapes there are none.
    let (mut in_string, mut escaped) = (false, false);
    text.split(move |symbol: char| {
        let was_string = in_string;
        match symbol {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        was_string || !matches!(symbol, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')
    })
    .filter(|token| token.starts_with(|first: char| first == '-' || first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        overlong_integer(text, &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn integers_beyond_64_bits_are_found_and_nothing_else() {
        for text in [
            "{}",
            r#"{"a":[18446744073709551615,-9223372036854775808,1e300,-1.5e20,100000000000000000000.0]}"#,
            r#"{"123456789012345678901":"123456789012345678901","b":"\"123456789012345678901","c":1e30}"#,
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        for (text, number) in [
            (r#"{"a":18446744073709551616}"#, "18446744073709551616"),
            (r#"{"a":{"b":[1,"\\", -9223372036854775809 ]}}"#, "-9223372036854775809"),
            (r#"{"\"":"99999999999999999999","n":123456789012345678901,"m":5}"#, "123456789012345678901"),
        ] {
            assert_eq!(found(text), Some(number), "{text}");
        }
    }
}
