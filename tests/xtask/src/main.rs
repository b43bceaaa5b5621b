//! The project's two commands, `cargo xtask run` and `cargo xtask test`, and the set-up they share.
//!
//! Standard library only, so that it compiles in seconds before anything else does. Every step says on standard
//! error what it does before doing it; a failure names the remedy.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

use std::process::ExitCode;

mod cargo;
mod command;
mod component;
mod failure;
mod fuzz;
mod languages;
mod libclang;
mod package;
mod processor;
mod setup;
mod smith;
mod tools;
mod workspace;

use cargo::Cargo;
use command::{Command, HELP};
use failure::Failure;
use workspace::Workspace;

fn main() -> ExitCode {
    match command::parse(std::env::args_os().skip(1)).and_then(carry_out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn carry_out(command: Command) -> Result<(), Failure> {
    if matches!(command, Command::Help) {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::locate()?;
    let cargo = Cargo::new(&workspace);
    setup::complete(&workspace)?;
    match command {
        Command::Help | Command::Setup => Ok(()),
        Command::Plugins => {
            component::build(&workspace, &cargo)?;
            smith::build(&workspace, &cargo)
        }
        Command::Run(arguments) => {
            component::build(&workspace, &cargo)?;
            let in_environment = std::env::var_os(component::PLUGINS_VARIABLE).is_some();
            let plugins = component::plugins_flag(&workspace, &arguments, in_environment);
            let binary = cargo.build_binary("bridge-telemetry")?;
            cargo::replace_process(&binary, ["run".into()].into_iter().chain(plugins).chain(arguments))
        }
        Command::Languages => languages::build(&workspace, &cargo.build_binary("bridge-telemetry")?),
        Command::Test(arguments) => {
            component::build(&workspace, &cargo)?;
            smith::build(&workspace, &cargo)?;
            if !cargo::picks_packages(&arguments) {
                languages::build(&workspace, &cargo.build_binary("bridge-telemetry")?)?;
            }
            cargo.test(&arguments)
        }
        Command::Bench(arguments) => {
            component::build(&workspace, &cargo)?;
            if arguments.first().is_some_and(|name| name == "languages") {
                languages::build(&workspace, &cargo.build_binary("bridge-telemetry")?)?;
            }
            let binary = cargo.build_binary("bridge-telemetry-bench")?;
            cargo::replace_process(&binary, arguments)
        }
        Command::Fuzz(request) => fuzz::run(&workspace, &cargo, &request),
    }
}

/// Says what the next step is, on standard error: standard output belongs to the program that is started.
fn announce(step: &str) {
    eprintln!("xtask: {step}");
}
