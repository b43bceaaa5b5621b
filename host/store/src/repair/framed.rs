//! Reading RocksDB's logs and manifests record by record, past what is damaged.
//!
//! They are records with a header of checksum, length and type, in blocks of 32 KiB; a long record is cut into several.
//! The layout is that of RocksDB's `db/log_format.h`.

use std::io::{self, Read};

pub(super) const BLOCK_BYTES: usize = 32 << 10;
pub(super) const HEADER_BYTES: usize = 7;

/// What stands next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A record, whole.
    Record(Vec<u8>),
    /// Something that is no record, with the byte at which it begins. Reading may go on behind it.
    Broken(u64),
}

/// Reads a file of records.
pub(super) struct FrameReader<R> {
    file: R,
    block: Vec<u8>,
    /// Where the block begins in the file, and where reading stands in it.
    start: u64,
    place: usize,
    /// The parts of a record whose end is still to come.
    parts: Option<Vec<u8>>,
}

/// One physical record of a block.
enum Piece<'a> {
    Part {
        kind: u8,
        content: &'a [u8],
        length: usize,
    },
    /// The rest of the block is empty.
    Padding,
    /// The file ends within this record, as it does where a process ended.
    Torn,
    Broken {
        length: Option<usize>,
    },
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, block: Vec::with_capacity(BLOCK_BYTES), start: 0, place: 0, parts: None }
    }

    /// The next record or the next damage; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if self.place >= self.block.len() && !self.next_block()? {
                return Ok(None);
            }
            let at = self.start.saturating_add(self.place as u64);
            let rest = self.block.get(self.place..).unwrap_or_default();
            match piece(rest, self.block.len() < BLOCK_BYTES) {
                Piece::Padding => self.place = self.block.len(),
                Piece::Torn => return Ok(None),
                Piece::Broken { length } => {
                    // Where only the content is damaged, the next header stands where the length says.
                    let next = length.and_then(|length| rest.get(length..));
                    let goes_on = next.is_some_and(|next| matches!(piece(next, false), Piece::Part { .. }));
                    self.place = match (goes_on, length) {
                        (true, Some(length)) => self.place.saturating_add(length),
                        _ => self.block.len(),
                    };
                    self.parts = None;
                    return Ok(Some(Frame::Broken(at)));
                }
                Piece::Part { kind, content, length } => {
                    let content = content.to_vec();
                    self.place = self.place.saturating_add(length);
                    if let Some(frame) = self.join(kind, content, at) {
                        return Ok(Some(frame));
                    }
                }
            }
        }
    }

    fn next_block(&mut self) -> io::Result<bool> {
        self.start = self.start.saturating_add(self.block.len() as u64);
        self.block.clear();
        self.place = 0;
        self.file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut self.block).map(|read| read > 0)
    }

    fn join(&mut self, kind: u8, content: Vec<u8>, at: u64) -> Option<Frame> {
        let before = self.parts.take();
        match (kind, before) {
            (FULL, None) => Some(Frame::Record(content)),
            (FIRST, None) => {
                self.parts = Some(content);
                None
            }
            (MIDDLE, Some(mut parts)) => {
                parts.extend(content);
                self.parts = Some(parts);
                None
            }
            (LAST, Some(mut parts)) => {
                parts.extend(content);
                Some(Frame::Record(parts))
            }
            // What RocksDB says to itself: compression, sizes of timestamps, the log before.
            (9 | 10 | 130, before) => {
                self.parts = before;
                None
            }
            _ => Some(Frame::Broken(at)),
        }
    }
}

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

fn piece(rest: &[u8], last_block: bool) -> Piece<'_> {
    let Some((header, behind)) = rest.split_first_chunk::<HEADER_BYTES>() else {
        return if last_block { Piece::Torn } else { Piece::Padding };
    };
    let [a, b, c, d, low, high, kind] = *header;
    let length = usize::from(u16::from_le_bytes([low, high]));
    if kind == 0 && length == 0 {
        return Piece::Padding;
    }
    let Some(content) = behind.get(..length) else {
        return if last_block { Piece::Torn } else { Piece::Broken { length: None } };
    };
    let length = HEADER_BYTES.saturating_add(length);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), content);
    if unmasked(u32::from_le_bytes([a, b, c, d])) == sum {
        Piece::Part { kind, content, length }
    } else {
        Piece::Broken { length: Some(length) }
    }
}

/// RocksDB stores checksums rotated and shifted.
const fn unmasked(sum: u32) -> u32 {
    sum.wrapping_sub(0xa282_ead8).rotate_right(17)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), content);
        let masked = sum.rotate_right(15).wrapping_add(0xa282_ead8);
        let length = u16::try_from(content.len()).unwrap().to_le_bytes();
        [&masked.to_le_bytes()[..], &length, &[kind], content].concat()
    }

    fn all(bytes: &[u8]) -> Vec<Frame> {
        let mut reader = FrameReader::new(bytes);
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    #[test]
    fn records_are_joined_and_damage_is_passed() {
        let bytes = [record(FIRST, b"a"), record(130, b"x"), record(LAST, b"b"), record(FULL, b"c")].concat();
        assert_eq!(all(&bytes), [Frame::Record(b"ab".to_vec()), Frame::Record(b"c".to_vec())]);
        let mut flipped = bytes.clone();
        flipped[7] ^= 1;
        let broken = [Frame::Broken(0), Frame::Broken(16), Frame::Record(b"c".to_vec())];
        assert_eq!(all(&flipped), broken, "the end of a record without its beginning is none");
        assert_eq!(all(&bytes[..bytes.len() - 1]), [Frame::Record(b"ab".to_vec())], "a torn end is an end");
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            all(&bytes);
        }
    }
}
