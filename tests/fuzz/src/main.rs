//! libFuzzer over one decoder of the store, which the variable `FUZZ_DECODER` names; without it, the names of all.
//!
//! Bytes of the decoder's own encoder go to the folder `FUZZ_EXAMPLES` first, where libFuzzer finds them. A decoder fails when
//! it panics, when what it read does not come back after encoding, and when it allocates more than its limit.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use telemetry_store::fuzz::{Decoder, decoder, decoders};

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let asked = std::env::var("FUZZ_DECODER").unwrap_or_default();
    decoder(&asked).unwrap_or_else(|| {
        decoders().iter().for_each(|decoder| println!("{}", decoder.name));
        std::process::exit(i32::from(!asked.is_empty()) * 2)
    })
});

fn write_examples() {
    let examples = (DECODER.examples)();
    let Some(folder) = std::env::var_os("FUZZ_EXAMPLES") else { return };
    for (number, example) in examples.iter().enumerate() {
        let path = Path::new(&folder).join(format!("example-{number}"));
        if let Err(error) = std::fs::write(&path, example) {
            eprintln!("{}: {error}", path.display());
        }
    }
}

fuzz_target!(init: write_examples(), |bytes: &[u8]| {
    let decoder = *DECODER;
    let used = allocation_counter::measure(|| (decoder.read)(bytes));
    let most = decoder.limit(bytes.len());
    assert!(used.bytes_max <= most, "{} bytes at once, {most} are allowed", used.bytes_max);
});
