//! Calls of cargo. All of them select the whole workspace and one profile: a selection of single packages resolves
//! other features, and wasmtime and Cranelift would be compiled once more for them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::announce;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Cargo, bound to one workspace and one target folder.
#[derive(Debug)]
pub(crate) struct Cargo<'w> {
    workspace: &'w Workspace,
    program: OsString,
}

impl<'w> Cargo<'w> {
    /// The cargo that started us, so that the pinned toolchain stays the one in use.
    pub(crate) fn new(workspace: &'w Workspace) -> Cargo<'w> {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Cargo { workspace, program }
    }

    /// Builds one binary of the workspace and returns its path.
    pub(crate) fn build_binary(&self, name: &str) -> Result<PathBuf, Failure> {
        announce(&format!("building `{name}` (the first time this takes about twenty minutes)"));
        self.run(["build", "--workspace", "--bin", name])?;
        let binary =
            self.workspace.target.join("debug").join(name).with_extension(std::env::consts::EXE_EXTENSION);
        if binary.is_file() {
            return Ok(binary);
        }
        Err(Failure::Missing {
            what: format!("{}, which cargo should just have built", binary.display()),
            remedy: "unset CARGO_BUILD_TARGET and any `build.target` or `build.target-dir` of your cargo configuration".into(),
        })
    }

    /// Runs the tests; `arguments` go to `cargo test`. The program that they start is there already.
    pub(crate) fn test(&self, arguments: &[OsString]) -> Result<(), Failure> {
        let line = test_line(arguments);
        announce(&format!("running the tests: cargo {}", in_words(&line)));
        self.run(line)
    }

    /// Runs cargo in the workspace's root and waits for it.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<(), Failure> {
        run(&mut self.command(arguments))
    }

    /// The same with a variable in its environment.
    pub(crate) fn run_with<A: AsRef<OsStr>>(
        &self,
        variable: &str,
        value: &OsStr,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<(), Failure> {
        run(self.command(arguments).env(variable, value))
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.workspace.root)
            .env("CARGO_TARGET_DIR", &self.workspace.target);
        forget_our_own_package(&mut command);
        command
    }
}

/// Cargo describes this very package to us in the environment. Build scripts that watch those variables (ring's does)
/// would run anew for each of our calls, and all that depends on them would be compiled anew.
fn forget_our_own_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
}

fn describes_a_package(variable: &str) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 3] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) || NAMES.contains(&variable)
}

/// Whether the caller of `test` names packages. What stands behind `--` is for the test binaries.
pub(crate) fn picks_packages(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .map_while(|argument| argument.to_str().filter(|text| *text != "--"))
        .any(|text| text.starts_with("-p") || text == "--package" || text.starts_with("--package="))
}

/// `cargo test` over the workspace, unless the caller picks packages.
fn test_line(arguments: &[OsString]) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["test".into()];
    if !picks_packages(arguments) {
        line.push("--workspace".into());
    }
    line.extend_from_slice(arguments);
    line
}

/// Runs a program and waits for it; its own output explains a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_owned();
    let line = in_words(std::iter::once(program.as_os_str()).chain(command.get_args()));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Ended { command: line, code: status.code() }),
        Err(source) => Err(Failure::NotStarted { program: program.to_string_lossy().into_owned(), source }),
    }
}

/// Becomes `program`, so that signals such as Ctrl-C go straight to it. Returns only on failure.
pub(crate) fn replace_process(
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    forget_our_own_package(&mut command);
    announce(&format!("starting {} {}", program.display(), in_words(command.get_args())));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let source = command.exec();
        Err(Failure::NotStarted { program: program.display().to_string(), source })
    }
    #[cfg(not(unix))]
    run(&mut command)
}

fn in_words<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let words: Vec<String> =
        arguments.into_iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_cover_the_workspace_unless_packages_are_picked() {
        let check = |arguments: &str, expect: &str| {
            let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
            assert_eq!(in_words(test_line(&arguments)), expect);
        };
        check("", "test --workspace");
        check("alerts", "test --workspace alerts");
        check("-p telemetry-core", "test -p telemetry-core");
        check("--package=xtask codec", "test --package=xtask codec");
        check("codec -- -p", "test --workspace codec -- -p");
    }

    #[test]
    fn only_what_describes_this_package_is_forgotten() {
        for variable in
            ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PRIMARY_PACKAGE"]
        {
            assert!(describes_a_package(variable), "{variable}");
        }
        for variable in
            ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "PATH", "RUSTUP_TOOLCHAIN"]
        {
            assert!(!describes_a_package(variable), "{variable}");
        }
    }

    #[test]
    fn a_failed_or_missing_program_is_reported() {
        let ended = run(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
        assert!(matches!(ended, Failure::Ended { code: Some(7), .. }), "{ended}");
        let missing = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(matches!(missing, Failure::NotStarted { .. }), "{missing}");
    }
}
