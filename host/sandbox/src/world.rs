//! Which world a component belongs to, and that it imports nothing which that world does not have.
//!
//! One world per plugin kind is the permission tier: a component with an undeclared import is refused by the import's name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the WIT package that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

const PACKAGE: &str = "bridge:telemetry";

/// Parts of WASI that standard libraries import by themselves. They are linked to stubs that grant nothing.
const WASI_STUBS: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// What a plugin is, and so what it can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginKind {
    /// Refuses or normalises records before they are stored.
    Validator,
    /// Adds aggregate functions to queries.
    Aggregator,
    /// Watches stored records and raises signals.
    Monitor,
    /// Delivers alerts or routes them on.
    Sink,
}

impl PluginKind {
    const ALL: [PluginKind; 4] = [Self::Validator, Self::Aggregator, Self::Monitor, Self::Sink];

    /// The name in configuration and listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Aggregator => "aggregator",
            Self::Monitor => "monitor",
            Self::Sink => "sink",
        }
    }

    /// The world's name in the WIT package.
    pub const fn world(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Aggregator => "aggregator",
            Self::Monitor => "monitor",
            Self::Sink => "alert-sink",
        }
    }

    /// The interface that only this kind exports.
    const fn interface(self) -> &'static str {
        match self {
            Self::Validator => "validation",
            Self::Aggregator => "aggregation",
            Self::Monitor => "monitoring",
            Self::Sink => "delivery",
        }
    }

    /// The host's interfaces that this kind may import.
    pub(crate) const fn imports(self) -> &'static [&'static str] {
        match self {
            Self::Validator | Self::Aggregator => &["types", "log", "counters"],
            Self::Monitor => &["types", "log", "counters", "key-value", "query"],
            Self::Sink => &["types", "log", "counters", "key-value", "outbound-http"],
        }
    }
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A component that is not a plugin of this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// A core module, without the component model's types.
    #[error(
        "this is a core WebAssembly module, not a component; build it for the target wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// No world of the contract is exported.
    #[error(
        "the component is no plugin: it exports {}, and a plugin exports {PACKAGE}/lifecycle and one of validation, aggregation, monitoring, delivery",
        listed(exports)
    )]
    NotAPlugin {
        /// What it exports.
        exports: Vec<String>,
    },
    /// More than one world of the contract is exported.
    #[error(
        "the component exports {} at once; a plugin has one kind, so build one component for each",
        listed(interfaces)
    )]
    SeveralKinds {
        /// The interfaces that exclude each other.
        interfaces: Vec<String>,
    },
    /// Built against another version of the contract.
    #[error(
        "the component is built for {found}; this host speaks version {CONTRACT_VERSION}, so build it against that version of the WIT package"
    )]
    Version {
        /// The interface as it is named in the component.
        found: String,
    },
    /// An import that its world does not have.
    #[error("the component imports {import}, which a {kind} cannot have: {remedy}")]
    UndeclaredImport {
        /// The import.
        import: String,
        /// The component's kind.
        kind: PluginKind,
        /// What to do about it.
        remedy: &'static str,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// The kind of a component, when its imports are those of its kind.
pub(crate) fn check(imports: &[String], exports: &[String]) -> Result<PluginKind, WorldError> {
    let kind = kind_of(exports)?;
    for import in imports {
        check_import(kind, import)?;
    }
    Ok(kind)
}

/// All that keeps a component from being a plugin: every undeclared import, not only the first.
pub(crate) fn faults(imports: &[String], exports: &[String]) -> Vec<WorldError> {
    match kind_of(exports) {
        Err(fault) => vec![fault],
        Ok(kind) => imports.iter().filter_map(|import| check_import(kind, import).err()).collect(),
    }
}

fn kind_of(exports: &[String]) -> Result<PluginKind, WorldError> {
    let ours = exports.iter().filter_map(|name| {
        let (package, rest) = name.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        (package == PACKAGE).then_some((name, interface, version))
    });
    let mut kinds = Vec::new();
    let mut lifecycle = false;
    for (name, interface, version) in ours {
        if !is_spoken(version) {
            return Err(WorldError::Version { found: name.clone() });
        }
        lifecycle |= interface == "lifecycle";
        kinds.extend(PluginKind::ALL.into_iter().filter(|kind| kind.interface() == interface));
    }
    match (lifecycle, kinds.as_slice()) {
        (true, [kind]) => Ok(*kind),
        (true, [_, _, ..]) => Err(WorldError::SeveralKinds {
            interfaces: kinds.iter().map(|kind| kind.interface().to_owned()).collect(),
        }),
        _ => Err(WorldError::NotAPlugin { exports: exports.to_vec() }),
    }
}

/// Versions 0.1.x are one contract: semantic versioning lets them add, not change.
fn is_spoken(version: &str) -> bool {
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    minor(version).is_some() && minor(version) == minor(CONTRACT_VERSION)
}

fn check_import(kind: PluginKind, import: &str) -> Result<(), WorldError> {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    if let Some(interface) = name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
        if !is_spoken(version) {
            return Err(WorldError::Version { found: import.to_owned() });
        }
        if kind.imports().contains(&interface) {
            return Ok(());
        }
    } else if WASI_STUBS.contains(&name) && (version == "0.2" || version.starts_with("0.2.")) {
        return Ok(());
    }
    Err(WorldError::UndeclaredImport { import: import.to_owned(), kind, remedy: remedy(name) })
}

fn remedy(name: &str) -> &'static str {
    if name.starts_with("wasi:http/") {
        "the only way out is a sink's bridge:telemetry/outbound-http, by grant"
    } else if name.starts_with("wasi:filesystem/") || name.starts_with("wasi:sockets/") {
        "plugins have no files and no sockets; build without code that uses them, and with Python's or JavaScript's tools give --stub-wasi"
    } else if name.starts_with("wasi:") {
        "only version 0.2 of WASI's cli, io, clocks and random is stubbed; build for the target wasm32-wasip2, and with Python's or JavaScript's tools give --stub-wasi"
    } else if name.starts_with(PACKAGE) {
        "its kind's world in the WIT package lists what it can reach; make the plugin of the kind that has this import"
    } else {
        "the host does not know it; build without it, or compose it into the component"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_world(imports: &[&str], exports: &[&str], expect: Expect) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let answer = match check(&owned(imports), &owned(exports)) {
            Ok(kind) => kind.to_string(),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&answer);
    }

    const VALIDATOR: [&str; 2] = ["bridge:telemetry/lifecycle@0.1.0", "bridge:telemetry/validation@0.1.0"];
    const MONITOR: [&str; 2] = ["bridge:telemetry/lifecycle@0.1.3", "bridge:telemetry/monitoring@0.1.3"];

    #[test]
    fn a_world_is_known_by_its_exports() {
        check_world(
            &["bridge:telemetry/log@0.1.0", "wasi:io/streams@0.2.6"],
            &VALIDATOR,
            expect!["validator"],
        );
        check_world(&["bridge:telemetry/query@0.1.0"], &MONITOR, expect!["monitor"]);
        check_world(
            &[],
            &[],
            expect![[
                r#"the component is no plugin: it exports nothing, and a plugin exports bridge:telemetry/lifecycle and one of validation, aggregation, monitoring, delivery"#
            ]],
        );
        check_world(
            &[],
            &["wasi:cli/run@0.2.0"],
            expect![[
                r#"the component is no plugin: it exports wasi:cli/run@0.2.0, and a plugin exports bridge:telemetry/lifecycle and one of validation, aggregation, monitoring, delivery"#
            ]],
        );
        check_world(
            &[],
            &[VALIDATOR[0], VALIDATOR[1], "bridge:telemetry/delivery@0.1.0"],
            expect![
                "the component exports validation, delivery at once; a plugin has one kind, so build one component for each"
            ],
        );
        check_world(
            &[],
            &["bridge:telemetry/lifecycle@0.2.0"],
            expect![
                "the component is built for bridge:telemetry/lifecycle@0.2.0; this host speaks version 0.1.0, so build it against that version of the WIT package"
            ],
        );
    }

    #[test]
    fn undeclared_imports_are_refused_by_name() {
        check_world(
            &["bridge:telemetry/outbound-http@0.1.0"],
            &VALIDATOR,
            expect![
                "the component imports bridge:telemetry/outbound-http@0.1.0, which a validator cannot have: its kind's world in the WIT package lists what it can reach; make the plugin of the kind that has this import"
            ],
        );
        check_world(
            &["wasi:filesystem/types@0.2.0"],
            &MONITOR,
            expect![
                "the component imports wasi:filesystem/types@0.2.0, which a monitor cannot have: plugins have no files and no sockets; build without code that uses them, and with Python's or JavaScript's tools give --stub-wasi"
            ],
        );
        check_world(
            &["wasi:io/poll@0.3.0"],
            &MONITOR,
            expect![
                "the component imports wasi:io/poll@0.3.0, which a monitor cannot have: only version 0.2 of WASI's cli, io, clocks and random is stubbed; build for the target wasm32-wasip2, and with Python's or JavaScript's tools give --stub-wasi"
            ],
        );
        check_world(
            &["run"],
            &MONITOR,
            expect![
                "the component imports run, which a monitor cannot have: the host does not know it; build without it, or compose it into the component"
            ],
        );
    }
}
