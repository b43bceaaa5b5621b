//! This program as the compiler of its own plugins: started anew for each component, limited, and gone afterwards.
//!
//! It is no command: nobody but this program starts it so, and what it reads and writes is for no eyes.

use std::process::ExitCode;

use bridge_telemetry::plugins::{CompilerProgram, compile_for_parent};

/// The only argument of a compiler's process.
const ARGUMENT: &str = "compile-component-for-parent";

/// Whether this process was started to compile.
pub(crate) fn is_asked_for() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().is_some_and(|argument| argument == ARGUMENT) && arguments.next().is_none()
}

/// Compiles for the process that started this one.
pub(crate) fn serve() -> ExitCode {
    compile_for_parent()
}

/// Has every component of this process compiled in a process of its own.
pub(crate) fn offer() {
    // Where the system does not say what is running, components are compiled here, as in a library.
    if let Ok(program) = CompilerProgram::this() {
        program.with_argument(ARGUMENT).register();
    }
}
