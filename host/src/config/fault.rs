//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::path::KeyPath;
use super::tree::Origin;

/// Faults told at most: a wrong file should not fill the screen.
const MAX_FAULTS: usize = 64;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigFault {
    /// The key concerned.
    pub path: KeyPath,
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a key or its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The text is not TOML, YAML or JSON.
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// No such key.
    UnknownKey {
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// The value has the wrong type or form.
    Type {
        /// What was found and what is wanted.
        message: String,
    },
    /// The value is well-formed and cannot be used.
    Value {
        /// Why, and what can.
        message: String,
    },
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file's name does not say what language it is in.
    #[error("the configuration file {} must end in .toml, .yaml, .yml or .json", path.display())]
    Language {
        /// The file.
        path: PathBuf,
    },
    /// The file is too large to be a configuration.
    #[error("the configuration file {} has {size} bytes, the limit is {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The content cannot be used; all faults that were found, those of the file in its order.
    #[error("{}", fault_list(faults))]
    Faults {
        /// Never empty.
        faults: Vec<ConfigFault>,
    },
}

impl ConfigError {
    /// `faults` in order.
    pub(super) fn of(faults: Vec<ConfigFault>) -> Self {
        Self::Faults { faults: ConfigFault::in_order(faults) }
    }

    /// The faults of the content; empty when the file was not read.
    pub fn faults(&self) -> &[ConfigFault] {
        match self {
            Self::Faults { faults } => faults,
            _ => &[],
        }
    }
}

impl ConfigFault {
    /// In the order of the file, then those that come from elsewhere; no more than fit a screen.
    pub(super) fn in_order(mut faults: Vec<Self>) -> Vec<Self> {
        faults.sort_by_key(|fault| match fault.origin {
            Origin::File { line, column, .. } => (line, column),
            _ => (u64::MAX, u64::MAX),
        });
        faults.truncate(MAX_FAULTS);
        faults
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Program {
            write!(f, "{}: ", self.origin)?;
        }
        if !(self.path.segments().is_empty() && matches!(self.problem, Problem::Syntax { .. })) {
            write!(f, "{}: ", self.path)?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { suggestion: None } => f.write_str("unknown key"),
            Self::UnknownKey { suggestion: Some(key) } => write!(f, "unknown key; did you mean \"{key}\"?"),
            Self::Syntax { message } | Self::Type { message } | Self::Value { message } => {
                f.write_str(message)
            }
        }
    }
}

fn fault_list(faults: &[ConfigFault]) -> String {
    match faults {
        [only] => only.to_string(),
        several => {
            let lines = several.iter().map(|fault| format!("\n  {fault}")).collect::<String>();
            format!("the configuration has {} faults:{lines}", several.len())
        }
    }
}
