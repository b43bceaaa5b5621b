//! Numbers as the contract prints them: integral values without a point.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use telemetry_core::aggregation::AggregateValue;

/// 2^63: the first `f64` beyond what an `i64` holds.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

/// Serialises a value as the contract shows it; no value becomes null.
pub(super) struct Shown<'a>(pub(super) &'a AggregateValue);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AggregateValue::Number(number) => serialize_number(*number, serializer),
            AggregateValue::Json(json) => json.serialize(serializer),
            AggregateValue::None => serializer.serialize_none(),
        }
    }
}

fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !number.is_finite() {
        return serializer.serialize_none();
    }
    if number.fract() != 0.0 {
        return serializer.serialize_f64(number);
    }
    if (-BEYOND_I64..BEYOND_I64).contains(&number) {
        #[allow(clippy::cast_possible_truncation, reason = "integral and within i64")]
        return serializer.serialize_i64(number as i64);
    }
    // The shortest digits that read back as the same number, without exponent.
    let digits = RawValue::from_string(format!("{number}")).map_err(serde::ser::Error::custom)?;
    digits.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: AggregateValue) -> String {
        serde_json::to_string(&Shown(&value)).unwrap()
    }

    #[test]
    fn integral_values_have_no_point() {
        let check = |number: f64, expected: &str| {
            let text = shown(AggregateValue::Number(number));
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), number);
        };
        check(135.0, "135");
        check(135.7, "135.7");
        check(0.0, "0");
        check(-0.0, "0");
        check(-3.0, "-3");
        check(0.1 + 0.2, "0.30000000000000004");
        check(9_007_199_254_740_993.0, "9007199254740992");
        check(-BEYOND_I64, "-9223372036854775808");
        check(BEYOND_I64, "9223372036854776000");
        check(1.5e20, "150000000000000000000");
        check(1e-7, "1e-7");
        assert!(!shown(AggregateValue::Number(f64::MAX)).contains(['.', 'e']));
        assert_eq!(shown(AggregateValue::Number(f64::NAN)), "null");
        assert_eq!(shown(AggregateValue::None), "null");
        let json = serde_json::json!({"q": [1.5, 2]});
        assert_eq!(shown(AggregateValue::Json(Box::new(json))), r#"{"q":[1.5,2]}"#);
    }
}
