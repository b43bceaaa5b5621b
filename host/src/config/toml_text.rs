//! TOML with positions.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::fault::ConfigFault;
use super::resolve::syntax;
use super::tree::{Node, ObjectEntry, Origin, Tree};

/// The document that `text` says, or all syntax errors.
pub(super) fn parse(text: &str, file: &Arc<Path>) -> Result<Node, Vec<ConfigFault>> {
    let places = Places { text, file };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = errors
        .iter()
        .map(|error| syntax(places.origin(error.span().unwrap_or(0..0)), error.message().to_owned()))
        .collect::<Vec<_>>();
    let tree = places.object(table.into_inner(), &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Node { tree, origin: places.origin(0..0) })
}

/// Turns byte offsets into lines and columns.
struct Places<'a> {
    text: &'a str,
    file: &'a Arc<Path>,
}

impl Places<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Origin::File {
            file: self.file.clone(),
            line: count(before.matches('\n').count()) + 1,
            column: count(before.get(line_start..).map_or(0, |rest| rest.chars().count())) + 1,
        }
    }

    fn object(&self, table: DeTable<'_>, faults: &mut Vec<ConfigFault>) -> Tree {
        let entry = |(key, value): (Spanned<_>, _)| {
            let key_origin = self.origin(key.span());
            let node = self.node(value, faults);
            (String::from(key.into_inner()), ObjectEntry { key_origin, node })
        };
        Tree::Object(table.into_iter().map(entry).collect::<IndexMap<_, _>>())
    }

    fn node(&self, value: Spanned<DeValue<'_>>, faults: &mut Vec<ConfigFault>) -> Node {
        let origin = self.origin(value.span());
        let tree = match value.into_inner() {
            DeValue::String(text) => Tree::Scalar(Value::String(text.into_owned())),
            DeValue::Boolean(flag) => Tree::Scalar(Value::Bool(flag)),
            DeValue::Datetime(moment) => Tree::Scalar(Value::String(moment.to_string())),
            DeValue::Integer(integer) => self.scalar(number(&integer), "integer", &origin, faults),
            DeValue::Float(float) => {
                let value = float.as_str().parse::<f64>().ok().and_then(Number::from_f64);
                self.scalar(value, "finite number", &origin, faults)
            }
            DeValue::Array(values) => {
                Tree::list(values.into_iter().map(|value| self.node(value, faults)).collect::<Vec<_>>())
            }
            DeValue::Table(table) => self.object(table, faults),
        };
        Node { tree, origin }
    }

    fn scalar(
        &self,
        number: Option<Number>,
        wanted: &str,
        origin: &Origin,
        faults: &mut Vec<ConfigFault>,
    ) -> Tree {
        number.map_or_else(
            || {
                faults.push(syntax(origin.clone(), format!("not a {wanted} of 64 bits")));
                Tree::Scalar(Value::Null)
            },
            |number| Tree::Scalar(Value::Number(number)),
        )
    }
}

fn number(integer: &DeInteger<'_>) -> Option<Number> {
    let (text, radix) = (integer.as_str(), integer.radix());
    match i64::from_str_radix(text, radix) {
        Ok(value) => Some(value.into()),
        Err(_) => u64::from_str_radix(text, radix).ok().map(Number::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_and_positions() {
        let file: Arc<Path> = Path::new("c.toml").into();
        let text = "a = 1_000\n'ü' = { x = 'y', z = [1,\n  0x10] }\n[[r]]\nf = 1.5\n";
        let node = parse(text, &file).unwrap();
        assert_eq!(node.to_value(), json!({"a": 1000, "ü": {"x": "y", "z": [1, 16]}, "r": [{"f": 1.5}]}));
        let at = |path: super::super::KeyPath| node.locate(&path).to_string();
        let root = super::super::KeyPath::default();
        assert_eq!(at(root.key("ü").key("z").index(1)), "c.toml:3:3");
        assert_eq!(at(root.key("ü").key("x")), "c.toml:2:13");
        assert_eq!(at(root.key("r").index(0).key("f")), "c.toml:5:5");
    }

    #[test]
    fn every_syntax_error_is_told() {
        let file: Arc<Path> = Path::new("c.toml").into();
        let faults = parse("a = \nb = nan\nc = 99999999999999999999\n[x\n", &file).unwrap_err();
        let places = faults.iter().map(|fault| fault.origin.to_string()).collect::<Vec<_>>();
        for place in ["c.toml:1:5", "c.toml:2:5", "c.toml:3:5", "c.toml:4:3"] {
            assert!(places.iter().any(|found| found == place), "{place} in {places:?}");
        }
    }
}
