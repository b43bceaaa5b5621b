//! The host's side of the compiler's process: starts it, hands the component over, waits no longer than the deadline, checks
//! the answer.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use crossbeam_channel::bounded;
use telemetry_core::limits;
use wasmtime::Engine;

use super::message::{Answer, Order, checksum, line, read_line};
use super::{CompileLimits, CompiledCode, CompilerProgram};
use crate::engine::Execution;
use crate::error::{CompileLimit, LoadError};
use crate::text::shown;

/// How a process ends by the kernel's hand.
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;

/// Compiles in a process of its own.
pub(super) fn compile(
    program: &CompilerProgram,
    component: &[u8],
    sha256: &str,
    engine: &Engine,
    execution: Execution,
) -> Result<CompiledCode, LoadError> {
    let limits = &program.limits;
    let order = Order {
        execution,
        cpu_seconds: limits.cpu.as_secs().max(1),
        memory_bytes: limits.memory_bytes,
        component_bytes: component.len() as u64,
    };
    let order = line(&order).map_err(failed)?;
    let child = Command::new(&program.path)
        .args(&program.arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| LoadError::CompilerProcess {
            reason: format!("{} cannot be started: {source}", program.path.display()),
        })?;
    let Finished { answer, words, status } = converse(child, limits, &[&order, component])?;
    match answer {
        Ok((Answer::Compiled { checksum: claimed }, code)) => {
            if claimed != checksum(sha256, engine, &code) {
                return Err(LoadError::CompilerProcess {
                    reason: "its answer is cut, or it is another version of this program".to_owned(),
                });
            }
            Ok(CompiledCode(code))
        }
        Ok((Answer::Refused(reason), _)) => {
            Err(LoadError::Compile { reason: shown(reason, limits::MAX_COMPILER_WORDS) })
        }
        Err(unreadable) => Err(ended(status, limits, &words, &unreadable)),
    }
}

/// What a compiler's process left behind.
struct Finished {
    answer: io::Result<(Answer, Vec<u8>)>,
    words: String,
    status: ExitStatus,
}

/// Writes `input`, reads the answer, and ends the process in any case.
fn converse(mut child: Child, limits: &CompileLimits, input: &[&[u8]]) -> Result<Finished, LoadError> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|threads| {
        let (send, answered) = bounded(1);
        let conversation = || -> io::Result<_> {
            start(threads, move || {
                // One that ends early reads no further; why it ended shows in its answer or status.
                let mut stdin = stdin?;
                input.iter().try_for_each(|part| stdin.write_all(part)).ok()
            })?;
            start(threads, move || send.send(read_answer(stdout?, limits.code_bytes)).ok())?;
            start(threads, move || words_of(stderr?))
        };
        let listening = conversation();
        let answer = match &listening {
            Ok(_) => answered.recv_timeout(limits.deadline).ok(),
            Err(_) => None,
        };
        // One that closed its output has ended, or is of no more use.
        let _ = child.kill();
        let status = child.wait().map_err(failed)?;
        let words = listening.map_err(failed)?.join().ok().flatten().unwrap_or_default();
        match answer {
            Some(answer) => Ok(Finished { answer, words, status }),
            None => Err(LoadError::CompileLimit(CompileLimit::Deadline(limits.deadline))),
        }
    })
}

fn start<'scope, R: Send + 'scope>(
    threads: &'scope thread::Scope<'scope, '_>,
    work: impl FnOnce() -> R + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, R>> {
    thread::Builder::new().name("plugin-compiler".to_owned()).spawn_scoped(threads, work)
}

fn read_answer(stdout: impl Read, limit: u64) -> io::Result<(Answer, Vec<u8>)> {
    let mut stdout = BufReader::new(stdout);
    let answer = read_line(&mut stdout)?;
    let mut code = Vec::new();
    stdout.take(limit.saturating_add(1)).read_to_end(&mut code)?;
    if code.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((answer, code))
}

/// The beginning of what it says; the rest is read, so that it does not wait.
fn words_of(mut stderr: impl Read) -> Option<String> {
    let mut words = Vec::new();
    Read::by_ref(&mut stderr).take(limits::MAX_COMPILER_WORDS as u64).read_to_end(&mut words).ok()?;
    io::copy(&mut stderr, &mut io::sink()).ok()?;
    let words = String::from_utf8_lossy(&words);
    Some(shown(words.trim().to_owned(), limits::MAX_COMPILER_WORDS))
}

/// Why there is no answer that can be read.
fn ended(status: ExitStatus, limits: &CompileLimits, words: &str, unreadable: &io::Error) -> LoadError {
    if unreadable.kind() == io::ErrorKind::FileTooLarge {
        return LoadError::CompileLimit(CompileLimit::Code(limits.code_bytes));
    }
    match status.signal() {
        Some(SIGXCPU) => LoadError::CompileLimit(CompileLimit::Cpu(limits.cpu)),
        // Rust's way to end when memory or stack is used up.
        Some(SIGABRT | SIGSEGV) => LoadError::CompileLimit(CompileLimit::Memory(limits.memory_bytes)),
        // Not by this host, which ends it only after an answer that makes no sense.
        Some(SIGKILL) if unreadable.kind() == io::ErrorKind::UnexpectedEof => LoadError::CompilerProcess {
            reason: "it was killed, as the system does when memory is short".to_owned(),
        },
        Some(SIGKILL) => LoadError::CompilerProcess { reason: format!("its answer is none: {unreadable}") },
        _ => LoadError::CompilerProcess { reason: format!("it ended with {status}: {words}") },
    }
}

fn failed(source: io::Error) -> LoadError {
    LoadError::CompilerProcess { reason: source.to_string() }
}
