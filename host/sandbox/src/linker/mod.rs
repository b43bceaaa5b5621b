//! What guests can import, one file per part. Each kind of plugin has a linker with its world's imports and nothing else.
//!
//! Invariant: nothing here gives a guest a file, a socket, an environment variable or the real time.

mod host;
mod host_v0_1;
mod patterns;
mod schemas;
mod wasi_cli;
mod wasi_clocks;
mod wasi_io;
mod wasi_random;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{self, types};
use crate::state::HostState;
use crate::world::{Contract, PluginKind};

/// The version under which the stubs are offered; the linker matches every 0.2.x with it.
const WASI_VERSION: &str = "0.2.0";

/// The linkers of every kind and contract.
pub(crate) struct Linkers {
    current: [Linker<HostState>; 4],
    v0_1: [Linker<HostState>; 4],
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let all = |contract| -> wasmtime::Result<[Linker<HostState>; 4]> {
            Ok([
                linker(engine, PluginKind::Validator, contract)?,
                linker(engine, PluginKind::Aggregator, contract)?,
                linker(engine, PluginKind::Monitor, contract)?,
                linker(engine, PluginKind::Sink, contract)?,
            ])
        };
        Ok(Self { current: all(Contract::Current)?, v0_1: all(Contract::V0_1)? })
    }

    /// The linker for plugins of `kind` that were built for `contract`.
    pub(crate) fn of(&self, kind: PluginKind, contract: Contract) -> &Linker<HostState> {
        let [validator, aggregator, monitor, sink] = match contract {
            Contract::Current => &self.current,
            Contract::V0_1 => &self.v0_1,
        };
        match kind {
            PluginKind::Validator => validator,
            PluginKind::Aggregator => aggregator,
            PluginKind::Monitor => monitor,
            PluginKind::Sink => sink,
        }
    }
}

fn linker(engine: &Engine, kind: PluginKind, contract: Contract) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    for import in kind.imports(contract) {
        add(&mut linker, contract, import)?;
    }
    wasi_io::add(&mut linker)?;
    wasi_cli::add(&mut linker)?;
    wasi_clocks::add(&mut linker)?;
    wasi_random::add(&mut linker)?;
    Ok(linker)
}

fn add(linker: &mut Linker<HostState>, contract: Contract, import: &str) -> wasmtime::Result<()> {
    macro_rules! of {
        ($interface:ident) => {
            match contract {
                Contract::Current => {
                    bindings::$interface::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
                }
                Contract::V0_1 => {
                    bindings::v0_1::$interface::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
                }
            }
        };
    }
    match import {
        // Types have no functions: there is nothing to link but the name, and guests leave it out.
        "types" if contract == Contract::V0_1 => linker.instance("bridge:telemetry/types@0.1.0").map(drop),
        "types" => types::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state),
        // These are not in version 0.1.
        "event-values" => {
            bindings::event_values::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
        }
        "patterns" => bindings::patterns::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state),
        "json-schemas" => {
            bindings::json_schemas::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
        }
        "log" => of!(log),
        "counters" => of!(counters),
        "key-value" => of!(key_value),
        "query" => of!(query),
        "outbound-http" => of!(outbound_http),
        unknown => wasmtime::bail!("no import is called {unknown}"),
    }
}

/// Says why there is no answer.
fn unsupported<T>(reason: String) -> wasmtime::Result<Result<T, types::PluginError>> {
    Ok(Err(types::PluginError::Unsupported(reason)))
}

/// The name of a WASI interface as it is offered.
fn wasi(interface: &str) -> String {
    format!("wasi:{interface}@{WASI_VERSION}")
}
