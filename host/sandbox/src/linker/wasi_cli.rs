//! `wasi:cli`: an empty environment, no arguments, no terminal, an exit that traps, and output that becomes the log.

use telemetry_core::extension::FailureReason;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::wasi;
use super::wasi_io::{InputStream, OutputStream, STDERR, STDOUT};
use crate::state::{HostState, stop};

/// Never made: there is no terminal.
enum TerminalInput {}
/// Never made: there is no terminal.
enum TerminalOutput {}

type Store<'a> = StoreContextMut<'a, HostState>;

pub(super) fn add(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut environment = linker.instance(&wasi("cli/environment"))?;
    environment.func_wrap("get-environment", |_: Store<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_: Store<'_>, (): ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_: Store<'_>, (): ()| Ok((None::<String>,)))?;

    let mut exit = linker.instance(&wasi("cli/exit"))?;
    exit.func_wrap("exit", |_: Store<'_>, (status,): (Result<(), ()>,)| {
        Err::<(), _>(exited(if status.is_ok() { "success" } else { "failure" }))
    })?;
    exit.func_wrap("exit-with-code", |_: Store<'_>, (code,): (u8,)| {
        Err::<(), _>(exited(&format!("code {code}")))
    })?;

    linker
        .instance(&wasi("cli/stdin"))?
        .func_wrap("get-stdin", |_: Store<'_>, (): ()| Ok((Resource::<InputStream>::new_own(0),)))?;
    linker
        .instance(&wasi("cli/stdout"))?
        .func_wrap("get-stdout", |_: Store<'_>, (): ()| Ok((Resource::<OutputStream>::new_own(STDOUT),)))?;
    linker
        .instance(&wasi("cli/stderr"))?
        .func_wrap("get-stderr", |_: Store<'_>, (): ()| Ok((Resource::<OutputStream>::new_own(STDERR),)))?;
    add_terminals(linker)
}

fn add_terminals(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.instance(&wasi("cli/terminal-input"))?.resource(
        "terminal-input",
        ResourceType::host::<TerminalInput>(),
        |_, _| Ok(()),
    )?;
    linker.instance(&wasi("cli/terminal-output"))?.resource(
        "terminal-output",
        ResourceType::host::<TerminalOutput>(),
        |_, _| Ok(()),
    )?;
    linker
        .instance(&wasi("cli/terminal-stdin"))?
        .func_wrap("get-terminal-stdin", |_: Store<'_>, (): ()| Ok((None::<Resource<TerminalInput>>,)))?;
    linker
        .instance(&wasi("cli/terminal-stdout"))?
        .func_wrap("get-terminal-stdout", |_: Store<'_>, (): ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    linker
        .instance(&wasi("cli/terminal-stderr"))?
        .func_wrap("get-terminal-stderr", |_: Store<'_>, (): ()| Ok((None::<Resource<TerminalOutput>>,)))
}

fn exited(how: &str) -> wasmtime::Error {
    stop(FailureReason::Trap(format!("it exited with {how}; a plugin answers and stays")))
}
