//! Settings in environment variables: `BRIDGE_TELEMETRY__STORAGE_CONFIG__DURABILITY=power`.
//!
//! After the prefix, `__` separates the keys; case does not count. Of the names of plugins, receivers and secrets
//! `_` stands for `-` too: `…__PLUGINS__SETTINGS__ERROR_RATE__ENABLED=false` concerns the `error-rate` that is already
//! configured, or else a new `error-rate`. The value is read as the key wants it: text stays text, everything else is
//! JSON or a TOML value, so `{"error-rate": {"enabled": false}}` or `["a", "b"]` do too. An empty variable says nothing.

use std::ffi::OsString;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use toml::de::ValueDeserializer;

use super::fault::ConfigFault;
use super::resolve::syntax;
use super::schema::Shape;
use super::tree::{Node, ObjectEntry, Origin, Tree};

/// What the variables' names begin with.
pub const ENVIRONMENT_PREFIX: &str = "BRIDGE_TELEMETRY__";

const SEPARATOR: &str = "__";

/// What `variables` say, one document each, in the order of their names. `configured` is what the layers below say.
pub(super) fn documents(
    variables: &[(OsString, OsString)],
    configured: &Node,
    faults: &mut Vec<ConfigFault>,
) -> Vec<Node> {
    let mut sorted = variables.iter().collect::<Vec<_>>();
    sorted.sort();
    let mut documents = Vec::new();
    for (variable, value) in sorted {
        let Some(name) = variable.to_str() else { continue };
        let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let origin = Origin::Environment { variable: Arc::from(name) };
        let Some(value) = value.to_str() else {
            faults.push(syntax(origin, "its value is not UTF-8".to_owned()));
            continue;
        };
        if value.is_empty() {
            continue;
        }
        let keys = keys.split(SEPARATOR).collect::<Vec<_>>();
        if keys.iter().any(|key| key.is_empty()) {
            faults.push(syntax(origin, format!("keys are separated by one {SEPARATOR}, none may be empty")));
            continue;
        }
        documents.push(document(&keys, value, Some(Shape::root()), Some(configured), &origin));
    }
    documents
}

fn document(
    keys: &[&str],
    value: &str,
    shape: Option<Shape>,
    configured: Option<&Node>,
    origin: &Origin,
) -> Node {
    let Some((written, rest)) = keys.split_first() else {
        return Node::from_value(parse(value, shape), origin);
    };
    let entries = configured.and_then(|node| match &node.tree {
        Tree::Object(entries) => Some(entries),
        _ => None,
    });
    let key = key(written, shape, entries);
    let below = shape.and_then(|shape| shape.below(&key));
    let next = entries.and_then(|entries| entries.get(&key)).map(|entry| &entry.node);
    let node = document(rest, value, below, next, origin);
    Node { tree: Tree::Object(IndexMap::from([(key, ObjectEntry::new(node))])), origin: origin.clone() }
}

/// The key that is meant by `written`.
fn key(written: &str, shape: Option<Shape>, entries: Option<&IndexMap<String, ObjectEntry>>) -> String {
    let lower = written.to_lowercase();
    let known = |same: &dyn Fn(&str) -> bool| {
        entries.and_then(|entries| entries.keys().find(|key| same(key)).cloned())
    };
    match shape {
        Some(Shape::Named(_)) => {
            let dashed = lower.replace('_', "-");
            known(&|key| key.to_lowercase() == lower)
                .or_else(|| known(&|key| key.to_lowercase().replace('_', "-") == dashed))
                .unwrap_or(dashed)
        }
        Some(Shape::Free) => known(&|key| key.to_lowercase() == lower).unwrap_or(lower),
        _ => lower,
    }
}

fn parse(text: &str, shape: Option<Shape>) -> Value {
    if shape.is_some_and(Shape::is_text) {
        return text.into();
    }
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    // The inline tables and lists of TOML: `{ enabled = false }`.
    ValueDeserializer::parse(text)
        .ok()
        .and_then(|value| <Value as serde::Deserialize>::deserialize(value).ok())
        .unwrap_or_else(|| text.into())
}
