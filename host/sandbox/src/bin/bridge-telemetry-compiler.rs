//! The compiler's process as a program of its own, for whoever embeds the library and cannot start himself anew.

use std::process::ExitCode;

fn main() -> ExitCode {
    telemetry_sandbox::compile_for_parent()
}
