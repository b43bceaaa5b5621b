//! Chunks of the store.

use super::MAX_TEXT_VALUE_BYTES;

/// Samples of one stored chunk at most: a day of one every six seconds is one chunk, and decoding any bytes allocates little.
pub const MAX_CHUNK_SAMPLES: usize = 16_384;
/// Text of one chunk's dictionary in bytes at most: every sample of a compacted chunk a string of the greatest length.
pub const MAX_CHUNK_TEXT_BYTES: usize = MAX_CHUNK_SAMPLES * (MAX_TEXT_VALUE_BYTES + 2);
