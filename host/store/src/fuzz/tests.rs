//! All decoders on bytes that no encoder made, and on those of encoders with some of them changed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::*;

/// Cases of each decoder.
const CASES: u32 = 192;

/// Places in an example, each with how many bytes are cut out there and what is put in instead.
type Damages = Vec<(prop::sample::Index, usize, Vec<u8>)>;

fn damages() -> impl Strategy<Value = Damages> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..4),
        // Numbers at their limits, as varints and fixed ones.
        1 => prop::sample::select(vec![vec![0xFF; 9], vec![0x80; 11], vec![0xFF; 4], vec![0; 8], vec![0x7F]]),
        1 => prop::collection::vec(any::<u8>(), 40),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, piece), 0..4)
}

/// Bytes for the decoder: one of its examples, damaged, or any.
fn input(decoder: Decoder) -> impl Strategy<Value = Vec<u8>> {
    let examples = (decoder.examples)();
    assert!(!examples.is_empty(), "{}", decoder.name);
    let damaged = (prop::sample::select(examples), damages()).prop_map(|(mut bytes, damages)| {
        for (place, cut, piece) in damages {
            let from = place.index(bytes.len() + 1);
            let until = (from + cut).min(bytes.len());
            bytes.splice(from..until, piece);
        }
        bytes
    });
    prop_oneof![3 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..400)]
}

/// Reads within the limit of memory.
fn read(decoder: Decoder, bytes: &[u8]) {
    let read = || catch_unwind(AssertUnwindSafe(|| (decoder.read)(bytes)));
    let mut outcome = Ok(());
    let used = allocation_counter::measure(|| outcome = read());
    if let Err(panic) = outcome {
        println!("{}: {}", decoder.name, bytes.escape_ascii());
        std::panic::resume_unwind(panic);
    }
    assert!(
        used.bytes_max <= decoder.limit(bytes.len()),
        "{}: {} bytes at once for {}: {}",
        decoder.name,
        used.bytes_max,
        bytes.len(),
        bytes.escape_ascii()
    );
}

#[test]
fn any_bytes_are_damage_at_worst() {
    for decoder in decoders() {
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let ran = runner.run(&input(decoder), |bytes| {
            read(decoder, &bytes);
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{}: {error}", decoder.name));
    }
}

#[test]
fn examples_are_read() {
    for decoder in decoders() {
        for example in (decoder.examples)() {
            read(decoder, &example);
            for length in 0..example.len().min(300) {
                read(decoder, &example[..length]);
            }
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = decoders().iter().map(|decoder| decoder.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    assert!(names.iter().all(|name| decoder(name).is_some()));
}
