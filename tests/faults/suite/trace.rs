//! What the preloaded library wrote down, operation by operation.

use std::path::Path;

/// Bytes of a record before its two texts.
const HEADER_BYTES: usize = 24;

/// One operation that changed the tree, or made a change durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Open { fd: i32, path: String, folder: bool, truncate: bool },
    Write { fd: i32, offset: usize, data: Vec<u8> },
    Length { fd: i32, length: usize },
    Sync { fd: i32 },
    SyncFailed { fd: i32 },
    Close { fd: i32 },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    Remove { path: String },
    MakeFolder { path: String },
}

/// The operations in the order in which they happened. The last one is left out where the kill cut it off.
pub fn read(path: &Path) -> Vec<Operation> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while let Some((header, tail)) = rest.split_at_checked(HEADER_BYTES) {
        let number = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap());
        let wide = i64::from_ne_bytes(header[8..16].try_into().unwrap());
        let Some((first, tail)) = tail.split_at_checked(number(16) as usize) else { break };
        let Some((second, tail)) = tail.split_at_checked(number(20) as usize) else { break };
        found.push(operation(number(0), number(4).cast_signed(), wide, first, second));
        rest = tail;
    }
    found
}

fn operation(kind: u32, fd: i32, number: i64, first: &[u8], second: &[u8]) -> Operation {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let size = || usize::try_from(number).unwrap();
    match kind {
        1 => Operation::Open { fd, path: text(first), folder: number < 0, truncate: number > 0 },
        2 => Operation::Write { fd, offset: size(), data: first.to_vec() },
        3 => Operation::Length { fd, length: size() },
        4 => Operation::Sync { fd },
        5 => Operation::SyncFailed { fd },
        6 => Operation::Close { fd },
        7 => {
            assert_eq!(number, 0, "flags of a rename are not modelled");
            Operation::Rename { from: text(first), to: text(second) }
        }
        8 => Operation::Link { from: text(first), to: text(second) },
        9 => Operation::Remove { path: text(first) },
        10 => Operation::MakeFolder { path: text(first) },
        other => panic!("unknown operation {other}"),
    }
}
