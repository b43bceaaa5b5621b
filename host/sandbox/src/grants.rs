//! What one plugin is given beyond its world: the origins it may reach over HTTP, and the secrets it may name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an operator grants to one plugin. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Origins that a sink may send HTTP requests to, exactly: `https://hooks.example.com`, `http://127.0.0.1:9093`.
    pub http: Vec<String>,
    /// Whether those origins may be at loopback, private, link-local and other addresses that are not public.
    pub private_addresses: bool,
    /// Secrets that a sink may name as `${secret:NAME}` in header values and bodies.
    pub secrets: BTreeSet<String>,
}

/// Secrets by name. They are never printed and never reach a plugin.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The secret of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(secrets: I) -> Self {
        Self(secrets.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secrets = Secrets::from_iter([("TOKEN", "hunter2")]);
        assert_eq!(format!("{secrets:?}"), r#"{"TOKEN"}"#);
        assert_eq!(secrets.get("TOKEN"), Some("hunter2"));
    }
}
