//! `completions`.

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::arguments::{Arguments, Shared};
use crate::exit::{Exit, Failure};
use crate::output;

/// The program's name.
const PROGRAM: &str = "bridge-telemetry";

pub(super) fn execute(shell: Shell, shared: &Shared) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut script);
    let mut script = String::from_utf8(script).map_err(Failure::refused)?;
    if shell == Shell::Bash {
        // clap_complete (clap issue 6421) writes a hyphen in the program's name in two ways, and then finds none of its
        // subcommands. Where it does not, nothing is changed here.
        let right = PROGRAM.replace('-', "__");
        script = script.replace(&PROGRAM.replace('-', "__subcmd__"), &right);
    }
    if shared.json {
        output::line(&json!({"status": "success", "shell": shell.to_string(), "script": script}).to_string());
    } else {
        output::line(script.trim_end());
    }
    Ok(Exit::Done)
}
