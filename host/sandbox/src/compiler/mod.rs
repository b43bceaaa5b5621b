//! From a component's bytes to native code: in a process of its own where the program can be one, else in this process.
//!
//! Compiling untrusted bytes can take any time and memory that their size allows, and cannot be stopped from within. A process can:
//! its processor time and address space are limited by the kernel, and it is ended at its deadline. It protects against what
//! is too much, not against a compiler that is subverted: its answer is run as native code, as the compiler's always is.
//!
//! A library cannot start its embedder anew, so the program says what to start ([`CompilerProgram::register`]); the command
//! `bridge-telemetry` names itself. Where none is registered, only the sizes that `census` checks bound the compiler.

mod child;
mod message;
mod process;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use telemetry_core::limits;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::{Execution, engine};
use crate::error::LoadError;
use crate::text::shown;
pub use child::compile_for_parent;

static REGISTERED: OnceLock<CompilerProgram> = OnceLock::new();

/// Where components are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// By the registered program; in this process where none is.
    #[default]
    Registered,
    /// In this process, on the thread that loads the plugin.
    InProcess,
    /// By this program.
    Process(CompilerProgram),
}

impl Compiler {
    /// The program that compiles; none where it is done in this process.
    pub fn program(&self) -> Option<&CompilerProgram> {
        match self {
            Self::Registered => REGISTERED.get(),
            Self::InProcess => None,
            Self::Process(program) => Some(program),
        }
    }

    /// Compiles a component whose sizes were checked.
    pub(crate) fn compile(
        &self,
        component: &[u8],
        sha256: &str,
        engine: &Engine,
        execution: Execution,
    ) -> Result<CompiledCode, LoadError> {
        match self.program() {
            Some(program) => process::compile(program, component, sha256, engine, execution),
            None => compile_here(component, execution),
        }
    }
}

/// The compiler is not ours, and what it is given is not either: a panic of it is a fault of the component's.
fn compile_here(component: &[u8], execution: Execution) -> Result<CompiledCode, LoadError> {
    // Nothing of a compilation is left that a panic could leave half done.
    let compiled = catch_unwind(AssertUnwindSafe(|| CompiledCode::of(component, execution)));
    let reason = match compiled {
        Ok(Ok(code)) => return Ok(code),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "the compiler panicked".to_owned(),
    };
    Err(LoadError::Compile { reason: shown(reason, limits::MAX_COMPILER_WORDS) })
}

/// A program that calls [`compile_for_parent`] when it is started with the given arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProgram {
    path: PathBuf,
    arguments: Vec<OsString>,
    limits: CompileLimits,
}

impl CompilerProgram {
    /// The program at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), limits: CompileLimits::default() }
    }

    /// The same program, started with one argument more.
    pub fn with_argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The same program, of which one compilation may use no more than this.
    pub fn with_limits(mut self, limits: CompileLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The program that is running, also when its file was replaced meanwhile. It needs an argument to know what it is started for.
    ///
    /// # Errors
    /// The operating system does not say which program is running.
    pub fn this() -> std::io::Result<Self> {
        let running = Path::new("/proc/self/exe");
        let path = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
        Ok(Self::new(path))
    }

    /// Makes this the program that compiles for every sandbox of the process that says nothing else. The first one stays.
    pub fn register(self) {
        let _ = REGISTERED.set(self);
    }
}

/// What compiling one component in a process of its own may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time, in whole seconds.
    pub cpu: Duration,
    /// Time by the clock.
    pub deadline: Duration,
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// Machine code in bytes.
    pub code_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            cpu: limits::COMPILE_CPU,
            deadline: limits::COMPILE_DEADLINE,
            memory_bytes: limits::COMPILE_MEMORY_BYTES,
            code_bytes: limits::MAX_CODE_BYTES,
        }
    }
}

/// Native code of one component, fresh from the compiler.
pub(crate) struct CompiledCode(Vec<u8>);

impl CompiledCode {
    /// Compiles with an engine of its own, so that what the compiler keeps for its next run goes with it.
    pub(crate) fn of(component: &[u8], execution: Execution) -> wasmtime::Result<Self> {
        engine(execution)?.precompile_component(component).map(Self)
    }

    /// The code.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The code, ready to run.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[allow(unsafe_code, reason = "loading native code; see the safety comment")]
        // SAFETY: these are the very bytes that the compiler gave: to `of`, or to the process that the embedder named for
        // it, which was started for this component and answered over a pipe that nobody else had. There are no other makers of
        // a `CompiledCode`.
        unsafe {
            Component::deserialize(engine, &self.0)
        }
    }
}
