//! A configuration document in which every key and value knows where it came from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::path::{KeyPath, PathSegment};

/// Where a piece of the configuration came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Built in, or given by the embedding program.
    Program,
    /// A file.
    File {
        /// The file as it was named.
        file: Arc<Path>,
        /// From 1.
        line: u64,
        /// In characters, from 1.
        column: u64,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: Arc<str>,
    },
    /// An explicit setting such as a flag.
    Explicit {
        /// What the person wrote, such as `--listen`.
        name: Arc<str>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("configuration"),
            Self::File { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Environment { variable } => f.write_str(variable),
            Self::Explicit { name } => f.write_str(name),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) tree: Tree,
    pub(super) origin: Origin,
}

/// The shapes of a value; scalars are never lists or objects.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Scalar(Value),
    List(Vec<ListEntry>),
    Object(IndexMap<String, ObjectEntry>),
}

/// An entry of a list with its original position, which stays true when entries before it are taken out.
#[derive(Clone, Debug)]
pub(super) struct ListEntry {
    pub(super) position: usize,
    pub(super) node: Node,
}

/// A value with the origin of its key.
#[derive(Clone, Debug)]
pub(super) struct ObjectEntry {
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

impl Node {
    /// A plain value, all of it from `origin`.
    pub(super) fn from_value(value: Value, origin: &Origin) -> Self {
        let tree = match value {
            Value::Array(values) => {
                Tree::list(values.into_iter().map(|value| Self::from_value(value, origin)))
            }
            Value::Object(map) => Tree::Object(
                map.into_iter()
                    .map(|(key, value)| (key, ObjectEntry::new(Self::from_value(value, origin))))
                    .collect(),
            ),
            scalar => Tree::Scalar(scalar),
        };
        Self { tree, origin: origin.clone() }
    }

    /// An object without keys.
    pub(super) fn empty(origin: Origin) -> Self {
        Self { tree: Tree::Object(IndexMap::new()), origin }
    }

    /// Whether this is `null`, which says nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.tree, Tree::Scalar(Value::Null))
    }

    /// The plain value.
    pub(super) fn to_value(&self) -> Value {
        match &self.tree {
            Tree::Scalar(value) => value.clone(),
            Tree::List(entries) => entries.iter().map(|entry| entry.node.to_value()).collect(),
            Tree::Object(entries) => {
                entries.iter().map(|(key, entry)| (key.clone(), entry.node.to_value())).collect()
            }
        }
    }

    /// The origin of the value at `path`, or of the nearest value around it that is there.
    pub(super) fn locate(&self, path: &KeyPath) -> &Origin {
        let mut node = self;
        for segment in path.segments() {
            match node.child(segment) {
                Some(child) => node = child,
                None => break,
            }
        }
        &node.origin
    }

    /// Takes out what is at `path`, a path of present positions; whether something was there.
    pub(super) fn remove(&mut self, path: &KeyPath) -> bool {
        let Some((last, parents)) = path.segments().split_last() else { return false };
        let mut node = self;
        for segment in parents {
            match node.child_mut(segment) {
                Some(child) => node = child,
                None => return false,
            }
        }
        match (&mut node.tree, last) {
            (Tree::Object(entries), PathSegment::Key(key)) => entries.shift_remove(key).is_some(),
            (Tree::List(entries), PathSegment::Index(index)) if *index < entries.len() => {
                entries.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// `path` with original list positions in the place of present ones.
    pub(super) fn original_path(&self, path: &KeyPath) -> KeyPath {
        let mut node = Some(self);
        let mut segments = Vec::with_capacity(path.segments().len());
        for segment in path.segments() {
            let original = match (segment, node.map(|node| &node.tree)) {
                (PathSegment::Index(index), Some(Tree::List(entries))) => entries
                    .get(*index)
                    .map_or_else(|| segment.clone(), |entry| PathSegment::Index(entry.position)),
                _ => segment.clone(),
            };
            segments.push(original);
            node = node.and_then(|node| node.child(segment));
        }
        KeyPath::new(segments)
    }

    fn child(&self, segment: &PathSegment) -> Option<&Node> {
        match (&self.tree, segment) {
            (Tree::Object(entries), PathSegment::Key(key)) => entries.get(key).map(|entry| &entry.node),
            (Tree::List(entries), PathSegment::Index(index)) => entries.get(*index).map(|entry| &entry.node),
            _ => None,
        }
    }

    fn child_mut(&mut self, segment: &PathSegment) -> Option<&mut Node> {
        match (&mut self.tree, segment) {
            (Tree::Object(entries), PathSegment::Key(key)) => {
                entries.get_mut(key).map(|entry| &mut entry.node)
            }
            (Tree::List(entries), PathSegment::Index(index)) => {
                entries.get_mut(*index).map(|entry| &mut entry.node)
            }
            _ => None,
        }
    }
}

impl Tree {
    /// A list of `nodes`.
    pub(super) fn list(nodes: impl IntoIterator<Item = Node>) -> Self {
        Self::List(
            nodes.into_iter().enumerate().map(|(position, node)| ListEntry { position, node }).collect(),
        )
    }
}

impl ObjectEntry {
    /// An entry whose key came from where its value came from.
    pub(super) fn new(node: Node) -> Self {
        Self { key_origin: node.origin.clone(), node }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn positions_survive_removal() {
        let mut node = Node::from_value(json!({"a": [0, 1, {"b": 2}]}), &Origin::Program);
        assert!(node.remove(&KeyPath::of(["a"]).index(0)));
        assert_eq!(node.to_value(), json!({"a": [1, {"b": 2}]}));
        let present = KeyPath::of(["a"]).index(1).key("b");
        assert_eq!(node.original_path(&present).to_string(), "a[2].b");
        assert!(!node.remove(&KeyPath::of(["a"]).index(9)));
        assert!(!node.remove(&KeyPath::default()));
    }
}
