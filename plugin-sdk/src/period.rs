//! A length of time in a plugin's configuration.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Timestamp;

/// A length of time in a configuration: a number of seconds (`90`, `0.5`) or a text such as `"90s"`, `"5m"`, `"1h 30m"`.
///
/// ```
/// use bridge_telemetry_plugin::Period;
///
/// let window: Period = serde_json::from_str("\"5m\"")?;
/// assert_eq!(window, Period::from_seconds(300));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// So many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a standard duration.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// In the unit of timestamps; at most what they can hold, some 292 years.
    pub fn as_nanos(self) -> Timestamp {
        Timestamp::try_from(self.0.as_nanos()).unwrap_or(Timestamp::MAX)
    }

    /// In seconds.
    pub const fn as_seconds(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a length of time: seconds, or a text such as \"90s\" or \"5m\"")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Period, E> {
        Ok(Period::from_seconds(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Period, E> {
        u64::try_from(seconds).map(Period::from_seconds).map_err(|_| E::custom(NEGATIVE))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Period, E> {
        if seconds < 0.0 {
            return Err(E::custom(NEGATIVE));
        }
        duration(seconds).map(Period).ok_or_else(|| E::custom(TOO_LONG))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        parse(text).map(|nanos| Period(Duration::from_nanos(nanos))).map_err(E::custom)
    }
}

const NEGATIVE: &str = "a length of time is not negative";
const TOO_LONG: &str = "it is too long";

/// So many seconds, to the nearest nanosecond. What the standard library has for it takes a kilobyte of a component.
fn duration(seconds: f64) -> Option<Duration> {
    const SECONDS_OF_64_BITS: f64 = 18_446_744_073_709_551_616.0;
    if !(0.0..SECONDS_OF_64_BITS).contains(&seconds) {
        return None;
    }
    let whole = seconds as u64;
    let nanos = (seconds - whole as f64) * 1e9 + 0.5;
    Duration::from_secs(whole).checked_add(Duration::from_nanos(nanos as u64))
}

/// The nanoseconds of `"1h 30m"`: numbers with units. The crate for this, humantime, is 13 KB of a component with what it needs.
fn parse(text: &str) -> Result<u64, Cow<'static, str>> {
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err("a length of time is missing".into());
    }
    let mut nanos = 0_u64;
    while !rest.is_empty() {
        let (number, behind) = leading(rest, |character| character.is_ascii_digit() || character == '.');
        // What is a letter, a table of 2 KB would say.
        let (unit, behind) = leading(behind.trim_start(), |character| {
            !(character.is_ascii_digit() || character == '.' || character.is_whitespace())
        });
        nanos = unit_nanos(unit)
            .ok_or_else(|| format!("there is no unit of time \"{unit}\"; there are {UNITS}"))
            .and_then(|unit| {
                times(number, unit).ok_or_else(|| format!("\"{number}\" is no number, or too large"))
            })?
            .checked_add(nanos)
            .ok_or(TOO_LONG)?;
        rest = behind.trim_start();
    }
    Ok(nanos)
}

/// What a text begins with, and the rest of it.
fn leading(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|character| !belongs(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

const UNITS: &str = "ns, us, ms, s, m, h, days, weeks, months (M, 30.44 days) and years (365.25 days)";

const SECOND: u64 = 1_000_000_000;
/// The units' names, which are those of the crate humantime, and their nanoseconds. A comparison in code for each would be larger.
const NAMES: [(&[u8], u64); 10] = [
    (b"nanos nsec ns", 1),
    ("usec us µs".as_bytes(), 1_000),
    (b"millis msec ms", 1_000_000),
    (b"seconds second secs sec s", SECOND),
    (b"minutes minute min mins m", 60 * SECOND),
    (b"hours hour hr hrs h", 3_600 * SECOND),
    (b"days day d", 86_400 * SECOND),
    (b"weeks week wk wks w", 7 * 86_400 * SECOND),
    (b"months month M", 2_630_016 * SECOND),
    (b"years year yr yrs y", 31_557_600 * SECOND),
];

/// Nanoseconds of a unit.
fn unit_nanos(unit: &str) -> Option<u64> {
    let mut names = NAMES.iter();
    let found =
        names.find(|(names, _)| names.split(|byte| *byte == b' ').any(|name| name == unit.as_bytes()));
    found.map(|(_, nanos)| *nanos)
}

/// So many units; what is below a nanosecond is cut off.
fn times(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let mut nanos = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        nanos = nanos.checked_add(place * u64::from(digit.to_digit(10)?))?;
    }
    (!fraction.is_empty()).then_some(nanos)
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "minimum": 0, "examples": [90, "90s", "5m", "1h 30m"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_humantime_reads(
            text in "([0-9]{1,3} ?(nanos|us|ms|msec|s|seconds|min|m|h|hrs|d|days|wk|M|month) ?){1,3}",
            seconds in "[0-9]{1,3}[.][0-9]{1,9}s",
        ) {
            for text in [text, seconds] {
                let expected = humantime::parse_duration(&text).unwrap().as_nanos();
                prop_assert_eq!(parse(&text).map(u128::from), Ok(expected), "{}", text);
            }
        }

        #[test]
        fn a_number_of_seconds_is_the_same_as_a_text(seconds in "[0-9]{1,6}[.][0-9]{1,9}", number in 0.0..1e15_f64) {
            let nanos = duration(seconds.parse().unwrap()).unwrap().as_nanos();
            prop_assert_eq!(Ok(nanos), parse(&format!("{seconds}s")).map(u128::from));
            let exact = Duration::try_from_secs_f64(number).unwrap();
            prop_assert!(duration(number).unwrap().abs_diff(exact) <= Duration::from_nanos(1), "{}", number);
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "[0-9. a-zM\u{b5}é-]{0,12}|.{0,8}") {
            if let Ok(nanos) = parse(&text) {
                prop_assert!(nanos == 0 || text.contains(|digit: char| digit.is_ascii_digit()));
            }
        }
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| parse(text).unwrap_err().into_owned();
        assert!(
            fault("5 parsecs").starts_with("there is no unit of time \"parsecs\"; there are ns, us"),
            "{}",
            fault("5 parsecs")
        );
        assert!(fault("5").starts_with("there is no unit of time \"\""), "{}", fault("5"));
        assert_eq!(fault("1.s"), "\"1.\" is no number, or too large");
        assert_eq!(fault("600y"), "\"600\" is no number, or too large");
        assert_eq!(fault("500y 500y"), "it is too long");
        assert_eq!(fault("  "), "a length of time is missing");
        assert!(fault("5s, 3m").starts_with("there is no unit of time \"s,\""), "{}", fault("5s, 3m"));
        let of_number = |json: &str| serde_json::from_str::<Period>(json).unwrap_err().to_string();
        assert!(of_number("-0.5").contains(NEGATIVE), "{}", of_number("-0.5"));
        assert!(of_number("1e300").contains(TOO_LONG), "{}", of_number("1e300"));
        assert_eq!(parse(" 1.5h "), Ok(5_400_000_000_000));
    }

    #[test]
    fn reads_numbers_and_texts() {
        let read = |json: &str| serde_json::from_str::<Period>(json).map(Period::as_seconds).ok();
        assert_eq!(read("2"), Some(2.0));
        assert_eq!(read("0.5"), Some(0.5));
        assert_eq!(read("\"1h 30m\""), Some(5400.0));
        assert_eq!(read("\"250ms\""), Some(0.25));
        for wrong in ["-1", "-0.5", "\"soon\"", "\"\"", "null", "1e300"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
