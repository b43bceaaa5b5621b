//! The one wasmtime engine: which WebAssembly features exist and how code is compiled and interrupted.

use serde::{Deserialize, Serialize};
use telemetry_core::limits;
use wasmtime::{Config, Engine, OptLevel};

/// How guests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// As fast as they can; a call ends by the clock.
    #[default]
    Fast,
    /// The same at every run, to the last bit, whatever the machine has to do: a call ends by the fuel that it burns, every NaN
    /// has the same bits, and random numbers come from one seed. For tests, replays and counting.
    Repeatable,
}

/// An engine. Instances are allocated on demand: a pool of slots would bound what a plugin's modules may look like and gain a
/// few microseconds per instance, of which few are made.
pub(crate) fn engine(execution: Execution) -> wasmtime::Result<Engine> {
    let repeatable = execution == Execution::Repeatable;
    let mut config = Config::new();
    config
        .epoch_interruption(!repeatable)
        .consume_fuel(repeatable)
        .cranelift_nan_canonicalization(repeatable)
        .concurrency_support(false)
        .max_wasm_stack(limits::MAX_WASM_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Compiling happens once per component and is then kept. On many threads it would be faster, and leave tens of
        // megabytes behind in the heaps of those threads for as long as the host lives.
        .parallel_compilation(false)
        // Guests carry no names, so a backtrace would only be numbers; without it a trap is cheap.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    Engine::new(&config)
}
