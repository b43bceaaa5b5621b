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
        u64::try_from(seconds)
            .map(Period::from_seconds)
            .map_err(|_| E::custom("a length of time is not negative"))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Period, E> {
        Duration::try_from_secs_f64(seconds).map(Period).map_err(|error| E::custom(error.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        humantime::parse_duration(text).map(Period).map_err(|error| E::custom(error.to_string()))
    }
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
    use super::*;

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
