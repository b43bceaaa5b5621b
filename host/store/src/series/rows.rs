//! Keys of the series rows of a metrics partition.
//!
//! | key | value |
//! |---|---|
//! | `20` series u32 | definition |
//! | `22` metric name | posting list; with an empty name: all series of the partition, present only while the lists are complete |
//! | `23` label length u16, label, value | posting list |
//! | `24` hash u64 of name, context and overflow mark | series u32 |

use telemetry_core::SeriesKey;
use xxhash_rust::xxh3::Xxh3;

use crate::envelope;
use crate::error::Damage;
use crate::wire::Reader;

const DEFINITION: u8 = 0x20;
const NAME_POSTINGS: u8 = 0x22;
const LABEL_POSTINGS: u8 = 0x23;
const BY_KEY: u8 = 0x24;
const VERSION: u8 = 1;

/// Key of the row whose presence says that the posting rows are complete.
pub(super) const COMPLETE_KEY: [u8; 1] = [NAME_POSTINGS];

/// Key of a series' definition.
pub(super) fn definition_key(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [DEFINITION, a, b, c, d]
}

/// The series of a definition's key.
pub(super) fn id_of_definition(key: &[u8]) -> Result<u32, Damage> {
    match key {
        [DEFINITION, a, b, c, d] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(Damage::new("series definition", "its key has the wrong length")),
    }
}

/// Bounds of all definitions' keys.
pub(super) fn definition_bounds() -> (Vec<u8>, Vec<u8>) {
    (vec![DEFINITION], vec![DEFINITION + 1])
}

/// Bounds of all posting rows' keys.
pub(super) fn posting_bounds() -> (Vec<u8>, Vec<u8>) {
    (vec![NAME_POSTINGS], vec![LABEL_POSTINGS + 1])
}

/// Key of the series of a metric.
pub(super) fn name_key(name: &str) -> Vec<u8> {
    [&[NAME_POSTINGS], name.as_bytes()].concat()
}

/// Key of the series whose label has this text.
pub(super) fn label_key(label: &str, value: &str) -> Vec<u8> {
    // A label is part of a context, which is far shorter than the length can say.
    let length = u16::try_from(label.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[LABEL_POSTINGS], &length[..], label.as_bytes(), value.as_bytes()].concat()
}

/// What a posting row is about.
pub(super) enum PostingKey<'a> {
    /// All series of the partition.
    All,
    /// The series of a metric.
    Name(&'a str),
    /// The series whose label has a text.
    Label(&'a str, &'a str),
}

impl<'a> PostingKey<'a> {
    /// Reads a posting row's key.
    pub(super) fn read(key: &'a [u8]) -> Result<Self, Damage> {
        let text = |bytes: &'a [u8]| {
            std::str::from_utf8(bytes).map_err(|_| Damage::new("posting list", "its key is not UTF-8"))
        };
        let mut reader = Reader::new("posting list", key);
        match reader.byte()? {
            NAME_POSTINGS if reader.is_done() => Ok(Self::All),
            NAME_POSTINGS => text(reader.rest()).map(Self::Name),
            _ => {
                let length = u16::from_be_bytes(reader.array()?);
                Ok(Self::Label(text(reader.take(usize::from(length))?)?, text(reader.rest())?))
            }
        }
    }
}

/// Key of the row that finds a series by what it is called.
pub(super) fn by_key(key: &SeriesKey, overflow: bool) -> [u8; 9] {
    let mut hasher = Xxh3::new();
    hasher.update(&(key.name.len() as u64).to_le_bytes());
    hasher.update(key.name.as_bytes());
    hasher.update(key.context.as_str().as_bytes());
    hasher.update(&[u8::from(overflow)]);
    let [a, b, c, d, e, f, g, h] = hasher.digest().to_be_bytes();
    [BY_KEY, a, b, c, d, e, f, g, h]
}

/// Bounds of all [`by_key`] rows' keys.
pub(super) fn by_key_bounds() -> (Vec<u8>, Vec<u8>) {
    (vec![BY_KEY], vec![BY_KEY + 1])
}

/// Whether a key is a [`by_key`] row's.
pub(super) fn is_by_key(key: &[u8]) -> bool {
    key.len() == 9 && key.first() == Some(&BY_KEY)
}

/// The value of a [`by_key`] row.
pub(super) fn series_number(id: u32) -> Vec<u8> {
    envelope::wrap(VERSION, &id.to_be_bytes())
}

/// Reads the value of a [`by_key`] row.
pub(super) fn read_series_number(value: &[u8]) -> Result<u32, Damage> {
    let what = "series by key";
    let mut reader = Reader::new(what, envelope::open(what, VERSION, value)?);
    let id = u32::from_be_bytes(reader.array()?);
    reader.finish()?;
    Ok(id)
}
