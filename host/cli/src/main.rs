//! The command `bridge-telemetry` (spec §8): runs the host, and talks to it.
//!
//! With `--json`, standard output carries JSON only; everything else goes to standard error.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

mod arguments;
mod batches;
mod client;
mod commands;
mod compiling;
mod connection;
mod exit;
mod follower;
mod host_file;
mod interrupt;
mod last_run;
mod live_line;
mod output;
mod samples;
mod settings;
mod status_line;
mod system;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    if compiling::is_asked_for() {
        return compiling::serve();
    }
    compiling::offer();
    let arguments = Arguments::parse();
    let json = arguments.shared.json;
    match commands::execute(arguments) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::print_failure(&failure, json);
            failure.exit().into()
        }
    }
}
