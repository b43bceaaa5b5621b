//! C: zig's compiler or clang compiles the plugin with generated bindings and the modules for authors, and the core module is put
//! into the frame of its world (`build.rs`), which makes it a component. Of the C library a plugin has what needs no system:
//! memory, strings, mathematics.

use std::process::Command;

use telemetry_sandbox::PluginKind;

use super::frame;
use super::tool::{find, run};
use super::{BuildError, build_folder, read_made};
use crate::project::Project;
use crate::sdk;

/// The version of zig's compiler that this is tested with.
const VERSION: &str = "0.17.1";
/// Flags of every compiler. The stack is small, and stands below all data, so that a deep recursion ends in a trap.
const FLAGS: [&str; 7] = [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-mexec-model=reactor",
    "-Wl,-z,stack-size=65536",
    "-Wl,--strip-all",
];

macro_rules! generated {
    ($world:literal) => {
        World {
            header: include_str!(concat!(env!("OUT_DIR"), "/", $world, "/bt_world.h")),
            source: include_str!(concat!(env!("OUT_DIR"), "/", $world, "/bt_world.c")),
            frame: include_bytes!(concat!(env!("OUT_DIR"), "/", $world, "/frame.wasm")),
        }
    };
}

/// What was generated of a world.
struct World {
    header: &'static str,
    source: &'static str,
    frame: &'static [u8],
}

const fn world(kind: PluginKind) -> World {
    match kind {
        PluginKind::Validator => generated!("validator"),
        PluginKind::Aggregator => generated!("aggregator"),
        PluginKind::Monitor => generated!("monitor"),
        PluginKind::Sink => generated!("alert-sink"),
    }
}

/// The sources of the contract's exports, and of what not every kind imports.
const fn exports(kind: PluginKind) -> &'static [&'static str] {
    match kind {
        PluginKind::Validator => &["bt_validator.c", "bt_values.c", "bt_patterns.c", "bt_schemas.c"],
        PluginKind::Aggregator => &["bt_aggregator.c"],
        PluginKind::Monitor => {
            &["bt_monitor.c", "bt_values.c", "bt_patterns.c", "bt_schemas.c", "bt_key_value.c", "bt_query.c"]
        }
        PluginKind::Sink => &["bt_sink.c", "bt_patterns.c", "bt_key_value.c"],
    }
}

pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let mut command = compiler(project)?;
    let folder = build_folder(project)?;
    let sdk_folder = folder.join("sdk");
    let kind = project.manifest.kind;
    let world = world(kind);
    sdk::write(&sdk_folder, sdk::C)
        .and_then(|_| std::fs::write(sdk_folder.join("bt_world.h"), world.header))
        .and_then(|()| std::fs::write(sdk_folder.join("bt_world.c"), world.source))
        .map_err(|source| BuildError::File { path: sdk_folder.clone(), source })?;
    let module = folder.join("module.wasm");
    let _ = std::fs::remove_file(&module);
    command
        .args(FLAGS)
        .arg("-I")
        .arg(&sdk_folder)
        .arg("-o")
        .arg(&module)
        .arg(project.language()?.source())
        .args(
            ["bt.c", "bt_rows.c", "bt_world.c"].iter().chain(exports(kind)).map(|name| sdk_folder.join(name)),
        )
        .current_dir(&project.directory);
    run(&mut command)?;
    frame::fill(world.frame, &read_made(&module, "the C compiler")?)
}

/// The compiler with its target: zig's, which brings the C library with it, or clang with Debian's.
fn compiler(project: &Project) -> Result<Command, BuildError> {
    for name in ["zig", "python-zig"] {
        if let Some(zig) = find(project, name) {
            let mut command = Command::new(zig);
            command.args(["cc", "-target", "wasm32-wasi"]);
            return Ok(command);
        }
    }
    if let (Some(clang), Some(_)) = (find(project, "clang"), find(project, "wasm-ld")) {
        let mut command = Command::new(clang);
        command.arg("--target=wasm32-wasi");
        return Ok(command);
    }
    Err(BuildError::Missing {
        what: "a C compiler for WebAssembly (zig, or clang with wasm-ld)".to_owned(),
        remedy: format!(
            "run `python3 -m venv .venv && .venv/bin/pip install ziglang=={VERSION}` in {}, or `sudo apt-get install clang lld wasi-libc libclang-rt-dev-wasm32`",
            project.directory.display()
        ),
    })
}
