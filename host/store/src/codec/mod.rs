//! Chunks: many samples of one series in few bytes. Pure: bytes in, columns out, no storage.
//!
//! A chunk is a header that can be read alone, a time block and a value block; `FORMAT.md` gives every byte. Each block is
//! written in the smallest of the forms that fit it, and reads back bit for bit.
//! Invariant: decoding arbitrary bytes ends in [`crate::error::Damage`] at worst, and allocates no more than
//! [`telemetry_core::limits::MAX_CHUNK_SAMPLES`] allows.

mod bucket_values;
mod chunk;
mod convert;
mod decimals;
mod digest;
mod floats;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod header;
mod integers;
mod packing;
mod pages;
mod rollup;
mod streams;
mod tables;
mod texts;
mod times;

pub(crate) use chunk::{DecodedPart, decode, decode_numeric, decode_times, encode};
pub(crate) use digest::digest_of;
pub(crate) use header::ChunkHeader;
pub(crate) use rollup::{RollupForm, decode_rollup, encode_rollup};
pub(crate) use times::Even;

/// How long encoding may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// On the way of ingest: only forms that encode at memory speed.
    Seal,
    /// In the background, for chunks that will be read for long: slower forms too, where they are smaller.
    Compact,
}

/// Samples of a page: the part of a chunk that is decoded, and kept, where not all of it is asked for.
pub(crate) const PAGE_SAMPLES: usize = 512;
/// Pages of the largest chunk.
const MAX_PAGES: usize = telemetry_core::limits::MAX_CHUNK_SAMPLES.div_ceil(PAGE_SAMPLES);

/// What rows are called in errors.
const CHUNK: &str = "chunk";
