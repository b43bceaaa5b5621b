//! Every decoder of bytes from disks, callers and plugins as a function of plain bytes: for the fuzzer (`tests/fuzz`), through
//! the feature `fuzzing`, and for this crate's own tests.
//!
//! Checksums are mended on the way: what lies behind them is what must not fail, and chance never finds a right checksum.
//! Invariant: a function panics only where the decoder breaks its promise: it panics itself, its forms contradict each other,
//! or what it read does not come back after encoding.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a failed expectation is what the fuzzer and the tests look for"
)]

mod rows;
#[cfg(test)]
mod tests;

use crate::error::Damage;
use crate::{backup, codec, envelope, events, frames_check, log, series, synced};

/// Bytes that a decoder may allocate for each byte that it reads.
pub const BYTES_PER_BYTE: u64 = 64;

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// What it decodes.
    pub name: &'static str,
    /// Decodes bytes; panics where a promise is broken.
    pub read: fn(&[u8]),
    /// Bytes of an encoder, to begin with.
    pub examples: fn() -> Vec<Vec<u8>>,
    /// Bytes that it may allocate, beside [`BYTES_PER_BYTE`] times its input.
    pub allowance: u64,
}

impl Decoder {
    pub(crate) const fn new(name: &'static str, read: fn(&[u8]), examples: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, read, examples, allowance: 64 << 10 }
    }

    /// The same decoder, which may allocate so much.
    pub(crate) const fn allowed(self, allowance: u64) -> Self {
        Self { allowance, ..self }
    }

    /// The most that reading `length` bytes may allocate at a time, with what the check itself needs: the value is made three
    /// times, and told twice as text.
    pub const fn limit(&self, length: usize) -> u64 {
        self.allowance + BYTES_PER_BYTE * length as u64
    }
}

/// All decoders.
pub fn decoders() -> Vec<Decoder> {
    let mut all = Vec::new();
    all.extend(codec::fuzz::decoders());
    all.extend(log::fuzz::decoders());
    all.extend(events::fuzz::decoders());
    all.extend(series::fuzz::decoders());
    all.extend(backup::fuzz::decoders());
    all.extend(rows::decoders());
    all.extend([
        Decoder::new("envelope", read_envelope, || vec![envelope::wrap(1, b"payload")]),
        Decoder::new("synced_mark", synced::fuzz_slots, || {
            vec![envelope::wrap(1, &7_u64.to_le_bytes()), envelope::wrap(1, &u64::MAX.to_le_bytes())]
        }),
        Decoder::new("engine_log", frames_check::fuzz_log, frames_check::example_logs).allowed(256 << 10),
    ]);
    all
}

/// The decoder of this name.
pub fn decoder(name: &str) -> Option<Decoder> {
    decoders().into_iter().find(|decoder| decoder.name == name)
}

fn read_envelope(bytes: &[u8]) {
    if let Ok((version, payload)) = envelope::open_any("row", bytes) {
        assert_eq!(envelope::wrap(version, payload), bytes);
    }
    if let Some((version, payload)) = bytes.split_first() {
        let whole = envelope::wrap(*version, payload);
        assert_eq!(envelope::open("row", *version, &whole).expect("it was just made"), payload);
    }
}

/// Decodes `payload` behind a right envelope of `version`; what comes out must come back after encoding.
pub(crate) fn comes_back<T: std::fmt::Debug>(
    version: u8,
    payload: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Damage>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(found) = decode(&envelope::wrap(version, payload)) else { return };
    let again = decode(&encode(&found)).expect("what was decoded can be encoded");
    // Not by `==`: NaN is not equal to itself, and 0.0 is equal to −0.0.
    assert_eq!(format!("{found:?}"), format!("{again:?}"));
}

/// The payloads of values in envelopes.
pub(crate) fn payloads(values: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| value[envelope::ENVELOPE_BYTES..].to_vec()).collect()
}
