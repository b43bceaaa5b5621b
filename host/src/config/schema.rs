//! The generated JSON Schema, read back to know which keys there are and what they hold.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::root::Config;

/// The JSON Schema of [`Config`], generated once.
pub(super) fn generated() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Config).to_value();
        tidy_schema(&mut schema);
        schema
    })
}

/// Leaves out the default of a whole section, which repeats what its keys say one by one, and joins the lines of the
/// descriptions.
pub(crate) fn tidy_schema(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("default").is_some_and(|default| default.is_object()) {
                map.shift_remove("default");
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            map.values_mut().for_each(tidy_schema);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy_schema),
        _ => {}
    }
}

/// What the schema says about one place of the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// An object with fixed keys.
    Closed(&'static Map<String, Value>),
    /// An object whose keys are names, with values of one shape.
    Named(&'static Value),
    /// Anything: a plugin's own configuration, a route's match.
    Free,
    /// A list of values of one shape.
    List(&'static Value),
    /// A number, text or boolean: its schema.
    Scalar(&'static Value),
}

impl Shape {
    /// The whole document.
    pub(super) fn root() -> Self {
        Self::of(generated())
    }

    /// What `schema` describes.
    pub(super) fn of(schema: &'static Value) -> Self {
        let schema = resolved(schema);
        let Some(map) = schema.as_object() else { return Self::Free };
        if let Some(Value::Object(properties)) = map.get("properties") {
            return Self::Closed(properties);
        }
        match (map.get("additionalProperties"), map.get("items")) {
            (Some(values @ Value::Object(inner)), _) if !inner.is_empty() => Self::Named(values),
            (_, Some(items)) => Self::List(items),
            _ if is_type(map, "object") || !(map.contains_key("type") || map.contains_key("oneOf")) => {
                Self::Free
            }
            _ => Self::Scalar(schema),
        }
    }

    /// The shape of the value of `key`; `None` if there is no such key.
    pub(super) fn below(self, key: &str) -> Option<Self> {
        match self {
            Self::Closed(properties) => properties.get(key).map(Self::of),
            Self::Named(values) => Some(Self::of(values)),
            Self::Free => Some(Self::Free),
            Self::List(_) | Self::Scalar(_) => None,
        }
    }

    /// Whether the value can be nothing but text.
    pub(super) fn is_text(self) -> bool {
        let Self::Scalar(Value::Object(map)) = self else { return false };
        match map.get("type") {
            Some(Value::String(only)) => only == "string",
            Some(Value::Array(types)) => types.iter().all(|name| name == "string" || name == "null"),
            _ => map.get("oneOf").and_then(Value::as_array).is_some_and(|cases| {
                cases.iter().all(|case| case.get("type").is_some_and(|name| name == "string"))
            }),
        }
    }

    /// The least and greatest accepted integer.
    pub(super) fn range(self) -> Option<(i64, i64)> {
        let Self::Scalar(Value::Object(map)) = self else { return None };
        Some((map.get("minimum")?.as_i64()?, map.get("maximum").and_then(Value::as_i64).unwrap_or(i64::MAX)))
    }
}

/// Follows references, and an optional value's schema to that of the value.
fn resolved(mut schema: &'static Value) -> &'static Value {
    // References of a generated schema are two deep at most; the bound only excludes a circle.
    for _ in 0..8 {
        let next = if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            reference.strip_prefix('#').and_then(|pointer| generated().pointer(pointer))
        } else {
            schema.get("anyOf").and_then(Value::as_array).and_then(|cases| {
                cases.iter().find(|case| case.get("type").is_none_or(|name| name != "null"))
            })
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn is_type(map: &Map<String, Value>, name: &str) -> bool {
    match map.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|found| found == name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;
    use serde_json::json;

    fn at(path: &[&str]) -> Shape {
        path.iter().fold(Shape::root(), |shape, key| shape.below(key).unwrap())
    }

    #[test]
    fn shapes_of_the_document() {
        assert!(matches!(at(&["storage_config"]), Shape::Closed(_)));
        assert!(matches!(at(&["plugins", "settings"]), Shape::Named(_)));
        assert!(matches!(at(&["plugins", "settings", "x", "config"]), Shape::Free));
        assert!(matches!(at(&["plugins", "settings", "x", "config", "y"]), Shape::Free));
        assert!(matches!(at(&["alerting", "receivers", "x", "limits"]), Shape::Closed(_)));
        assert!(matches!(at(&["plugins", "settings", "x", "grants", "secrets"]), Shape::Named(_)));
        assert!(matches!(at(&["alerting", "routes"]), Shape::List(_)));
        assert!(matches!(at(&["storage_config", "max_bytes"]), Shape::Scalar(_)));
        assert!(Shape::root().below("storage").is_none());
    }

    #[test]
    fn texts_and_ranges() {
        assert!(at(&["logger_config", "log_path"]).is_text());
        assert!(at(&["logger_config", "min_log_level"]).is_text());
        assert!(at(&["plugins", "directory"]).is_text());
        assert!(!at(&["storage_config", "max_bytes"]).is_text());
        assert!(!at(&["plugins", "settings", "x", "grants", "secrets", "y"]).is_text());
        assert!(!at(&["logger_config", "enable_console"]).is_text());
        assert_eq!(at(&["max_recursion_depth"]).range(), Some((1, 100)));
        assert_eq!(at(&["retention_policy", "events", "duration_days"]).range(), Some((1, 36_525)));
        assert_eq!(at(&["logger_config", "enable_console"]).range(), None);
    }

    /// The committed schema is generated. To renew it:
    /// `UPDATE_EXPECT=1 cargo test -p bridge-telemetry the_committed_schema_is_in_step`
    #[test]
    fn the_committed_schema_is_in_step() {
        let schema = serde_json::to_string_pretty(&Config::schema()).unwrap() + "\n";
        expect_file!["../../config.schema.json"].assert_eq(&schema);
    }

    #[test]
    fn the_schema_accepts_the_defaults_key_by_key() {
        let schema = Config::schema();
        let defaults = serde_json::to_value(Config::default()).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(
            properties.keys().collect::<Vec<_>>(),
            defaults.as_object().unwrap().keys().collect::<Vec<_>>()
        );
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                assert!(property.get("description").is_some(), "{name}.{key} has no description");
            }
            if definition.get("properties").is_some() {
                assert_eq!(definition["additionalProperties"], json!(false), "{name}");
            }
        }
    }
}
