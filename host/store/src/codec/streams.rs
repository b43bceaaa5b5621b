//! Columns as stand-alone streams of the `pco` library.

use pco::data_types::Number;
use pco::standalone::{DecompressorItem, FileDecompressor, simple_compress};

use super::CHUNK;
use crate::error::Damage;

/// Bytes before a chunk's mode: type and number of its values.
const BEFORE_MODE: usize = 4;
/// The mode with a dictionary, in the lowest four bits of a chunk's metadata. It is never written.
const DICTIONARY: u8 = 4;
const MODE_BITS: u8 = 0xF;

/// `values` as a stream of one chunk; `None` where the library fails.
pub(super) fn compress<T: Number>(values: &[T], level: usize) -> Option<Vec<u8>> {
    simple_compress(values, &pco::ChunkConfig::default().with_compression_level(level)).ok()
}

/// Fills `out` from a stream of [`compress`].
pub(super) fn decompress<T: Number>(stream: &[u8], out: &mut [T]) -> Result<(), Damage> {
    let (file, chunks) = FileDecompressor::new(stream).map_err(damage)?;
    refuse_dictionary(chunks.get(BEFORE_MODE..).unwrap_or_default())?;
    let DecompressorItem::Chunk(mut chunk) = file.chunk_decompressor::<T, _>(chunks).map_err(damage)? else {
        return Err(Damage::new(CHUNK, "a compressed stream has no values"));
    };
    if chunk.n() != out.len() || chunk.read(out).map_err(damage)?.n_processed != out.len() {
        return Err(Damage::new(CHUNK, "a compressed stream has another number of values"));
    }
    Ok(())
}

/// Refuses a chunk's metadata that say that there is a dictionary: the library reserves a quarter of a gigabyte for one that
/// says that it is long, before it looks whether it is there.
pub(super) fn refuse_dictionary(metadata: &[u8]) -> Result<(), Damage> {
    if metadata.first().is_some_and(|byte| byte & MODE_BITS == DICTIONARY) {
        return Err(Damage::new(CHUNK, "a compressed stream has a dictionary"));
    }
    Ok(())
}

pub(super) fn damage(error: pco::errors::PcoError) -> Damage {
    Damage::new(CHUNK, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pco::{ChunkConfig, ModeSpec};

    #[test]
    fn streams_come_back_and_dictionaries_are_refused() {
        let values: Vec<i64> = (0..700_i64).map(|place| place % 5 * 1_000_003).collect();
        let mut back = vec![0; values.len()];
        decompress(&compress(&values, 6).unwrap(), &mut back).unwrap();
        assert_eq!(back, values);
        let config = ChunkConfig::default().with_mode_spec(ModeSpec::TryDict);
        let stream = pco::standalone::simple_compress(&values, &config).unwrap();
        let refused = decompress(&stream, &mut back).unwrap_err();
        assert!(refused.to_string().contains("dictionary"), "{refused}");
    }

    #[test]
    fn another_number_of_values_is_damage() {
        let stream = compress(&[1.5_f64; 300], 6).unwrap();
        for count in [0, 1, 256, 299, 301] {
            decompress(&stream, &mut vec![0.0; count]).unwrap_err();
        }
    }
}
