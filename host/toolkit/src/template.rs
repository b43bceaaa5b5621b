//! New projects: a small plugin that works, with its manifest, its test cases and a README.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Map;
use telemetry_core::aggregation::{AggregationSource, BuiltInAggregations};
use telemetry_sandbox::{CONTRACT_VERSION, PluginKind};

use crate::language::Language;
use crate::sdk::rust_sdk;

/// A project that is to be made.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// The plugin's name.
    pub name: String,
    /// Its kind.
    pub kind: PluginKind,
    /// What it is written in.
    pub language: Language,
    /// The folder; it must be absent or empty.
    pub directory: PathBuf,
    /// The folder of the Rust SDK; the one of the checkout that this program was built from when absent.
    pub sdk: Option<PathBuf>,
}

/// A project could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The name cannot be used.
    #[error(
        "\"{name}\" cannot be a plugin's name: small letters, digits and single hyphens, beginning with a letter, at most 64"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The name is that of a built-in aggregate function, which queries find first.
    #[error("\"{name}\" cannot be an aggregation's name: the built-in function of that name is found first")]
    BuiltIn {
        /// The name.
        name: String,
    },
    /// The folder is in use.
    #[error("{} is not empty", directory.display())]
    NotEmpty {
        /// The folder.
        directory: PathBuf,
    },
    /// The Rust SDK is not to be found.
    #[error(
        "the SDK's crate is not published, so a Rust plugin names it by its path; give --sdk with the folder plugin-sdk of a checkout of this repository"
    )]
    NoSdk,
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../plugin-sdk/templates/", $name))
    };
}

/// The source of a kind in a language.
const fn source(language: Language, kind: PluginKind) -> &'static str {
    match (language, kind) {
        (Language::Rust, PluginKind::Validator) => template!("rust/validator.rs"),
        (Language::Rust, PluginKind::Aggregator) => template!("rust/aggregator.rs"),
        (Language::Rust, PluginKind::Monitor) => template!("rust/monitor.rs"),
        (Language::Rust, PluginKind::Sink) => template!("rust/sink.rs"),
        (Language::Python, PluginKind::Validator) => template!("python/validator.py"),
        (Language::Python, PluginKind::Aggregator) => template!("python/aggregator.py"),
        (Language::Python, PluginKind::Monitor) => template!("python/monitor.py"),
        (Language::Python, PluginKind::Sink) => template!("python/sink.py"),
        (Language::JavaScript, PluginKind::Validator) => template!("javascript/validator.js"),
        (Language::JavaScript, PluginKind::Aggregator) => template!("javascript/aggregator.js"),
        (Language::JavaScript, PluginKind::Monitor) => template!("javascript/monitor.js"),
        (Language::JavaScript, PluginKind::Sink) => template!("javascript/sink.js"),
        (Language::C, PluginKind::Validator) => template!("c/validator.c"),
        (Language::C, PluginKind::Aggregator) => template!("c/aggregator.c"),
        (Language::C, PluginKind::Monitor) => template!("c/monitor.c"),
        (Language::C, PluginKind::Sink) => template!("c/sink.c"),
    }
}

/// A test case and its expected result; the same in every language.
const fn case(kind: PluginKind) -> (&'static str, &'static str) {
    match kind {
        PluginKind::Validator => {
            (template!("tests/validator.toml"), template!("tests/validator.expected.json"))
        }
        PluginKind::Aggregator => {
            (template!("tests/aggregator.toml"), template!("tests/aggregator.expected.json"))
        }
        PluginKind::Monitor => (template!("tests/monitor.toml"), template!("tests/monitor.expected.json")),
        PluginKind::Sink => (template!("tests/sink.toml"), template!("tests/sink.expected.json")),
    }
}

/// What to try once it is installed.
const fn trial(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => {
            "bridge-telemetry record event '{\"event_type\":\"COMMAND_RECEIVED\",\"source\":\"me\"}'   # is refused"
        }
        PluginKind::Aggregator => {
            "bridge-telemetry get cpu_usage_percent --last 1m --aggregation '{{function}}(factor=2)'"
        }
        PluginKind::Monitor => {
            "bridge-telemetry record metric queue_length 250 && bridge-telemetry alerts   # fires"
        }
        PluginKind::Sink => "# name it in the configuration: [alerting.receivers.mine] plugin = \"{{name}}\"",
    }
}

/// What a kind asks for in its manifest.
const fn grants(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Sink => {
            "\n[[grants.http]]\norigin = \"https://hooks.example.com\"\nreason = \"alerts are posted there\"\n"
        }
        _ => "",
    }
}

/// What has to be there before a build.
const fn tools(language: Language) -> &'static str {
    match language {
        Language::Rust => "rustup target add wasm32-unknown-unknown",
        Language::Python => "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
        // Without the prefix npm installs into the nearest folder above that has a package.json.
        Language::JavaScript => "npm install --prefix . --no-save @bytecodealliance/jco@1.35.0",
        Language::C => {
            "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1   # or clang, lld and wasi-libc"
        }
    }
}

/// Makes a project and answers its files.
pub fn create(new: &NewProject) -> Result<Vec<PathBuf>, CreateError> {
    if !is_name(&new.name) {
        return Err(CreateError::Name { name: new.name.clone() });
    }
    let is_built_in = || BuiltInAggregations.find(&function_name(&new.name), &Map::new()).is_some();
    if new.kind == PluginKind::Aggregator && is_built_in() {
        return Err(CreateError::BuiltIn { name: new.name.clone() });
    }
    let write = |path: &Path, source| CreateError::Write { path: path.to_owned(), source };
    if std::fs::read_dir(&new.directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CreateError::NotEmpty { directory: new.directory.clone() });
    }
    let mut files = vec![
        ("README.md", template!("README.md").to_owned()),
        ("plugin.toml", template!("plugin.toml").to_owned()),
        (".gitignore", template!("gitignore").to_owned()),
        (new.language.source(), source(new.language, new.kind).to_owned()),
        ("tests/first.toml", case(new.kind).0.to_owned()),
        ("tests/first.expected.json", case(new.kind).1.to_owned()),
    ];
    let mut sdk = String::new();
    if new.language == Language::Rust {
        let folder = new.sdk.clone().or_else(rust_sdk).filter(|folder| folder.join("Cargo.toml").is_file());
        sdk = folder.ok_or(CreateError::NoSdk)?.to_string_lossy().into_owned();
        files.push(("Cargo.toml", template!("rust/Cargo.toml").to_owned()));
        files.push((".cargo/config.toml", template!("rust/config.toml").to_owned()));
    }
    let mut made = Vec::new();
    for (name, text) in files {
        let path = new.directory.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| write(parent, source))?;
        }
        std::fs::write(&path, filled(&text, new, &sdk)).map_err(|source| write(&path, source))?;
        made.push(path);
    }
    Ok(made)
}

fn filled(text: &str, new: &NewProject, sdk: &str) -> String {
    // What stands inside another text comes first.
    text.replace("{{trial}}", trial(new.kind))
        .replace("{{tools}}", tools(new.language))
        .replace("{{grants}}", grants(new.kind))
        .replace("{{name}}", &new.name)
        .replace("{{function}}", &function_name(&new.name))
        .replace("{{kind}}", new.kind.as_str())
        .replace("{{contract}}", CONTRACT_VERSION)
        .replace("{{source}}", new.language.source())
        .replace("{{sdk}}", sdk)
}

/// What queries call an aggregator's function.
fn function_name(name: &str) -> String {
    name.replace('-', "_")
}

/// Small letters, digits and single hyphens: it becomes a file's name, a crate's, an aggregate function's.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::project::Project;

    const KINDS: [PluginKind; 4] =
        [PluginKind::Validator, PluginKind::Aggregator, PluginKind::Monitor, PluginKind::Sink];

    #[test]
    fn every_template_is_a_project_without_gaps() {
        for language in Language::ALL {
            for kind in KINDS {
                let folder = tempfile::tempdir().unwrap();
                let new = NewProject {
                    name: "known-sources".to_owned(),
                    kind,
                    language,
                    directory: folder.path().join("new"),
                    sdk: None,
                };
                for path in create(&new).unwrap() {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let is_gap = |rest: &str| {
                        let word = rest.split_once("}}").map_or("", |(word, _)| word);
                        !word.is_empty()
                            && word.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_')
                    };
                    assert!(!text.split("{{").skip(1).any(is_gap), "{}: {text}", path.display());
                }
                let project = Project::open(&new.directory).unwrap();
                assert_eq!((project.manifest.kind, project.language().unwrap()), (kind, language));
                assert_eq!(Case::all(&project.cases()).unwrap().len(), 1);
                assert!(matches!(create(&new), Err(CreateError::NotEmpty { .. })));
            }
        }
    }

    #[test]
    fn names() {
        for name in ["a", "known-sources", "p99"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "a--b", "A", "9a", "a_b", "../a", "a/b"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn no_name_becomes_a_word_of_the_source() {
        // As `sink` would be one, beside what a sink is made of.
        for (language, kind) in
            Language::ALL.into_iter().flat_map(|language| KINDS.map(|kind| (language, kind)))
        {
            let text = source(language, kind);
            for place in ["{{name}}", "{{function}}"].into_iter().flat_map(|gap| text.match_indices(gap)) {
                let before = text.get(..place.0).unwrap_or_default();
                assert!(before.ends_with(['"', '`']), "{language} {kind}: {before}{}", place.1);
            }
        }
    }

    #[test]
    fn an_aggregation_that_no_query_would_find_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str, kind| {
            create(&NewProject {
                name: name.to_owned(),
                kind,
                language: Language::C,
                directory: folder.path().join(name).join(kind.as_str()),
                sdk: None,
            })
        };
        for name in ["mean", "p99", "rate", "stddev", "approx-quantile"] {
            let refused = made(name, PluginKind::Aggregator);
            assert!(matches!(refused, Err(CreateError::BuiltIn { .. })), "{name}: {refused:?}");
            assert!(made(name, PluginKind::Monitor).is_ok(), "{name}");
        }
        assert!(made("p98", PluginKind::Aggregator).is_ok());
    }
}
