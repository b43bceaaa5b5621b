//! From a document to a [`Config`], collecting every fault.
//!
//! The generated schema finds unknown keys, wrong shapes and numbers out of range; serde judges the values; at last the
//! whole is checked. A faulty value is taken out and the rest goes on, so that one run shows everything.

use serde_json::Value;

use super::check;
use super::fault::{ConfigFault, Problem};
use super::path::{KeyPath, PathSegment};
use super::root::Config;
use super::schema::Shape;
use super::tree::{Node, Origin, Tree};

/// Values that serde is asked to judge again after one was taken out: each costs a pass over the document.
const MAX_PASSES: usize = 64;
/// Similarity (0 to 1) from which a known key is suggested for an unknown one.
const SUGGESTION_SIMILARITY: f64 = 0.75;

/// The configuration that `document` describes, or all that is wrong with it.
pub(super) fn resolve(document: &mut Node) -> Result<Config, Vec<ConfigFault>> {
    let mut faults = Vec::new();
    prune(document, Shape::root(), &KeyPath::default(), &mut faults);
    let parsed = deserialize(document, &mut faults);
    let Some(config) = parsed.filter(|_| faults.is_empty()) else { return Err(faults) };
    let faults = located(check::faults(&config), document);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// Values that cannot be used, with the places where `document` says them.
pub(super) fn located(values: Vec<(KeyPath, String)>, document: &Node) -> Vec<ConfigFault> {
    let fault = |(path, message)| ConfigFault {
        origin: document.locate(&path).clone(),
        path,
        problem: Problem::Value { message },
    };
    values.into_iter().map(fault).collect()
}

/// Takes out unknown keys, values of the wrong shape and numbers out of range.
fn prune(node: &mut Node, shape: Shape, path: &KeyPath, faults: &mut Vec<ConfigFault>) {
    match (&mut node.tree, shape) {
        (Tree::Object(entries), Shape::Closed(_) | Shape::Named(_)) => entries.retain(|key, entry| {
            let path = path.key(key);
            let Some(shape) = shape.below(key) else {
                let problem = Problem::UnknownKey { suggestion: suggestion(key, shape) };
                faults.push(ConfigFault { path, origin: entry.key_origin.clone(), problem });
                return false;
            };
            keep(&mut entry.node, shape, &path, faults)
        }),
        (Tree::List(entries), Shape::List(schema)) => entries.retain_mut(|entry| {
            keep(&mut entry.node, Shape::of(schema), &path.index(entry.position), faults)
        }),
        _ => {}
    }
}

/// Checks one value and what is below it; whether it stays.
fn keep(node: &mut Node, shape: Shape, path: &KeyPath, faults: &mut Vec<ConfigFault>) -> bool {
    let problem = match (&node.tree, shape) {
        (Tree::Object(_), Shape::Closed(_) | Shape::Named(_))
        | (Tree::List(_), Shape::List(_))
        | (_, Shape::Free) => {
            prune(node, shape, path, faults);
            return true;
        }
        (found, Shape::Closed(_) | Shape::Named(_)) => {
            // A secret's source has an own, more helpful refusal of a plain text.
            Problem::Type { message: format!("wants an object of keys, found {}", kind(found)) }
        }
        (found, Shape::List(_)) => Problem::Type { message: format!("wants a list, found {}", kind(found)) },
        (Tree::Scalar(Value::Number(number)), shape) => match (shape.range(), number.as_i64()) {
            (Some((least, most)), Some(value)) if value < least || value > most => {
                let range =
                    if most == i64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
                Problem::Value { message: format!("must be {range}, it is {value}") }
            }
            _ => return true,
        },
        _ => return true,
    };
    faults.push(ConfigFault { path: path.clone(), origin: node.origin.clone(), problem });
    false
}

fn kind(tree: &Tree) -> &'static str {
    match tree {
        Tree::Object(_) => "an object",
        Tree::List(_) => "a list",
        Tree::Scalar(Value::String(_)) => "a text",
        Tree::Scalar(Value::Number(_)) => "a number",
        Tree::Scalar(Value::Bool(_)) => "a boolean",
        Tree::Scalar(_) => "nothing",
    }
}

/// The known key that looks most like `key`.
fn suggestion(key: &str, shape: Shape) -> Option<String> {
    let Shape::Closed(properties) = shape else { return None };
    nearest(&key.to_lowercase(), properties.keys())
}

/// The known name that looks most like `name`, if any is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(similarity, _)| *similarity >= SUGGESTION_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.clone())
}

/// Lets serde judge the values; what it refuses is taken out, and it is asked again.
fn deserialize(document: &mut Node, faults: &mut Vec<ConfigFault>) -> Option<Config> {
    for _ in 0..MAX_PASSES {
        let error = match serde_path_to_error::deserialize(&document.to_value()) {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let present = key_path(error.path());
        let problem = Problem::Type { message: error.inner().to_string() };
        let path = document.original_path(&present);
        let origin = document.locate(&present).clone();
        faults.push(ConfigFault { path, origin, problem });
        if !document.remove(&present) {
            return None;
        }
    }
    None
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(PathSegment::Index(*index)),
        Segment::Map { key } => Some(PathSegment::Key(key.clone())),
        // The case of an enum is a key of the document, too.
        Segment::Enum { variant } => Some(PathSegment::Key(variant.clone())),
        Segment::Unknown => None,
    };
    KeyPath::new(path.iter().map_while(segment).collect())
}

/// The faults of a document that is not an object.
pub(super) fn not_an_object(node: &Node) -> ConfigFault {
    let message = format!("wants an object of keys, found {}", kind(&node.tree));
    ConfigFault { path: KeyPath::default(), origin: node.origin.clone(), problem: Problem::Type { message } }
}

/// The fault of a text that cannot be parsed.
pub(super) fn syntax(origin: Origin, message: String) -> ConfigFault {
    ConfigFault { path: KeyPath::default(), origin, problem: Problem::Syntax { message } }
}
