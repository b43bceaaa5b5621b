//! Reading a configuration file; its extension says the language.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use telemetry_core::limits;

use super::fault::{ConfigError, ConfigFault};
use super::tree::Node;
use super::{toml_text, yaml_text};

/// The languages of a configuration file. JSON is read as YAML, whose subset it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Toml,
    Yaml,
}

/// The document in `path`.
pub(super) fn read(path: &Path) -> Result<Node, ConfigError> {
    let language = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Language::Toml,
        Some("yaml" | "yml" | "json") => Language::Yaml,
        _ => return Err(ConfigError::Language { path: path.to_owned() }),
    };
    let text = read_text(path)?;
    parse(language, &text, &path.into()).map_err(ConfigError::of)
}

fn parse(language: Language, text: &str, file: &Arc<Path>) -> Result<Node, Vec<ConfigFault>> {
    match language {
        Language::Toml => toml_text::parse(text, file),
        Language::Yaml => yaml_text::parse(text, file).map_err(|fault| vec![fault]),
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let fault = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(fault)?;
    let limit = limits::MAX_CONFIG_BYTES;
    let size = file.metadata().map_err(fault)?.len();
    if size > limit {
        return Err(ConfigError::TooLarge { path: path.to_owned(), size, limit });
    }
    file.take(limit).read_to_string(&mut text).map_err(fault)?;
    if let Some(stripped) = text.strip_prefix('\u{feff}') {
        text = stripped.to_owned();
    }
    Ok(text)
}
