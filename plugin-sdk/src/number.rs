//! Floats to text and back. What the standard library has for it takes 35 KB of a component; this takes a fifth of that.

/// The shortest text that reads back as the same number: `100`, `0.1`, `1e+21`. For messages to people; in place of `{}`.
///
/// ```
/// use bridge_telemetry_plugin::number;
///
/// assert_eq!([100.0, -0.25, 1e21, f64::NAN].map(number::text), ["100", "-0.25", "1e+21", "NaN"]);
/// ```
pub fn text(number: f64) -> String {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number);
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

/// The float that is nearest to a number as JSON writes it; infinite when it is too large for one.
pub(crate) fn parse(json: &str) -> f64 {
    let (negative, number) = match json.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, json),
    };
    let (digits, exponent) = match number.find(['e', 'E']).and_then(|at| number.split_at_checked(at)) {
        Some((digits, exponent)) => (digits, self::exponent(exponent.get(1..).unwrap_or_default())),
        None => (number, 0),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // Digits without weight must not be there.
    let (integer, fraction) = (integer.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let number: f64 =
        minimal_lexical::parse_float(integer.as_bytes().iter(), fraction.as_bytes().iter(), exponent);
    if negative { -number } else { number }
}

/// An exponent; one beyond all floats stays beyond them.
fn exponent(text: &str) -> i32 {
    let limit = i32::MAX / 2;
    text.parse().unwrap_or(if text.starts_with('-') { -limit } else { limit }).clamp(-limit, limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_at_the_edge_are_read_exactly() {
        for text in [
            "0",
            "-0",
            "0.0",
            "1e5",
            "1E+5",
            "1e-5",
            "0.1",
            "00.10",
            "4.9e-324",
            "2.4703282292062328e-324",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "1e309",
            "-1e400",
            "9007199254740993",
            "9007199254740992.99999999999999999999999",
            "1e-400",
            "0e99999999999",
            "1e99999999999",
            "1e-99999999999",
            "0.000000000000000000000000000000000000000000000000001e60",
            "123456789012345678901234567890",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(parse(text).to_bits(), expected.to_bits(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_read_back_as_the_number(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            prop_assert_eq!(text(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
            prop_assert_eq!(parse(&text(number)).to_bits(), number.to_bits());
            prop_assert_eq!(parse(&format!("{number:.30e}")).to_bits(), number.to_bits());
        }

        #[test]
        fn any_digits_read_as_the_standard_library_reads_them(json in "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,40})?([eE][+-]?[0-9]{1,4})?") {
            prop_assert_eq!(parse(&json).to_bits(), json.parse::<f64>().unwrap().to_bits(), "{}", json);
        }
    }
}
