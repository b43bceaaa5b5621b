//! Components: what is compiled, by which means, and what an instance may hold.

use std::time::Duration;

/// Largest component in bytes: a Python plugin has 18 MB.
pub const MAX_COMPONENT_BYTES: u64 = 64 << 20;
/// Largest single function of a component in bytes: the compiler's time and memory grow faster than the size. The
/// interpreter loops of CPython and QuickJS stay below a quarter of it.
pub const MAX_FUNCTION_BYTES: usize = 1 << 20;
/// Most functions of a component over all its modules: CPython has some 20,000.
pub const MAX_COMPONENT_FUNCTIONS: u64 = 200_000;
/// Most core modules of a component: a Python plugin has about thirty.
pub const MAX_COMPONENT_MODULES: u32 = 128;
/// Most bytes times local variables of one function: the compiler looks at each variable at each branch. A processor compiles some
/// twenty million of it in a second, and CPython's interpreter loop stays below a quarter.
pub const MAX_FUNCTION_WORK: u64 = 1 << 30;
/// The same of all functions together: minutes, where nothing else ends the compiler.
pub const MAX_COMPONENT_WORK: u64 = 1 << 32;
/// Most globals of a component over all its modules: position-independent modules have some thousands.
pub const MAX_COMPONENT_GLOBALS: u64 = 100_000;
/// Most types that a component declares, over all that is in it.
pub const MAX_COMPONENT_TYPES: u64 = 100_000;
/// How deep modules and components may lie in one another: real ones have three levels, and as many again when composed.
pub const MAX_COMPONENT_DEPTH: u64 = 16;
/// Most instances that a component becomes, with those of the components within it: CPython has about a hundred.
pub const MAX_COMPONENT_INSTANCES: u64 = 2_000;
/// Processor time for compiling one component in a process of its own: a Python plugin takes ten seconds.
pub const COMPILE_CPU: Duration = Duration::from_secs(120);
/// Time for it by the clock: a busy machine must not make a good component fail.
pub const COMPILE_DEADLINE: Duration = Duration::from_secs(600);
/// Address space of that process: several times what CPython takes to compile.
pub const COMPILE_MEMORY_BYTES: u64 = 4 << 30;
/// Largest machine code of one component in bytes: it is some times larger than the component.
pub const MAX_CODE_BYTES: u64 = 8 * MAX_COMPONENT_BYTES;
/// Bytes kept of what the compiler's process says when it fails.
pub const MAX_COMPILER_WORDS: usize = 4 << 10;
/// How much the compiler's process gives way to others: what is recorded goes before what is loaded.
pub const COMPILE_NICENESS: i32 = 10;
/// Core instances, memories and tables of one plugin instance at most; each costs address space and host memory.
pub const MAX_CORE_INSTANCES: usize = 256;
/// Elements of all tables of one plugin instance at most, 8 bytes each: CPython has some 10,000.
pub const MAX_TABLE_ELEMENTS: usize = 200_000;
/// Handles alive at once in one plugin instance: patterns and schemas, and of accumulators and streams a few in practice.
pub const MAX_PLUGIN_HANDLES: usize = 2_048;
const _: () = assert!(super::MAX_PATTERNS + super::MAX_KEPT_SCHEMAS < MAX_PLUGIN_HANDLES);
/// Bytes of native stack that WebAssembly code may use; a quarter of a Rust thread's stack, so that host calls fit above it.
pub const MAX_WASM_STACK_BYTES: usize = 512 << 10;
/// How often deadlines are looked at: fine enough for deadlines of tenths of seconds, 200 wake-ups a second.
pub const EPOCH_TICK: Duration = Duration::from_millis(5);
