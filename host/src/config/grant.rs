//! `plugins.settings.NAME.grants`: what a plugin may reach beyond its inputs. Nothing unless granted.
//!
//! Invariant: a secret's value is never part of the configuration: it is named here and read from its source when the
//! plugin is loaded, and neither a [`SecretText`] nor an error prints it.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeMap;
use telemetry_core::limits;

use super::quantity::ByteCount;

/// What a plugin may reach. Sinks have a use for all of it, monitors for the key-value space. Where a plugin has a manifest, it
/// gets no more than that requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Origins that it may send HTTP requests to, exactly as written: `"https://hooks.example.com"`,
    /// `"http://10.0.0.5:8080"`. No path, no wildcard.
    pub http: Vec<String>,
    /// Whether these origins may resolve to loopback, private or link-local addresses.
    pub allow_private: bool,
    /// Room in the store for its key-value space, keys and values together; 64 MiB, the most there is, when absent.
    pub key_value_bytes: Option<ByteCount>,
    /// Secrets that the host puts into its requests, by the name under which the plugin asks for them. The plugin
    /// never sees their values.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Where the value of a secret is: `{env = "NAME"}` or `{file = "PATH"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// In this environment variable of the host.
    Env(String),
    /// In this file; one newline at its end does not count.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Source {
            Env(String),
            File(PathBuf),
        }
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Source;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the secret is: {env = \"NAME\"} or {file = \"PATH\"}")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                Source::deserialize(de::value::MapAccessDeserializer::new(map))
            }
            // serde's own message would repeat the text, which is most likely the secret itself.
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Source, E> {
                Err(E::custom(
                    "must say where the secret is, {env = \"NAME\"} or {file = \"PATH\"}, and not be the secret",
                ))
            }
        }
        Ok(match deserializer.deserialize_any(Visitor)? {
            Source::Env(name) => Self::Env(name),
            Source::File(path) => Self::File(path),
        })
    }
}

impl SecretSource {
    /// Reads the secret.
    pub fn read(&self) -> Result<SecretText, SecretError> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::Variable { name: name.clone() })?
            }
            Self::File(path) => {
                let fault = |source| SecretError::File { path: path.clone(), source };
                let mut text = String::new();
                let most = limits::MAX_SECRET_BYTES as u64 + 1;
                std::fs::File::open(path)
                    .and_then(|file| file.take(most).read_to_string(&mut text))
                    .map_err(fault)?;
                if text.ends_with('\n') {
                    text.truncate(text.len() - 1);
                }
                if text.ends_with('\r') {
                    text.truncate(text.len() - 1);
                }
                text
            }
        };
        if text.is_empty() || text.len() > limits::MAX_SECRET_BYTES {
            return Err(SecretError::Size { source_name: self.to_string(), limit: limits::MAX_SECRET_BYTES });
        }
        Ok(SecretText(text.into()))
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// The value of a secret; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Box<str>);

impl SecretText {
    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// A secret that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set or not UTF-8.
    #[error("the environment variable {name} is not set, or is not text")]
    Variable {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the secret from {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The secret is empty or too long.
    #[error("the secret in {source_name} must have 1 to {limit} bytes")]
    Size {
        /// Where it is.
        source_name: String,
        /// The limit in bytes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_written_in_the_place_of_its_source_is_not_repeated() {
        let error = serde_json::from_str::<SecretSource>("\"hunter2\"").unwrap_err().to_string();
        assert!(error.contains("must say where the secret is"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let parse = serde_json::from_str::<SecretSource>;
        assert_eq!(parse(r#"{"env":"TOKEN"}"#).unwrap(), SecretSource::Env("TOKEN".into()));
        assert!(parse(r#"{"env":"TOKEN","file":"x"}"#).is_err());
        assert!(parse(r#"{"value":"x"}"#).is_err());
    }

    #[test]
    fn files_and_their_errors() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let source = SecretSource::File(path.clone());
        assert!(matches!(source.read(), Err(SecretError::File { .. })));
        std::fs::write(&path, "hunter2\r\n").unwrap();
        let secret = source.read().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "SecretText(…)");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.read(), Err(SecretError::Size { .. })));
        std::fs::write(&path, "x".repeat(limits::MAX_SECRET_BYTES + 1)).unwrap();
        assert!(matches!(source.read(), Err(SecretError::Size { .. })));
        let absent = SecretSource::Env("BRIDGE_TELEMETRY_TEST_ABSENT".into());
        assert!(matches!(absent.read(), Err(SecretError::Variable { .. })));
    }
}
