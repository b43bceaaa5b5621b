//! Completion scripts, judged by the shells themselves.

use std::io::Write;
use std::process::{Command, Stdio};

use super::place::{Place, document};

/// Each shell with the program that parses a script of it without running it, where there is one.
const SHELLS: [(&str, &[&str]); 5] = [
    ("bash", &["bash", "-n"]),
    ("zsh", &["zsh", "-n"]),
    ("fish", &["fish", "--no-execute"]),
    ("elvish", &["elvish", "-compileonly", "/dev/stdin"]),
    ("powershell", &[]),
];

fn is_installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).is_file())
}

#[test]
fn every_shell_can_read_its_script() {
    let place = Place::new();
    for (shell, parser) in SHELLS {
        let output = place.bare(&["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        let (exit, body) = document(&mut place.bare(&["completions", shell, "--json"]));
        assert_eq!((exit, body["script"].as_str().unwrap().trim_end()), (0, script.trim_end()));
        for word in ["bridge-telemetry", "dead-letters", "accept-clock", "--follow", "import"] {
            assert!(script.contains(word.trim_start_matches('-')), "{shell} has no {word}");
        }
        // Bash is everywhere; the others are asked where they are.
        let Some((program, arguments)) = parser.split_first() else { continue };
        if shell != "bash" && !is_installed(program) {
            continue;
        }
        let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{shell} cannot read its script");
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let place = Place::new();
    let script = place.bare(&["completions", "bash"]).output().unwrap().stdout;
    place.write("completions.bash", &String::from_utf8(script).unwrap());
    let complete = |words: &[&str]| {
        let quoted = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let last = words.len() - 1;
        let line = format!(
            ". ./completions.bash; COMP_WORDS=({quoted}); COMP_CWORD={last}; \
             _bridge__telemetry bridge-telemetry '{}' '{}'; echo \"${{COMPREPLY[*]}}\"",
            words[last],
            words[last - 1]
        );
        let output = Command::new("bash").args(["-c", &line]).current_dir(place.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete(&["bridge-telemetry", "com"]), "completions");
    assert_eq!(complete(&["bridge-telemetry", "events", "--fo"]), "--follow");
    assert_eq!(complete(&["bridge-telemetry", "alerts", "dead"]), "dead-letters");
    assert_eq!(complete(&["bridge-telemetry", "completions", "fi"]), "fish");
}
