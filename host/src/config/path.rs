//! The path of a configuration key, as it is written in messages: `alerting.routes[0].receivers`.

use std::fmt;

use serde::{Serialize, Serializer};

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathSegment {
    /// A key of an object.
    Key(String),
    /// A position in a list, from 0.
    Index(usize),
}

/// Where a value stands in the configuration; empty for the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath(Vec<PathSegment>);

impl KeyPath {
    /// The path of `segments`.
    pub fn new(segments: Vec<PathSegment>) -> Self {
        Self(segments)
    }

    /// A path of keys alone.
    pub fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.into_iter().map(|key| PathSegment::Key(key.to_owned())).collect())
    }

    /// The path of `key` below this one.
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(PathSegment::Key(key.into()))
    }

    /// The path of the entry `index` below this one.
    pub fn index(&self, index: usize) -> Self {
        self.with(PathSegment::Index(index))
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[PathSegment] {
        &self.0
    }

    fn with(&self, segment: PathSegment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the configuration");
        }
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                PathSegment::Index(index) => write!(f, "[{index}]")?,
                PathSegment::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                    if !key.is_empty() && key.chars().all(plain) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Serialize for KeyPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_like_the_document() {
        let check = |path: KeyPath, text: &str| assert_eq!(path.to_string(), text);
        check(KeyPath::of(["storage_config", "durability"]), "storage_config.durability");
        check(KeyPath::of(["alerting", "routes"]).index(2).key("receivers"), "alerting.routes[2].receivers");
        check(KeyPath::of(["plugins", "settings", "a.b"]).key("x"), r#"plugins.settings."a.b".x"#);
        check(KeyPath::of(["a\u{1b}[2J"]), r#""a\u{1b}[2J""#);
        check(KeyPath::default(), "the configuration");
    }
}
