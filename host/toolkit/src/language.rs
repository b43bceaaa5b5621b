//! The languages that plugins are written in.

use std::path::Path;
use std::str::FromStr;

use telemetry_sandbox::PluginKind;

/// A language with templates, a build and helper modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// With the SDK's crate.
    Rust,
    /// CPython inside the component, made by componentize-py.
    Python,
    /// QuickJS inside the component, made by jco.
    JavaScript,
    /// Compiled by zig's compiler or clang.
    C,
}

/// A name that is no language of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no language of these: rust, python, javascript, c")]
pub struct UnknownLanguage(String);

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::JavaScript, Self::C];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::C => "c",
        }
    }

    /// The file by which a project's language is known, and in which its source begins.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Python => "plugin.py",
            Self::JavaScript => "plugin.js",
            Self::C => "plugin.c",
        }
    }

    /// The language of the project in `directory`.
    pub fn of(directory: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|language| directory.join(language.source()).is_file())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::ALL.into_iter().find(|language| language.as_str() == text);
        found.ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind by the name that authors know it by: `aggregation` and `aggregator` are one.
pub fn kind_named(text: &str) -> Option<PluginKind> {
    Some(match text {
        "validator" => PluginKind::Validator,
        "aggregation" | "aggregator" => PluginKind::Aggregator,
        "monitor" => PluginKind::Monitor,
        "sink" => PluginKind::Sink,
        _ => return None,
    })
}
