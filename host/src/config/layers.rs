//! The layers of a configuration, from the weakest to the strongest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::fault::{ConfigError, ConfigFault};
use super::schema::Shape;
use super::tree::{ObjectEntry, Origin, Tree};
use super::{Config, component, environment, file, plugin_schema, resolve, tree::Node};

/// Collects what is said about the configuration, then reads it at once.
///
/// ```no_run
/// # use bridge_telemetry::config::{ConfigError, ConfigLayers};
/// let config = ConfigLayers::new()
///     .file("bridge-telemetry.toml")
///     .process_environment()
///     .set(["server", "listen"], "127.0.0.1:0", "--listen")
///     .load()?;
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConfigLayers {
    value: Option<Value>,
    file: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    explicit: Vec<Node>,
}

impl ConfigLayers {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A document of the embedding program; the file goes over it.
    pub fn value(mut self, value: Value) -> Self {
        self.value = Some(value);
        self
    }

    /// A TOML, YAML or JSON file; its extension says which.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Environment variables; those without the prefix are left alone.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// The environment variables of this process.
    pub fn process_environment(self) -> Self {
        self.environment(std::env::vars_os())
    }

    /// One explicit setting; `name` is what the person wrote, for messages. Later ones win.
    pub fn set<const N: usize>(mut self, keys: [&str; N], value: impl Into<Value>, name: &str) -> Self {
        let origin = Origin::Explicit { name: Arc::from(name) };
        let document =
            keys.into_iter().rev().fold(Node::from_value(value.into(), &origin), |node, key| Node {
                tree: Tree::Object([(key.to_owned(), ObjectEntry::new(node))].into_iter().collect()),
                origin: origin.clone(),
            });
        self.explicit.push(document);
        self
    }

    /// The configuration, or all that is wrong with it.
    pub fn load(self) -> Result<Config, ConfigError> {
        self.resolve().map(|(config, _)| config)
    }

    /// The configuration, and besides every name in it that should be a plugin's and has no component. A host opens
    /// without those plugins, unless one is required; health tells of them.
    pub fn load_with_plugins(self) -> Result<(Config, Vec<ConfigFault>), ConfigError> {
        let (config, document) = self.resolve()?;
        let faults = ConfigFault::in_order(resolve::located(component::faults(&config), &document));
        Ok((config, faults))
    }

    /// The configuration, if nothing at all is wrong with it.
    pub fn check(self) -> Result<Config, ConfigError> {
        match self.load_with_plugins()? {
            (config, faults) if faults.is_empty() => Ok(config),
            (_, faults) => Err(ConfigError::of(faults)),
        }
    }

    /// The same, and nothing is wrong with what its plugins are configured with: each one that the configuration names is
    /// compiled and asked for its schema, which may take seconds. None is started.
    pub fn check_plugins(self) -> Result<Config, ConfigError> {
        let (config, document) = self.resolve()?;
        let mut faults = component::faults(&config);
        if faults.is_empty() {
            faults = plugin_schema::faults(&config);
        }
        let faults = ConfigFault::in_order(resolve::located(faults, &document));
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::of(faults)) }
    }

    fn resolve(self) -> Result<(Config, Node), ConfigError> {
        let mut faults = Vec::new();
        let mut document = Node::empty(Origin::Program);
        let given = self.value.map(|value| Node::from_value(value, &Origin::Program));
        let read = self.file.as_deref().map(file::read).transpose()?;
        for layer in given.into_iter().chain(read).filter(|layer| !layer.is_null()) {
            if !matches!(layer.tree, Tree::Object(_)) {
                faults.push(resolve::not_an_object(&layer));
                continue;
            }
            merge(&mut document, layer, Some(Shape::root()));
        }
        for layer in environment::documents(&self.environment, &document, &mut faults) {
            merge(&mut document, layer, Some(Shape::root()));
        }
        for layer in self.explicit {
            merge(&mut document, layer, Some(Shape::root()));
        }
        match resolve::resolve(&mut document) {
            Ok(config) if faults.is_empty() => Ok((config, document)),
            Ok(_) => Err(ConfigError::of(faults)),
            Err(more) => {
                faults.extend(more);
                Err(ConfigError::of(faults))
            }
        }
    }
}

impl Config {
    /// Reads one file alone, without environment; a fault points at line and column.
    pub fn check_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        ConfigLayers::new().file(path.as_ref()).load()
    }
}

/// Puts `over` over `base`: objects key by key, all else whole; `null` says nothing, except where a plugin's own
/// configuration may mean something by it, or where there is no such key.
fn merge(base: &mut Node, over: Node, shape: Option<Shape>) {
    if over.is_null() && !matches!(shape, None | Some(Shape::Free)) {
        return;
    }
    let Node { tree, origin } = over;
    let Tree::Object(above) = tree else {
        *base = Node { tree, origin };
        return;
    };
    if !matches!(base.tree, Tree::Object(_)) {
        base.tree = Tree::Object(IndexMap::new());
    }
    base.origin = origin;
    let Tree::Object(below) = &mut base.tree else { return };
    for (key, entry) in above {
        let shape = shape.and_then(|shape| shape.below(&key));
        if let Some(present) = below.get_mut(&key) {
            merge(&mut present.node, entry.node, shape);
        } else if !entry.node.is_null() || matches!(shape, None | Some(Shape::Free)) {
            let mut node = Node { tree: Tree::Scalar(Value::Null), origin: entry.node.origin.clone() };
            merge(&mut node, entry.node, shape);
            below.insert(key, ObjectEntry { key_origin: entry.key_origin, node });
        }
    }
}
