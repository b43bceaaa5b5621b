//! The loader with what nobody built: components and modules of wasm-smith, and real plugins with their bytes disturbed.
//!
//! Whatever the bytes are, loading answers with a typed error or a plugin that can be called, in bounded time, and the sandbox serves
//! others. The ordinary tests make some dozens, always the same; with `SANDBOX_FUZZ_SECONDS` set, each sort goes on for so
//! many seconds, from the seed `SANDBOX_FUZZ_SEED`, and prints what became of the inputs.

use std::collections::{BTreeMap, VecDeque};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use telemetry_sandbox::{Component, LoadError, Plugin, PluginLimits, PluginSpec, SandboxOptions};

use crate::fixture::{Fixture, events, guest, target};
use crate::zoo::shapes::{with_component_bytes, with_module_bytes};

/// The longest that one input may take, on a machine that has other things to do.
const LONGEST: Duration = Duration::from_secs(60);

struct Fuzzer {
    fixture: Fixture,
    bystander: Plugin,
    outcomes: BTreeMap<String, u64>,
    slowest: Duration,
}

impl Fuzzer {
    fn new() -> Self {
        let fixture = Fixture::with(SandboxOptions {
            init_deadline: Duration::from_millis(300),
            ..SandboxOptions::default()
        });
        let bystander = Fixture::new().guest("evil");
        Self { fixture, bystander, outcomes: BTreeMap::new(), slowest: Duration::ZERO }
    }

    /// Loads the bytes, and calls what became of them.
    fn try_to_load(&mut self, bytes: Vec<u8>, whence: &str) {
        let mut spec = PluginSpec::new("fuzzed", Component::Bytes(bytes));
        spec.limits = PluginLimits { deadline_ms: 300, instances: Some(1), ..PluginLimits::default() };
        let begun = Instant::now();
        let outcome = match self.fixture.sandbox.load(spec) {
            Ok(plugin) => called(&plugin),
            Err(error) => refused(error),
        };
        let took = begun.elapsed();
        assert!(took < LONGEST, "{whence}: {outcome} after {took:?}");
        self.slowest = self.slowest.max(took);
        *self.outcomes.entry(outcome).or_default() += 1;
        let validator = self.bystander.validator().unwrap();
        validator.validate_events(&events(&["harmless"])).unwrap();
    }

    /// Tries what `input` makes of the seeds, until the time is over, or so many seeds.
    fn run(mut self, name: &str, most: u64, mut input: impl FnMut(u64) -> Option<Vec<u8>>) {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let seconds = number("SANDBOX_FUZZ_SECONDS").map(Duration::from_secs);
        let first = number("SANDBOX_FUZZ_SEED").unwrap_or(20_261_128);
        let begun = Instant::now();
        let mut tried = 0;
        for round in 0.. {
            if seconds.map_or(round == most, |seconds| begun.elapsed() >= seconds) {
                break;
            }
            let seed = first.wrapping_add(round);
            let Some(bytes) = input(seed) else { continue };
            self.try_to_load(bytes, &format!("{name}, seed {seed}"));
            tried += 1;
        }
        println!("| {name} | {tried} | {:?} | {:?} |", self.slowest, self.outcomes);
        assert!(tried > most / 4, "{tried}");
    }
}

/// What the program `smith` makes, in order of the seeds.
struct Smith {
    sort: &'static str,
    made: VecDeque<Option<Vec<u8>>>,
}

impl Smith {
    fn of(sort: &'static str) -> Self {
        Self { sort, made: VecDeque::new() }
    }

    /// What is made of this seed; those that follow are asked for together.
    fn make(&mut self, seed: u64) -> Option<Vec<u8>> {
        if self.made.is_empty() {
            let program = target().join("smith/debug/smith");
            let output = Command::new(&program).args([self.sort, &seed.to_string(), "256"]).output();
            let output = output
                .unwrap_or_else(|_| panic!("{} is missing: run `cargo xtask plugins`", program.display()));
            assert!(output.status.success(), "{output:?}");
            let mut rest = output.stdout.as_slice();
            while let Some((length, after)) = rest.split_first_chunk() {
                let (bytes, after) = after.split_at(u32::from_le_bytes(*length) as usize);
                self.made.push_back((!bytes.is_empty()).then(|| bytes.to_vec()));
                rest = after;
            }
        }
        self.made.pop_front().unwrap()
    }
}

fn called(plugin: &Plugin) -> String {
    let Some(validator) = plugin.validator() else { return "loaded, of another kind".to_owned() };
    match validator.validate_events(&events(&["harmless"])) {
        Ok(_) => "loaded, answers".to_owned(),
        Err(failure) => format!("loaded, fails: {}", failure.reason.kind()),
    }
}

fn refused(error: LoadError) -> String {
    match error {
        LoadError::Malformed { .. } => "malformed".to_owned(),
        LoadError::World(_) => "world".to_owned(),
        LoadError::TooLarge { what, .. } => format!("too large: {what}"),
        LoadError::Compile { reason } if reason.contains("panicked") => panic!("the compiler panicked"),
        LoadError::Compile { .. } => "compiler".to_owned(),
        LoadError::Types { .. } => "types".to_owned(),
        LoadError::Schema { .. } => "schema".to_owned(),
        LoadError::Config { .. } => "config".to_owned(),
        LoadError::Start(failure) => format!("start: {}", failure.reason.kind()),
        other => panic!("{other}"),
    }
}

#[test]
fn components_of_wasm_smith() {
    let mut smith = Smith::of("component");
    Fuzzer::new().run("components of wasm-smith", 256, |seed| smith.make(seed));
}

#[test]
fn components_of_wasm_smith_within_a_plugin() {
    let evil = std::fs::read(guest("evil-sink")).unwrap();
    let mut smith = Smith::of("component");
    Fuzzer::new().run("a plugin with a component of wasm-smith inside", 24, |seed| {
        Some(with_component_bytes(&evil, &smith.make(seed)?))
    });
}

#[test]
fn modules_of_wasm_smith_within_a_plugin() {
    let evil = std::fs::read(guest("evil")).unwrap();
    let mut smith = Smith::of("module");
    Fuzzer::new().run("a plugin with a module of wasm-smith", 32, |seed| {
        Some(with_module_bytes(&evil, &smith.make(seed)?, 1))
    });
}

#[test]
fn real_plugins_with_their_bytes_disturbed() {
    let real: Vec<_> = ["evil", "evil-sink", "evil-monitor", "evil-aggregation"]
        .iter()
        .map(|name| std::fs::read(guest(name)).unwrap())
        .collect();
    Fuzzer::new().run("real plugins with bytes disturbed", 60, |seed| {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut bytes = real.choose(random)?.clone();
        disturb(&mut bytes, random);
        Some(bytes)
    });
}

/// Flips bits, writes over, cuts off, repeats and exchanges parts.
fn disturb(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let part = |bytes: &[u8], random: &mut StdRng| {
        let from = random.random_range(0..bytes.len());
        let length = random.random_range(1..4096);
        from..bytes.len().min(from + length)
    };
    for _ in 0..random.random_range(1..4) {
        if bytes.len() < 16 {
            return;
        }
        match random.random_range(0..7) {
            0 | 1 => {
                let at = random.random_range(0..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            2 => {
                let at = random.random_range(0..bytes.len());
                bytes[at] = *[0, 1, 0x7F, 0x80, 0xFF].choose(random).unwrap();
            }
            3 => bytes.truncate(random.random_range(8..bytes.len())),
            4 => {
                let repeated = bytes[part(bytes, random)].to_vec();
                let at = random.random_range(0..bytes.len());
                bytes.splice(at..at, repeated);
            }
            5 => drop(bytes.drain(part(bytes, random))),
            _ => {
                // A whole section once more, at the end.
                let (from, to) = top_section(bytes, random);
                bytes.extend_from_within(from..to);
            }
        }
    }
}

/// A section of the component itself, as far as the lengths tell.
fn top_section(bytes: &[u8], random: &mut StdRng) -> (usize, usize) {
    let (mut at, mut sections) = (8, Vec::new());
    while at + 6 < bytes.len() {
        let (mut length, mut shift, mut next) = (0_usize, 0, at + 1);
        while next < bytes.len() && shift < 35 {
            length |= ((bytes[next] & 0x7F) as usize) << shift;
            shift += 7;
            next += 1;
            if bytes[next - 1] & 0x80 == 0 {
                break;
            }
        }
        let end = next.saturating_add(length);
        if end > bytes.len() {
            break;
        }
        sections.push((at, end));
        at = end;
    }
    sections.choose(random).copied().unwrap_or((8, 8))
}
