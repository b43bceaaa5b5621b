//! YAML (and with it JSON) with positions.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_json::{Number, Value};
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::fault::ConfigFault;
use super::resolve::syntax;
use super::tree::{Node, ObjectEntry, Origin, Tree};

/// The document that `text` says, or the first syntax error.
pub(super) fn parse(text: &str, file: &Arc<Path>) -> Result<Node, ConfigFault> {
    // As in YAML 1.2 and in JSON only `true` and `false` are booleans: a label "no" stays a text.
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Yaml>>(text, options) {
        Ok(document) => Ok(node(document, file)),
        Err(error) => {
            let origin = origin(error.location().unwrap_or(Location::UNKNOWN), file);
            Err(syntax(origin, UserMessageFormatter.format_message(error.without_snippet()).into_owned()))
        }
    }
}

/// A YAML value whose parts know their place.
enum Yaml {
    Scalar(Value),
    List(Vec<Spanned<Yaml>>),
    Object(Vec<(Spanned<String>, Spanned<Yaml>)>),
}

fn node(yaml: Spanned<Yaml>, file: &Arc<Path>) -> Node {
    let origin = self::origin(yaml.referenced, file);
    let tree = match yaml.value {
        Yaml::Scalar(value) => Tree::Scalar(value),
        Yaml::List(values) => Tree::list(values.into_iter().map(|value| node(value, file))),
        Yaml::Object(entries) => Tree::Object(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key_origin = self::origin(key.referenced, file);
                    (key.value, ObjectEntry { key_origin, node: node(value, file) })
                })
                .collect::<IndexMap<_, _>>(),
        ),
    };
    Node { tree, origin }
}

fn origin(location: Location, file: &Arc<Path>) -> Origin {
    Origin::File { file: file.clone(), line: location.line().max(1), column: location.column().max(1) }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Yaml;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(Value::Null))
            }
            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(Value::Null))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(Value::Bool(flag)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Yaml, E> {
                Number::from_f64(value)
                    .map(|number| Yaml::Scalar(Value::Number(number)))
                    .ok_or_else(|| E::custom("not a finite number"))
            }
            fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
                Ok(Yaml::Scalar(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Yaml::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Yaml::Object(entries))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyPath;
    use serde_json::json;

    fn file() -> Arc<Path> {
        Path::new("c.yaml").into()
    }

    #[test]
    fn values_and_positions() {
        let text = "a: 1\nb:\n  - x: no\n    y: [true, ~, 1.5]\n  - '5'\nvalue: {referenced: 1}\nc: 10 MiB\n";
        let node = parse(text, &file()).unwrap();
        let expected = json!({"a": 1, "b": [{"x": "no", "y": [true, null, 1.5]}, "5"], "value": {"referenced": 1}, "c": "10 MiB"});
        assert_eq!(node.to_value(), expected);
        let at = |path: KeyPath| node.locate(&path).to_string();
        assert_eq!(at(KeyPath::of(["b"]).index(0).key("y").index(2)), "c.yaml:4:18");
        assert_eq!(at(KeyPath::of(["value", "referenced"])), "c.yaml:6:21");
    }

    #[test]
    fn json_is_yaml() {
        let node = parse("{\"a\": {\n\t\"b\": [1, 2e3, \"x\\u0041\"]}\n}", &file()).unwrap();
        assert_eq!(node.to_value(), json!({"a": {"b": [1, 2e3, "xA"]}}));
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let check = |text: &str, expected: &str| {
            let fault = parse(text, &file()).unwrap_err().to_string();
            assert_eq!(fault, expected);
        };
        check("a: 1\na: 2\n", "c.yaml:2:1: duplicate mapping key `a` is not allowed here");
        check("a: [1\nb: 2\n", "c.yaml:2:2: illegal placement of ':' indicator");
        check("a: .nan\n", "c.yaml:1:4: value `.nan` is not a finite number");
        assert!(parse("", &file()).unwrap().is_null());
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let reference = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{reference}]\n"));
        }
        assert!(parse(&text, &file()).is_err());
        assert!(parse(&"[".repeat(100_000), &file()).is_err());
    }
}
