//! `smith component|module SEED COUNT`: writes WebAssembly that wasm-smith makes of the seeds from SEED on, each as its length in
//! four bytes, little-endian, and its bytes. A seed of which nothing can be made is left out with a length of 0.
//!
//! Modules import nothing, so that they can be instantiated as they are. One seed in four uses proposals that the host does not
//! have.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smith: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [sort, seed, count] = arguments.as_slice() else {
        return Err("usage: smith component|module SEED COUNT".into());
    };
    let (seed, count): (u64, u64) = (seed.parse()?, count.parse()?);
    let mut out = BufWriter::new(io::stdout().lock());
    for seed in seed..seed.saturating_add(count) {
        let decisions = decisions(seed);
        let mut decisions = Unstructured::new(&decisions);
        let made = match sort.as_str() {
            "component" => {
                Component::new(components(seed % 4 != 3), &mut decisions).map(|made| made.to_bytes())
            }
            "module" => Module::new(modules(seed % 4 != 3), &mut decisions).map(|made| made.to_bytes()),
            other => return Err(format!("nothing is called {other}").into()),
        };
        let bytes = made.unwrap_or_default();
        out.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
        out.write_all(&bytes)?;
    }
    Ok(out.flush()?)
}

fn modules(modest: bool) -> Config {
    let sizes = Config {
        max_imports: 0,
        min_funcs: 1,
        max_memories: 4,
        max_tables: 4,
        max_instructions: 1_000,
        ..Config::default()
    };
    with_proposals(sizes, modest)
}

fn components(modest: bool) -> Config {
    let imports = if modest { 0 } else { 100 };
    with_proposals(Config { max_imports: imports, ..Config::default() }, modest)
}

fn with_proposals(sizes: Config, modest: bool) -> Config {
    Config {
        gc_enabled: !modest,
        // External references are collected, too.
        reference_types_enabled: !modest,
        memory64_enabled: !modest,
        relaxed_simd_enabled: !modest,
        threads_enabled: !modest,
        exceptions_enabled: !modest,
        tail_call_enabled: !modest,
        wide_arithmetic_enabled: !modest,
        compact_imports_enabled: !modest,
        ..sizes
    }
}

/// Bytes by which wasm-smith decides: of a generator that needs no library (splitmix64) and is the same for ever.
fn decisions(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let words = 32 + next() % 2_016;
    (0..words).flat_map(|_| next().to_le_bytes()).collect()
}
