//! The command line: which subcommand, and what is passed on.

use std::ffi::OsString;

use crate::failure::Failure;
use crate::fuzz::Request;

/// What `cargo xtask help` prints.
pub(crate) const HELP: &str = "\
The commands of this project. Each first completes the set-up: libclang and g++ for RocksDB, the WebAssembly targets.

  cargo xtask run [ARGS]     build the plugins and the host, then start `bridge-telemetry run ARGS`, with the shipped
                             plugins unless --plugins or --config says where plugins are
  cargo xtask test [ARGS]    build the plugins, then run every test: `cargo test --workspace ARGS`
  cargo xtask bench [NAME] [ARGS]
                             build the plugins, then run the benchmarks, or the one called NAME; `bench store` holds the
                             storage engine against its goals, with --peers beside other stores; `bench plugins` holds plugins
                             against theirs, beside native Rust, a bare module and Extism
  cargo xtask fuzz [DECODER] [--seconds N]
                             build the fuzzer of the store's decoders, then run it for each of them, or for the one named
  cargo xtask plugins        only build the plugins, TARGET/plugins/NAME/, and the tests' guests, TARGET/guests/*.wasm
  cargo xtask languages      only build the plugins of every language for the tests: TARGET/languages; installs their
                             tools (componentize-py, jco, zig) into TARGET/tools from PyPI and npm
  cargo xtask setup          only complete the set-up
  cargo xtask help           this text

TARGET is `target`, or CARGO_TARGET_DIR. The first build compiles RocksDB and wasmtime: about twenty minutes on two cores.
";

/// A subcommand with the arguments that it passes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start the host.
    Run(Vec<OsString>),
    /// Run every test.
    Test(Vec<OsString>),
    /// Run the benchmarks.
    Bench(Vec<OsString>),
    /// Run the fuzzer.
    Fuzz(Request),
    /// Only build the components.
    Plugins,
    /// Only build the components of every language.
    Languages,
    /// Only complete the set-up.
    Setup,
    /// Print the help.
    Help,
}

/// Reads the command line, program name left out.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter();
    let Some(name) = arguments.next() else {
        return Ok(Command::Help);
    };
    let rest: Vec<OsString> = arguments.collect();
    let command = match name.to_str().unwrap_or_default() {
        "run" => return Ok(Command::Run(rest)),
        "test" => return Ok(Command::Test(rest)),
        "fuzz" => return Request::parse(rest).map(Command::Fuzz),
        "bench" => return Ok(Command::Bench(rest)),
        "help" | "-h" | "--help" => return Ok(Command::Help),
        "languages" => Command::Languages,
        "plugins" => Command::Plugins,
        "setup" => Command::Setup,
        _ => return Err(Failure::UnknownCommand { name }),
    };
    match rest.into_iter().next() {
        None => Ok(command),
        Some(argument) => Err(Failure::UnexpectedArgument { command: name, argument }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &Command) {
        let command = parse(line.split_whitespace().map(OsString::from)).unwrap();
        assert_eq!(&command, expect, "{line}");
    }

    #[test]
    fn a_subcommand_passes_its_arguments_on() {
        check("run --listen 127.0.0.1:0", &Command::Run(vec!["--listen".into(), "127.0.0.1:0".into()]));
        check("run --help", &Command::Run(vec!["--help".into()]));
        check(
            "test alerts -- --nocapture",
            &Command::Test(vec!["alerts".into(), "--".into(), "--nocapture".into()]),
        );
        check("bench", &Command::Bench(vec![]));
        check("plugins", &Command::Plugins);
        check("setup", &Command::Setup);
    }

    #[test]
    fn nothing_or_a_call_for_help_is_help() {
        for line in ["", "help", "--help", "-h"] {
            check(line, &Command::Help);
        }
    }

    #[test]
    fn wrong_usage_is_named_and_answers_code_2() {
        let unknown = parse(["rnu".into()]).unwrap_err();
        assert_eq!(unknown.exit_code(), 2);
        assert!(unknown.to_string().contains("`rnu`"), "{unknown}");

        let surplus = parse(["setup".into(), "--force".into()]).unwrap_err();
        assert_eq!(surplus.exit_code(), 2);
        assert!(surplus.to_string().contains("`--force`"), "{surplus}");
    }
}
