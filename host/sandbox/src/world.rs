//! Which world a component belongs to, and that it imports nothing which that world does not have.
//!
//! One world per plugin kind is the permission tier: a component with an undeclared import is refused by the import's name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the WIT package that this host speaks.
pub const CONTRACT_VERSION: &str = "0.2.2";

/// A version of the contract that this host can talk to: its own, and the one before through an adapter (`guest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contract {
    /// [`CONTRACT_VERSION`].
    Current,
    /// Version 0.1.
    V0_1,
}

impl Contract {
    /// All, the present one first.
    pub(crate) const ALL: [Contract; 2] = [Self::Current, Self::V0_1];

    /// The version of the WIT package.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => CONTRACT_VERSION,
            Self::V0_1 => "0.1.0",
        }
    }

    /// Versions x.y.0, x.y.1, … are one contract: semantic versioning lets them add, not change.
    fn of(version: &str) -> Option<Self> {
        let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
        let asked = minor(version)?;
        Self::ALL.into_iter().find(|contract| minor(contract.as_str()) == Some(asked.clone()))
    }
}

impl std::fmt::Display for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

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

    /// The host's interfaces that this kind may import in this version of the contract.
    pub(crate) const fn imports(self, contract: Contract) -> &'static [&'static str] {
        match (self, contract) {
            (Self::Validator, Contract::Current) => {
                &["types", "log", "counters", "event-values", "patterns", "json-schemas"]
            }
            (Self::Validator, Contract::V0_1) | (Self::Aggregator, _) => &["types", "log", "counters"],
            (Self::Monitor, Contract::Current) => &[
                "types",
                "log",
                "counters",
                "event-values",
                "patterns",
                "json-schemas",
                "key-value",
                "query",
            ],
            (Self::Monitor, Contract::V0_1) => &["types", "log", "counters", "key-value", "query"],
            (Self::Sink, Contract::Current) => {
                &["types", "log", "counters", "patterns", "key-value", "outbound-http"]
            }
            (Self::Sink, Contract::V0_1) => &["types", "log", "counters", "key-value", "outbound-http"],
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
        "this is a core WebAssembly module, not a component; build it with `plugin build`, or wrap it with `wasm-tools component new`"
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
        "the component is built for {found}; this host speaks version {CONTRACT_VERSION} and still loads 0.1, so build it against one of them"
    )]
    Version {
        /// The interface as it is named in the component.
        found: String,
    },
    /// Parts of it are built against different versions of the contract.
    #[error(
        "the component mixes versions of the contract: {found} beside version {contract}; build all of it against one"
    )]
    MixedVersions {
        /// The interface that is of another version.
        found: String,
        /// The version of its other interfaces.
        contract: Contract,
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

/// Kind and contract of a component, when its imports are those of its kind.
pub(crate) fn check(imports: &[String], exports: &[String]) -> Result<(PluginKind, Contract), WorldError> {
    let (kind, contract) = kind_of(exports)?;
    for import in imports {
        check_import(kind, contract, import)?;
    }
    Ok((kind, contract))
}

/// All that keeps a component from being a plugin: every undeclared import, not only the first.
pub(crate) fn faults(imports: &[String], exports: &[String]) -> Vec<WorldError> {
    match kind_of(exports) {
        Err(fault) => vec![fault],
        Ok((kind, contract)) => {
            imports.iter().filter_map(|import| check_import(kind, contract, import).err()).collect()
        }
    }
}

fn kind_of(exports: &[String]) -> Result<(PluginKind, Contract), WorldError> {
    let ours = exports.iter().filter_map(|name| {
        let (package, rest) = name.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        (package == PACKAGE).then_some((name, interface, version))
    });
    let mut kinds = Vec::new();
    let mut lifecycle = None;
    let mut spoken = None;
    for (name, interface, version) in ours {
        let contract = spoken_by(name, version, spoken)?;
        spoken = Some(contract);
        if interface == "lifecycle" {
            lifecycle = Some(contract);
        }
        kinds.extend(PluginKind::ALL.into_iter().filter(|kind| kind.interface() == interface));
    }
    match (lifecycle, kinds.as_slice()) {
        (Some(contract), [kind]) => Ok((*kind, contract)),
        (Some(_), [_, _, ..]) => Err(WorldError::SeveralKinds {
            interfaces: kinds.iter().map(|kind| kind.interface().to_owned()).collect(),
        }),
        _ => Err(WorldError::NotAPlugin { exports: exports.to_vec() }),
    }
}

/// The contract of one interface; the same as that of those before it.
fn spoken_by(name: &str, version: &str, before: Option<Contract>) -> Result<Contract, WorldError> {
    match (Contract::of(version), before) {
        (None, _) => Err(WorldError::Version { found: name.to_owned() }),
        (Some(found), Some(contract)) if found != contract => {
            Err(WorldError::MixedVersions { found: name.to_owned(), contract })
        }
        (Some(contract), _) => Ok(contract),
    }
}

fn check_import(kind: PluginKind, contract: Contract, import: &str) -> Result<(), WorldError> {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    if let Some(interface) = name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
        spoken_by(import, version, Some(contract))?;
        if kind.imports(contract).contains(&interface) {
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
            Ok((kind, contract)) => format!("{kind} {contract}"),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&answer);
    }

    const VALIDATOR: [&str; 2] = ["bridge:telemetry/lifecycle@0.2.0", "bridge:telemetry/validation@0.2.0"];
    const MONITOR: [&str; 2] = ["bridge:telemetry/lifecycle@0.2.3", "bridge:telemetry/monitoring@0.2.3"];

    #[test]
    fn a_world_is_known_by_its_exports() {
        check_world(
            &["bridge:telemetry/log@0.2.0", "wasi:io/streams@0.2.6"],
            &VALIDATOR,
            expect!["validator 0.2.2"],
        );
        check_world(&["bridge:telemetry/query@0.2.0"], &MONITOR, expect!["monitor 0.2.2"]);
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
            &[VALIDATOR[0], VALIDATOR[1], "bridge:telemetry/delivery@0.2.0"],
            expect![
                "the component exports validation, delivery at once; a plugin has one kind, so build one component for each"
            ],
        );
        check_world(
            &[],
            &["bridge:telemetry/lifecycle@0.3.0"],
            expect![
                "the component is built for bridge:telemetry/lifecycle@0.3.0; this host speaks version 0.2.2 and still loads 0.1, so build it against one of them"
            ],
        );
    }

    #[test]
    fn the_version_before_is_known_and_versions_do_not_mix() {
        let old = ["bridge:telemetry/lifecycle@0.1.0", "bridge:telemetry/validation@0.1.0"];
        check_world(&["bridge:telemetry/log@0.1.2"], &old, expect!["validator 0.1.0"]);
        check_world(
            &["bridge:telemetry/log@0.2.0"],
            &old,
            expect![
                "the component mixes versions of the contract: bridge:telemetry/log@0.2.0 beside version 0.1.0; build all of it against one"
            ],
        );
        check_world(
            &[],
            &[old[0], VALIDATOR[1]],
            expect![
                "the component mixes versions of the contract: bridge:telemetry/validation@0.2.0 beside version 0.1.0; build all of it against one"
            ],
        );
    }

    #[test]
    fn undeclared_imports_are_refused_by_name() {
        check_world(
            &["bridge:telemetry/outbound-http@0.2.0"],
            &VALIDATOR,
            expect![
                "the component imports bridge:telemetry/outbound-http@0.2.0, which a validator cannot have: its kind's world in the WIT package lists what it can reach; make the plugin of the kind that has this import"
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
