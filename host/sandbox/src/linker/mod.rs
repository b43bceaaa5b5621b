//! What guests can import, one file per part. Each kind of plugin has a linker with its world's imports and nothing else.
//!
//! Invariant: nothing here gives a guest a file, a socket, an environment variable or the real time.

mod host;
mod wasi_cli;
mod wasi_clocks;
mod wasi_io;
mod wasi_random;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{counters, key_value, log, outbound_http, query, types};
use crate::state::HostState;
use crate::world::PluginKind;

/// The version under which the stubs are offered; the linker matches every 0.2.x with it.
const WASI_VERSION: &str = "0.2.0";

/// The linker for plugins of `kind`.
pub(crate) fn linker(engine: &Engine, kind: PluginKind) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    for import in kind.imports() {
        match *import {
            "types" => types::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?,
            "log" => log::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?,
            "counters" => counters::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?,
            "key-value" => key_value::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?,
            "query" => query::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?,
            "outbound-http" => {
                outbound_http::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?
            }
            unknown => wasmtime::bail!("no import is called {unknown}"),
        }
    }
    wasi_io::add(&mut linker)?;
    wasi_cli::add(&mut linker)?;
    wasi_clocks::add(&mut linker)?;
    wasi_random::add(&mut linker)?;
    Ok(linker)
}

/// The name of a WASI interface as it is offered.
fn wasi(interface: &str) -> String {
    format!("wasi:{interface}@{WASI_VERSION}")
}
