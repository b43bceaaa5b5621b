//! Sizes and spans of time as people write them: `"10 MiB"`, `"5m"`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes: a plain number, or a text such as `"10 MiB"` (1024²) or `"10 MB"` (1000²).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteSize::b(self.0).fmt(f)
    }
}

impl Serialize for ByteCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteCount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a size such as \"10 MiB\"")
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteCount, E> {
                Ok(ByteCount(bytes))
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteCount, E> {
                // Where numbers have a sign, as in TOML.
                let count = u64::try_from(bytes);
                count.map(ByteCount).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteCount, E> {
                text.parse::<ByteSize>()
                    .map(|size| ByteCount(size.as_u64()))
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ByteCount {
    fn schema_name() -> Cow<'static, str> {
        "ByteCount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtTpPeE]?i?[bB]?)\s*$",
            "description": "A number of bytes, or a text such as \"10 MiB\" (1024²) or \"10 MB\" (1000²)."
        })
    }
}

/// A span of time, written with its unit: `"30s"`, `"5m"`, `"1h 30m"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

impl Period {
    /// The span of time.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span of time with its unit, such as \"30s\" or \"5m\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                humantime::parse_duration(text)
                    .map(Period)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time with its unit: \"500ms\", \"30s\", \"5m\", \"1h 30m\"."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |json: &str, bytes: u64| {
            assert_eq!(serde_json::from_str::<ByteCount>(json).unwrap().bytes(), bytes, "{json}");
        };
        check("1024", 1024);
        check("\"10 MiB\"", 10 << 20);
        check("\"10MB\"", 10_000_000);
        check("\"1.5 KiB\"", 1536);
        for json in ["-1", "1.5", "\"ten\"", "\"10 lightyears\"", "null", "[]"] {
            let error = serde_json::from_str::<ByteCount>(json).unwrap_err().to_string();
            assert!(error.contains("a number of bytes or a size such as"), "{json}: {error}");
        }
    }

    #[test]
    fn spans_of_time_need_a_unit() {
        let parse = |json: &str| serde_json::from_str::<Period>(json);
        assert_eq!(parse("\"1h 30m\"").unwrap().duration(), Duration::from_secs(5400));
        assert_eq!(serde_json::to_string(&parse("\"90s\"").unwrap()).unwrap(), "\"1m 30s\"");
        for json in ["5", "\"5\"", "\"soon\"", "-1", "\"\""] {
            let error = parse(json).unwrap_err().to_string();
            assert!(error.contains("with its unit"), "{json}: {error}");
        }
    }
}
