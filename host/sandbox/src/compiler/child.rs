//! The compiler's process: limits itself, reads one component, compiles it, writes the code, ends.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use telemetry_core::limits;

use super::CompiledCode;
use super::message::{Answer, Order, checksum, line, read_line};
use crate::component::component_sha256;
use crate::engine::engine;

/// What a program does that was started as the compiler: see [`super::CompilerProgram`]. It reads standard input, writes
/// standard output, and touches nothing else.
pub fn compile_for_parent() -> ExitCode {
    match serve(&mut BufReader::new(io::stdin().lock()), &mut BufWriter::new(io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the host's to show; without one there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(input: &mut BufReader<impl Read>, output: &mut impl Write) -> io::Result<()> {
    let order: Order = read_line(input)?;
    limit(&order)?;
    let mut component = Vec::new();
    input.take(order.component_bytes).read_to_end(&mut component)?;
    if component.len() as u64 != order.component_bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let compiled = engine(order.execution)
        .and_then(|engine| Ok((engine, CompiledCode::of(&component, order.execution)?)));
    match compiled {
        Err(error) => output.write_all(&line(&Answer::Refused(format!("{error:#}")))?)?,
        Ok((engine, code)) => {
            let checksum = checksum(&component_sha256(&component), &engine, code.bytes());
            output.write_all(&line(&Answer::Compiled { checksum })?)?;
            output.write_all(code.bytes())?;
        }
    }
    output.flush()
}

/// Limits this process before it reads anything that nobody checked.
fn limit(order: &Order) -> io::Result<()> {
    // The kernel ends the process at the first, and for sure at the second.
    lower(Resource::Cpu, order.cpu_seconds, order.cpu_seconds.saturating_add(1))?;
    lower(Resource::As, order.memory_bytes, order.memory_bytes)?;
    lower(Resource::Core, 0, 0)?;
    lower(Resource::Fsize, 0, 0)?;
    // One that does not give way compiles all the same.
    let _ = nice(limits::COMPILE_NICENESS);
    Ok(())
}

/// Sets a limit, never above the one that is there.
fn lower(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let there = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let maximum = maximum.min(there);
    setrlimit(resource, Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) })?;
    Ok(())
}
