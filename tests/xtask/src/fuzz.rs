//! `cargo xtask fuzz`: libFuzzer over the store's decoders, one after the other.
//!
//! Only the crates of this workspace are compiled anew, with the compiler passes that libFuzzer needs: `tests/fuzz/instrument`
//! stands before rustc for them. What a run learns stays in the target folder, and the next run goes on from there.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::announce;
use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Seconds for each decoder when the command names none.
const SECONDS: u32 = 60;
/// Longest input that is made, in bytes: what a chunk of some hundred samples takes.
const MAX_BYTES: u32 = 4096;
/// Memory at which a run is ended, in MiB.
const MAX_MEMORY: u32 = 2048;

/// What `fuzz` was asked to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The decoder; all when absent.
    pub(crate) decoder: Option<String>,
    /// Seconds for each.
    pub(crate) seconds: Option<u32>,
}

impl Request {
    /// Reads `[DECODER] [--seconds N]`.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut request = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_str().unwrap_or_default();
            if text == "--seconds" {
                let seconds = arguments.next().and_then(|number| number.to_str()?.parse().ok());
                request.seconds =
                    Some(seconds.ok_or_else(|| unexpected(OsString::from("--seconds without a number")))?);
            } else if request.decoder.is_none() && !text.is_empty() && !text.starts_with('-') {
                request.decoder = Some(text.to_owned());
            } else {
                return Err(unexpected(argument));
            }
        }
        Ok(request)
    }
}

fn unexpected(argument: OsString) -> Failure {
    Failure::UnexpectedArgument { command: "fuzz".into(), argument }
}

/// Builds the fuzzer and runs it. All decoders have their turn, also after one of them failed.
pub(crate) fn run(workspace: &Workspace, cargo: &Cargo<'_>, request: &Request) -> Result<(), Failure> {
    let program = build(workspace, cargo)?;
    let names = match &request.decoder {
        Some(name) => vec![name.clone()],
        None => names(&program)?,
    };
    let seconds = request.seconds.unwrap_or(SECONDS);
    let folder = workspace.target.join("fuzz");
    let mut failed = None;
    println!("| decoder | executions | a second | inputs kept | found |\n|---|---|---|---|---|");
    for name in names {
        announce(&format!("fuzzing `{name}` for {seconds} seconds"));
        let outcome = Turn { program: &program, folder: &folder, name: &name, seconds }.take()?;
        println!("{}", outcome.row);
        failed = outcome.failure.or(failed);
    }
    failed.map_or(Ok(()), Err)
}

fn build(workspace: &Workspace, cargo: &Cargo<'_>) -> Result<PathBuf, Failure> {
    announce("building the fuzzer");
    let wrapper = workspace.root.join("tests").join("fuzz").join("instrument");
    let arguments =
        ["build", "--workspace", "--bin", "fuzz", "--features", "bridge-telemetry-fuzz/libfuzzer"];
    cargo.run_with("RUSTC_WORKSPACE_WRAPPER", wrapper.as_os_str(), arguments)?;
    Ok(workspace.target.join("debug").join("fuzz"))
}

/// The decoders that the fuzzer knows.
fn names(program: &Path) -> Result<Vec<String>, Failure> {
    let started = Command::new(program).env_remove("FUZZ_DECODER").output();
    let listed = started.map_err(|source| not_started(program, source))?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
}

fn not_started(program: &Path, source: std::io::Error) -> Failure {
    Failure::NotStarted { program: program.display().to_string(), source }
}

/// One decoder's turn.
struct Turn<'a> {
    program: &'a Path,
    folder: &'a Path,
    name: &'a str,
    seconds: u32,
}

/// What became of a turn.
struct Outcome {
    /// A row of the table.
    row: String,
    failure: Option<Failure>,
}

impl Turn<'_> {
    fn take(&self) -> Result<Outcome, Failure> {
        let corpus = self.folder.join("corpus").join(self.name);
        let findings = self.folder.join("findings");
        for folder in [&corpus, &findings] {
            let failed = |source| Failure::File { action: "create", path: folder.clone(), source };
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let said = self.folder.join(format!("{}.log", self.name));
        let failed = |source| Failure::File { action: "create", path: said.clone(), source };
        let log = fs::File::create(&said).map_err(failed)?;
        let mut artifacts = OsString::from("-artifact_prefix=");
        artifacts.push(findings.join(format!("{}-", self.name)));
        let status = Command::new(self.program)
            .arg(&corpus)
            .arg(artifacts)
            .args([
                format!("-max_total_time={}", self.seconds),
                format!("-max_len={MAX_BYTES}"),
                format!("-rss_limit_mb={MAX_MEMORY}"),
                "-print_final_stats=1".to_owned(),
                "-use_value_profile=1".to_owned(),
            ])
            .envs([("FUZZ_DECODER", OsStr::new(self.name)), ("FUZZ_EXAMPLES", corpus.as_os_str())])
            .stdout(Stdio::null())
            .stderr(log)
            .status()
            .map_err(|source| not_started(self.program, source))?;
        let text = fs::read_to_string(&said).unwrap_or_default();
        let kept = fs::read_dir(&corpus).map_or(0, Iterator::count);
        let found = if status.success() { "nothing".to_owned() } else { finding(&text, &said) };
        let (all, each) =
            (statistic(&text, "number_of_executed_units"), statistic(&text, "average_exec_per_sec"));
        let command = format!("fuzz {}", self.name);
        Ok(Outcome {
            row: format!("| {} | {all} | {each} | {kept} | {found} |", self.name),
            failure: (!status.success()).then_some(Failure::Ended { command, code: status.code() }),
        })
    }
}

/// A figure that libFuzzer prints at its end.
fn statistic<'t>(text: &'t str, name: &str) -> &'t str {
    let figure = |line: &'t str| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':');
    text.lines().find_map(figure).map_or("–", str::trim)
}

/// Where the input lies that made a decoder fail.
fn finding(text: &str, said: &Path) -> String {
    let written = text.lines().find_map(|line| line.split_once("Test unit written to "));
    written.map_or_else(|| format!("see {}", said.display()), |(_, path)| path.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, Failure> {
        Request::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_decoder_and_seconds_may_be_named() {
        let check = |line: &str, decoder: Option<&str>, seconds| {
            let expected = Request { decoder: decoder.map(str::to_owned), seconds };
            assert_eq!(parse(line).unwrap(), expected, "{line}");
        };
        check("", None, None);
        check("chunk", Some("chunk"), None);
        check("--seconds 5", None, Some(5));
        check("chunk --seconds 5", Some("chunk"), Some(5));
        for wrong in ["chunk header", "--seconds", "--seconds x", "--second 5"] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn the_fuzzers_figures_are_read() {
        let said = "artifact_prefix='x'; Test unit written to /t/findings/chunk-crash-1\n\
                    stat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     617\n";
        assert_eq!(statistic(said, "number_of_executed_units"), "1234");
        assert_eq!(statistic(said, "average_exec_per_sec"), "617");
        assert_eq!(statistic(said, "peak_rss_mb"), "–");
        assert_eq!(finding(said, Path::new("/log")), "/t/findings/chunk-crash-1");
        assert_eq!(finding("", Path::new("/log")), "see /log");
    }
}
