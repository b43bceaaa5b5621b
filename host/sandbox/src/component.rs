//! A component's way from a file to compiled code: sizes and world are checked before the compiler sees it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::LoadError;
use crate::heap;
use crate::outline::Outline;
use crate::runtime::Runtime;
use crate::spec::Component;
use crate::world::{self, Contract, PluginKind, WorldError};

/// A compiled component of a known world. Cloning shares the code.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) component: wasmtime::component::Component,
    pub(crate) kind: PluginKind,
    pub(crate) contract: Contract,
    pub(crate) imports: Vec<String>,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// What a component is, as far as its bytes tell: it is neither compiled nor run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentOutline {
    /// Its kind.
    pub kind: PluginKind,
    /// What it imports.
    pub imports: Vec<String>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its compiled code is in the cache; otherwise loading it takes seconds.
    pub is_compiled: bool,
}

/// A component's bytes with what they tell.
struct Checked {
    bytes: Vec<u8>,
    kind: PluginKind,
    contract: Contract,
    imports: Vec<String>,
    sha256: String,
}

impl Checked {
    fn of(source: Component, runtime: &Runtime) -> Result<Self, LoadError> {
        let limit = runtime.options.max_component_bytes;
        let bytes = match source {
            Component::File(path) => read(&path, limit)?,
            Component::Bytes(bytes) => within(bytes, limit)?,
        };
        let Outline { imports, exports } = Outline::read(&bytes)?;
        let (kind, contract) = world::check(&imports, &exports)?;
        let sha256 = component_sha256(&bytes);
        Ok(Self { bytes, kind, contract, imports, sha256 })
    }
}

/// All that keeps the component in a file from being a plugin of this host.
pub(crate) fn world_faults(path: &Path, runtime: &Runtime) -> Result<Vec<WorldError>, LoadError> {
    let bytes = read(path, runtime.options.max_component_bytes)?;
    match Outline::read(&bytes) {
        Ok(Outline { imports, exports }) => Ok(world::faults(&imports, &exports)),
        Err(LoadError::World(fault)) => Ok(vec![fault]),
        Err(error) => Err(error),
    }
}

impl ComponentOutline {
    /// Reads and checks, without compiling.
    pub(crate) fn of(source: Component, runtime: &Runtime) -> Result<Self, LoadError> {
        let Checked { bytes, kind, imports, sha256, .. } = Checked::of(source, runtime)?;
        let is_compiled = runtime.cache.as_ref().is_some_and(|cache| cache.has(&sha256));
        Ok(Self { kind, imports, sha256, bytes: bytes.len() as u64, is_compiled })
    }
}

impl Compiled {
    /// Reads, checks and compiles; takes the code from the cache where it can.
    pub(crate) fn of(source: Component, runtime: &Runtime) -> Result<Self, LoadError> {
        let Checked { bytes, kind, contract, imports, sha256 } = Checked::of(source, runtime)?;
        let cached = runtime.cache.as_ref().and_then(|cache| cache.load(&runtime.engine, &sha256));
        let component = match cached {
            Some(component) => component,
            None => compile(&bytes, &sha256, runtime)?,
        };
        Ok(Self { component, kind, contract, imports, sha256, bytes: bytes.len() as u64 })
    }
}

/// SHA-256 of a component's bytes, in hexadecimal.
pub fn component_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than the limit tells a file that is too large, whatever its length claims.
    File::open(path)
        .map_err(failed)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    within(bytes, limit)
}

fn within(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, LoadError> {
    let size = bytes.len() as u64;
    if size > limit {
        return Err(LoadError::TooLarge { what: "bytes", size, limit });
    }
    Ok(bytes)
}

fn compile(
    bytes: &[u8],
    sha256: &str,
    runtime: &Runtime,
) -> Result<wasmtime::component::Component, LoadError> {
    let failed = |error: wasmtime::Error| LoadError::Compile { reason: format!("{error:#}") };
    let options = &runtime.options;
    let code = options.compiler.compile(bytes, sha256, &runtime.engine, options.execution)?;
    // Code that is mapped from the cache's file takes less memory than the same code on the heap.
    let from_file = runtime.cache.as_ref().and_then(|cache| {
        cache.save(sha256, &code);
        cache.load(&runtime.engine, sha256)
    });
    let component = match from_file {
        Some(component) => component,
        None => code.load(&runtime.engine).map_err(failed)?,
    };
    drop(code);
    if options.compiler.program().is_none() {
        heap::trim();
    }
    Ok(component)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
