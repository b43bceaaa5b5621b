//! What the host and its compiler's process say to each other: one line of JSON each way, followed by bytes.
//!
//! The checksum finds answers that are cut, mixed up or another version's. It is no proof of origin: the pipe is.

use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use xxhash_rust::xxh3::Xxh3Default;

use crate::engine::Execution;

/// Longest line in bytes.
const MAX_LINE_BYTES: u64 = 8 << 10;

/// The order; the component follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) execution: Execution,
    pub(super) cpu_seconds: u64,
    pub(super) memory_bytes: u64,
    pub(super) component_bytes: u64,
}

/// The answer; after `Compiled` the code follows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Compiled {
        checksum: String,
    },
    /// The compiler's own words.
    Refused(String),
}

/// A line of JSON.
pub(super) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a line of JSON.
pub(super) fn read_line<M: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<M> {
    let mut line = Vec::new();
    from.take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

/// The checksum of code, begun with what it was made of and for.
pub(super) fn checksum(component_sha256: &str, engine: &Engine, code: &[u8]) -> String {
    let mut checksum = Xxh3Default::new();
    checksum.update(component_sha256.as_bytes());
    let mut compatibility = Xxh3Default::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    checksum.update(&compatibility.finish().to_le_bytes());
    checksum.update(code);
    format!("{:032x}", checksum.digest128())
}
