//! What can go wrong before a plugin runs. Afterwards it is core's `PluginFailure`.

use std::path::PathBuf;
use std::time::Duration;

use telemetry_core::extension::PluginFailure;

use crate::world::{Contract, PluginKind, WorldError};

/// The runtime could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The WebAssembly engine refused its configuration.
    #[error("the WebAssembly engine cannot be started on this machine: {reason}")]
    Engine {
        /// The engine's own words.
        reason: String,
    },
    /// The ticker's thread could not be started.
    #[error("the thread that keeps plugins' deadlines cannot be started")]
    Ticker {
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The component's file could not be read.
    #[error("cannot read the component {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The component is larger than a limit.
    #[error("the component has {size} {what}, the limit is {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The file is no WebAssembly, or only a part of it.
    #[error(
        "the component is truncated or corrupt at byte {offset}: {reason}; build it again or copy it again from its source"
    )]
    Malformed {
        /// Where.
        offset: u64,
        /// What was found.
        reason: String,
    },
    /// The component does not fit the plugin contract.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The compiler refused the component.
    #[error("the component cannot be compiled: {reason}")]
    Compile {
        /// The compiler's own words.
        reason: String,
    },
    /// Compiling the component took more than it may.
    #[error("compiling the component took more than {0}; plugins that are meant well compile in seconds")]
    CompileLimit(CompileLimit),
    /// The process that compiles could not be started, or ended without an answer.
    #[error("the compiler's process failed: {reason}")]
    CompilerProcess {
        /// What is known of it.
        reason: String,
    },
    /// The functions behind the right names have other types than the contract's.
    #[error(
        "the component's functions do not have the types of the contract {contract}: {reason}; build it against that version's WIT"
    )]
    Types {
        /// The contract's version.
        contract: Contract,
        /// What differs.
        reason: String,
    },
    /// The plugin's own configuration schema is unusable.
    #[error(
        "the plugin's own configuration schema is unusable: {reason}; this is for the plugin's author to mend"
    )]
    Schema {
        /// What is wrong.
        reason: String,
    },
    /// The configuration does not fit the plugin's schema.
    #[error("the plugin's configuration is unusable: {}", faults.join("; "))]
    Config {
        /// Every fault, each with its path.
        faults: Vec<String>,
    },
    /// A grant cannot be used.
    #[error("the grant {grant} cannot be used: {reason}")]
    Grant {
        /// Which one, as configured.
        grant: String,
        /// What is wrong.
        reason: String,
    },
    /// The plugin failed while it was described, initialised or asked for its subscription.
    #[error("the plugin did not start")]
    Start(#[from] PluginFailure),
    /// An instance of this plugin needs something that its kind does not have.
    #[error("a {kind} cannot be used as a {wanted}")]
    Kind {
        /// What it is.
        kind: PluginKind,
        /// What was asked for.
        wanted: PluginKind,
    },
}

/// What compiling in a process of its own is limited by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileLimit {
    /// Processor time.
    #[error("{0:?} of processor time")]
    Cpu(Duration),
    /// Time by the clock.
    #[error("{0:?}")]
    Deadline(Duration),
    /// Address space, or the stack in it.
    #[error("{0} bytes of memory")]
    Memory(u64),
    /// Machine code.
    #[error("{0} bytes of machine code")]
    Code(u64),
}
