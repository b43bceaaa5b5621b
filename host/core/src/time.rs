//! Instants as nanoseconds since the Unix epoch, and their text form.
//!
//! Text is RFC 3339 in UTC with `Z` and the fewest of 0, 3, 6 or 9 fraction digits that are exact (spec §1).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds of one millisecond.
pub const NANOS_PER_MILLI: i64 = 1_000_000;
/// Nanoseconds of one second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds of one UTC day; a day is a partition.
pub const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The earliest instant.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest instant.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch; saturates outside the covered years.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// From (fractional) seconds since the epoch, rounded to the microsecond: a double holds no more today.
    /// `None` when not finite or outside the covered years.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let micros = (seconds * 1e6).round();
        if !micros.is_finite() || micros.abs() >= 9.2e15 {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "range checked above")]
        Some(Self((micros as i64) * 1000))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(NANOS_PER_MILLI)
    }

    /// The same instant without digits finer than a millisecond.
    pub const fn floor_to_millis(self) -> Self {
        Self(self.0 - self.0.rem_euclid(NANOS_PER_MILLI))
    }

    /// The start of the half-open bucket of `step` nanoseconds that holds this instant; buckets are aligned to the epoch.
    /// A `step` below 1 is taken as 1.
    pub const fn floor_to(self, step: i64) -> Self {
        let step = if step < 1 { 1 } else { step };
        Self(self.0.saturating_sub(self.0.rem_euclid(step)))
    }

    /// Days since the epoch, rounded down.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(NANOS_PER_DAY)
    }

    /// This instant plus `duration`, saturating.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }

    /// This instant minus `duration`, saturating.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }

    /// Time from `earlier` to this instant; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses RFC 3339, also with a space for the `T`; a time without zone is UTC.
    pub fn parse(text: &str) -> Result<Self, TimeParseError> {
        let error = || TimeParseError { text: text.chars().take(64).collect() };
        let moment = match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => moment.with_timezone(&Utc),
            Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                .ok_or_else(error)?
                .and_utc(),
        };
        moment.timestamp_nanos_opt().map(Self).ok_or_else(error)
    }
}

/// Nanoseconds of a duration, saturating at about 292 years.
pub fn saturating_nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The text is not an instant that can be held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an RFC 3339 time between the years 1678 and 2261")]
pub struct TimeParseError {
    /// The text, cut to 64 characters.
    pub text: String,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_nanos(self.0);
        let format = match self.0.rem_euclid(NANOS_PER_SECOND) {
            0 => SecondsFormat::Secs,
            n if n % 1_000_000 == 0 => SecondsFormat::Millis,
            n if n % 1_000 == 0 => SecondsFormat::Micros,
            _ => SecondsFormat::Nanos,
        };
        f.write_str(&moment.to_rfc3339_opts(format, true))
    }
}

impl FromStr for Timestamp {
    type Err = TimeParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_fewest_exact_digits() {
        let check = |nanos, text: &str| {
            assert_eq!(Timestamp::from_nanos(nanos).to_string(), text);
            assert_eq!(Timestamp::parse(text).unwrap().nanos(), nanos);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(1_747_837_937_123_000_000, "2025-05-21T14:32:17.123Z");
        check(1_000, "1970-01-01T00:00:00.000001Z");
        check(1, "1970-01-01T00:00:00.000000001Z");
        check(-1, "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn naive_times_are_utc() {
        let expected = Timestamp::parse("2014-02-14T14:30:00Z").unwrap();
        for text in ["2014-02-14 14:30:00", "2014-02-14T14:30:00", "2014-02-14T15:30:00+01:00"] {
            assert_eq!(Timestamp::parse(text).unwrap(), expected, "{text}");
        }
        for text in ["", "yesterday", "2014-02-30T00:00:00Z", "9999-01-01T00:00:00Z"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn buckets_are_aligned_before_the_epoch_too() {
        assert_eq!(Timestamp::from_nanos(-1).floor_to(10).nanos(), -10);
        assert_eq!(Timestamp::from_nanos(-1).day(), -1);
        assert_eq!(Timestamp::from_nanos(19).floor_to(10).nanos(), 10);
    }

    #[test]
    fn seconds_round_to_microseconds() {
        assert_eq!(Timestamp::from_seconds(1.5).unwrap().nanos(), 1_500_000_000);
        assert!(Timestamp::from_seconds(f64::NAN).is_none());
        assert!(Timestamp::from_seconds(1e300).is_none());
    }
}
