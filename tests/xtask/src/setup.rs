//! The set-up: what a fresh Debian machine with rustup still lacks is installed where we may, else named with the
//! exact command. Checks cost milliseconds and run before every command.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::announce;
use crate::cargo::run;
use crate::failure::Failure;
use crate::libclang::{self, Libclang};
use crate::processor;
use crate::workspace::Workspace;

/// RocksDB is C++, and its bindings are generated with libclang.
const PACKAGES: [&str; 2] = ["libclang-dev", "g++"];
/// What the plugins are compiled to.
pub(crate) const PLUGIN_TARGET: &str = "wasm32-unknown-unknown";
/// What the tests' guests are compiled to: authors may use it, too.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// Checks everything that the build needs and installs what is missing.
pub(crate) fn complete(workspace: &Workspace) -> Result<(), Failure> {
    announce(&format!("checking the set-up: processor, libclang, g++, {PLUGIN_TARGET}, {GUEST_TARGET}"));
    processor::check()?;
    native_tools()?;
    component_target(workspace, PLUGIN_TARGET)?;
    component_target(workspace, GUEST_TARGET)
}

fn native_tools() -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        announce("not Linux: libclang and a C++20 compiler are taken for granted");
        return Ok(());
    }
    let Some(what) = missing_native_tools()? else { return Ok(()) };
    install(&what, &PACKAGES, || missing_native_tools().is_ok_and(|missing| missing.is_none()))
}

/// Installs packages with apt where that is allowed; else names the command. `is_there` says whether it helped.
fn install(what: &str, packages: &[&str], is_there: impl Fn() -> bool) -> Result<(), Failure> {
    let command = format!("apt-get install -y {}", packages.join(" "));
    let by_hand = || Failure::Missing {
        what: what.to_owned(),
        remedy: format!("run `sudo apt-get update && sudo {command}`, or your system's equivalent"),
    };
    if !on_path("apt-get") {
        return Err(by_hand());
    }
    let rights: &[&str] = match privilege() {
        Privilege::Root => &[],
        Privilege::Sudo => &["sudo", "-n"],
        Privilege::None => return Err(by_hand()),
    };
    announce(&format!("missing: {what}; installing it: {command}"));
    // An old package list is no reason to stop: the packages may well be known already.
    if let Err(failure) = run(&mut apt(rights, &["update"])) {
        announce(&format!("warning: {failure}"));
    }
    let mut arguments = vec!["install", "-y"];
    arguments.extend(packages);
    run(&mut apt(rights, &arguments))?;
    if is_there() { Ok(()) } else { Err(by_hand()) }
}

/// Checks for a Python that makes virtual environments, for the tools of other languages; installs it where it is missing.
pub(crate) fn python() -> Result<(), Failure> {
    const PYTHON: [&str; 2] = ["python3", "python3-venv"];
    if quietly("python3", &["-c", "import venv, ensurepip"]) {
        return Ok(());
    }
    install("Python with venv", &PYTHON, || quietly("python3", &["-c", "import venv, ensurepip"]))
}

/// What of g++ and libclang is missing, in words.
fn missing_native_tools() -> Result<Option<String>, Failure> {
    let mut missing = Vec::new();
    if env::var_os("CXX").is_none() && !on_path("c++") {
        missing.push("a C++ compiler (g++)".to_owned());
    }
    match libclang::find(Path::new("/"), env::var_os("LIBCLANG_PATH")) {
        Libclang::Found(_) => {}
        Libclang::Absent => missing.push("libclang".to_owned()),
        Libclang::WithoutHeaders(library) => {
            missing.push(format!("clang's headers for {}", library.display()))
        }
        Libclang::NotAtPath(path) => {
            return Err(Failure::Missing {
                what: format!("libclang in {}, where LIBCLANG_PATH points", path.display()),
                remedy: "unset LIBCLANG_PATH, or let it name the folder that holds libclang.so".into(),
            });
        }
    }
    Ok((!missing.is_empty()).then(|| missing.join(" and ")))
}

/// With which rights packages can be installed.
enum Privilege {
    Root,
    Sudo,
    None,
}

fn privilege() -> Privilege {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if root {
        Privilege::Root
    } else if quietly("sudo", &["-n", "true"]) {
        Privilege::Sudo
    } else {
        Privilege::None
    }
}

fn apt(rights: &[&str], arguments: &[&str]) -> Command {
    // `env` inside sudo: sudo drops the caller's variables.
    let words: Vec<&str> = rights
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .chain(arguments.iter().copied())
        .collect();
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or("env"));
    // Standard output belongs to what is started afterwards.
    command.args(words).stdin(Stdio::null()).stdout(std::io::stderr());
    command
}

fn component_target(workspace: &Workspace, target: &str) -> Result<(), Failure> {
    if has_target(workspace, target)? {
        return Ok(());
    }
    let by_hand = |more: &str| Failure::Missing {
        what: format!("the Rust target {target}, which plugins are compiled to"),
        remedy: format!("run `rustup target add {target}` in {}{more}", workspace.root.display()),
    };
    if !on_path("rustup") {
        return Err(by_hand(", after installing rustup"));
    }
    announce(&format!("missing: the target {target}; installing it: rustup target add {target}"));
    // In the root, so that the toolchain pinned there gets it.
    run(Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(&workspace.root)
        .stdout(std::io::stderr()))?;
    if has_target(workspace, target)? { Ok(()) } else { Err(by_hand("")) }
}

/// Whether the toolchain in use has the target's standard library; asks rustc, so that it works without rustup too.
fn has_target(workspace: &Workspace, target: &str) -> Result<bool, Failure> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(&workspace.root)
        .output()
        .map_err(|source| Failure::NotStarted { program: rustc.to_string_lossy().into_owned(), source })?;
    let folder = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    Ok(answer.status.success() && !folder.is_empty() && Path::new(&folder).is_dir())
}

/// Whether a program of that name is found.
fn on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Whether the command ends well, its output thrown away.
fn quietly(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_only_with_its_standard_library() {
        let workspace = Workspace::locate().unwrap();
        let own = if cfg!(target_arch = "aarch64") {
            "aarch64-unknown-linux-gnu"
        } else {
            "x86_64-unknown-linux-gnu"
        };
        if cfg!(target_os = "linux") && cfg!(target_env = "gnu") {
            assert!(has_target(&workspace, own).unwrap());
        }
        assert!(!has_target(&workspace, "no-such-target").unwrap());
    }

    #[test]
    fn packages_are_installed_without_questions() {
        let line = |rights: &[&str]| {
            let command = apt(rights, &["install", "-y", "g++"]);
            let words: Vec<String> = std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            words.join(" ")
        };
        assert_eq!(line(&[]), "env DEBIAN_FRONTEND=noninteractive apt-get install -y g++");
        assert_eq!(
            line(&["sudo", "-n"]),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y g++"
        );
    }

    #[test]
    fn programs_are_looked_up_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-here"));
        assert!(quietly("sh", &["-c", "exit 0"]));
        assert!(!quietly("sh", &["-c", "exit 1"]));
        assert!(!quietly("no-such-program-here", &[]));
    }
}
