//! Why a command could not be carried out, each with its remedy.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A failure of this program. `Display` is the whole message: it is printed once, as it is.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// No such subcommand.
    UnknownCommand { name: OsString },
    /// A subcommand that takes no argument was given one.
    UnexpectedArgument { command: OsString, argument: OsString },
    /// Something this machine lacks and that may not or could not be installed from here.
    Missing { what: String, remedy: String },
    /// A program could not be started.
    NotStarted { program: String, source: io::Error },
    /// A program ended with an error, which it has explained itself.
    Ended { command: String, code: Option<i32> },
    /// A file or folder could not be read or written.
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// A component's crate is not shaped as the build needs it.
    Component { folder: PathBuf, reason: String },
}

impl Failure {
    /// What the shell gets: 2 for wrong usage, a failed program's own code, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::UnknownCommand { .. } | Failure::UnexpectedArgument { .. } => 2,
            Failure::Ended { code, .. } => {
                code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
            }
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::UnknownCommand { name } => {
                write!(out, "there is no command `{}`; `cargo xtask help` lists them", name.display())
            }
            Failure::UnexpectedArgument { command, argument } => {
                write!(out, "`{}` takes no argument, but got `{}`", command.display(), argument.display())
            }
            Failure::Missing { what, remedy } => write!(out, "missing: {what}\n  remedy: {remedy}"),
            Failure::NotStarted { program, source } => {
                write!(
                    out,
                    "could not start `{program}`: {source}\n  remedy: install it, or put its folder on PATH"
                )
            }
            Failure::Ended { command, code: Some(code) } => {
                write!(out, "`{command}` ended with code {code}; see above")
            }
            Failure::Ended { command, code: None } => write!(out, "`{command}` was ended by a signal"),
            Failure::File { action, path, source } => {
                write!(out, "could not {action} {}: {source}", path.display())
            }
            Failure::Component { folder, reason } => write!(out, "{}: {reason}", folder.display()),
        }
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_lends_its_code() {
        let ended = |code| Failure::Ended { command: "cargo test".into(), code };
        assert_eq!(ended(Some(101)).exit_code(), 101);
        assert_eq!(ended(None).exit_code(), 1);
        // A failure never looks like success, whatever the platform made of the code.
        assert_eq!(ended(Some(0)).exit_code(), 1);
        assert_eq!(ended(Some(256)).exit_code(), 1);
    }
}
