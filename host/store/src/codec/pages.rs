//! Integers as a chunk of the `pco` library in pages, so that a part of them is decoded alone.
//!
//! The values count from their least one, in units that all are multiples of, in as few of 16, 32 or 64 bits as hold them: the
//! library's tables are the smaller for it, and it decodes faster. What the tables say is shared by all pages.

use std::ops::Range;

use pco::data_types::Number;
use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, ModeSpec, PagingSpec};
use smallvec::SmallVec;

use super::convert::{Convert, Distance, Scale};
use super::streams::{damage, refuse_dictionary};
use super::{CHUNK, MAX_PAGES, tables};
use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// Values of a page: what an edge of a range costs to decode, beside about a dozen bytes that a page costs.
const PAGE_VALUES: usize = 512;

/// Below so many values the library's guess, from a sample, of how often to take differences is worse than trying.
const SMALL_COLUMN: usize = 1024;
/// How often differences are taken, of few values.
const ORDERS: [usize; 3] = [0, 1, 2];

/// How wide the values are above the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 16 bits.
    Short,
    /// 32 bits.
    Long,
    /// 64 bits.
    Full,
}

/// What a decoder must know of pages beside their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: Width,
    /// Whether there is a unit, and tables and lengths are short: so are those that are written now.
    pub(super) tight: bool,
}

/// The library reads that far beyond what it needs of a page, and copies what is left of its input when that is less.
const READ_AHEAD: usize = 5 * 1024;

/// A type of the library's that holds the distance from the least value.
trait Narrow: Number + Distance + Default {
    const BITS: u32;

    fn cut(distance: u64) -> Self;
}

impl Narrow for u16 {
    const BITS: u32 = Self::BITS;

    fn cut(distance: u64) -> Self {
        (distance & u64::from(Self::MAX)) as Self
    }
}

impl Narrow for u32 {
    const BITS: u32 = Self::BITS;

    fn cut(distance: u64) -> Self {
        (distance & u64::from(Self::MAX)) as Self
    }
}

impl Narrow for u64 {
    const BITS: u32 = Self::BITS;

    fn cut(distance: u64) -> Self {
        distance
    }
}

/// The width that fits all of `values` in units of `unit`; `None` when there are none.
pub(super) fn width_of(values: &[i64], unit: u64) -> Option<Width> {
    Some(match values.iter().max()?.abs_diff(*values.iter().min()?) / unit.max(1) {
        range if range <= u64::from(u16::MAX) => Width::Short,
        range if range <= u64::from(u32::MAX) => Width::Long,
        _ => Width::Full,
    })
}

/// Appends `values`, which fit `width` in units of `unit`; answers whether that went well.
pub(super) fn encode(values: &[i64], unit: u64, width: Width, level: usize, out: &mut Vec<u8>) -> bool {
    let done = match width {
        Width::Short => put::<u16>(values, unit, level, out),
        Width::Long => put::<u32>(values, unit, level, out),
        Width::Full => put::<u64>(values, unit, level, out),
    };
    done.is_some()
}

fn put<T: Narrow>(values: &[i64], unit: u64, level: usize, out: &mut Vec<u8>) -> Option<()> {
    let origin = *values.iter().min()?;
    let unit = unit.max(1);
    let distance = |value: &i64| T::cut(value.wrapping_sub(origin).cast_unsigned() / unit);
    let narrow: Vec<T> = values.iter().map(distance).collect();
    let packed = if narrow.len() < SMALL_COLUMN {
        let tried = ORDERS.iter().filter_map(|order| pack(&narrow, level, DeltaSpec::TryConsecutive(*order)));
        tried.min_by_key(Vec::len)?
    } else {
        pack(&narrow, level, DeltaSpec::Auto)?
    };
    put_signed(out, origin);
    put_varint(out, unit);
    out.extend_from_slice(&packed);
    Some(())
}

/// Tables, lengths of pages and pages.
fn pack<T: Narrow>(narrow: &[T], level: usize, differences: DeltaSpec) -> Option<Vec<u8>> {
    let sizes = page_sizes(narrow.len()).map(|page| page.len()).collect();
    let config = ChunkConfig::default()
        .with_compression_level(level)
        // Units are taken out before; looking for others costs more than it saves, in decoding too.
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(differences)
        .with_paging_spec(PagingSpec::Exact(sizes));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(narrow, &config).ok()?;
    let library = chunk.write_meta(file.write_header(Vec::new()).ok()?).ok()?;
    let pages = page_sizes(narrow.len())
        .enumerate()
        .map(|(place, _)| chunk.write_page(place, Vec::new()).ok())
        .collect::<Option<Vec<_>>>()?;
    let mut out = Vec::new();
    tables::put(chunk.meta(), &library, &mut out);
    let mut before = 0_i64;
    for length in pages.iter().map(|page| page.len().cast_signed() as i64) {
        put_signed(&mut out, length.wrapping_sub(before));
        before = length;
    }
    pages.iter().for_each(|page| out.extend_from_slice(page));
    Some(out)
}

/// Appends what `convert` makes of the values in the pages that have any of `wanted` among `count` values; answers which
/// values those are.
pub(super) fn decode<C: Convert>(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    layout: Layout,
    convert: C,
    out: &mut Vec<C::Value>,
) -> Result<Range<usize>, Damage> {
    match layout.width {
        Width::Short => read::<u16, C>(reader, count, (wanted, layout.tight), convert, out),
        Width::Long => read::<u32, C>(reader, count, (wanted, layout.tight), convert, out),
        Width::Full => read::<u64, C>(reader, count, (wanted, layout.tight), convert, out),
    }
}

fn read<T: Narrow, C: Convert>(
    reader: &mut Reader<'_>,
    count: usize,
    (wanted, tight): (&Range<usize>, bool),
    convert: C,
    out: &mut Vec<C::Value>,
) -> Result<Range<usize>, Damage> {
    let origin = reader.signed()?;
    let unit = if tight { reader.varint()? } else { 1 };
    let expanded;
    let library = if tight {
        expanded = tables::read(reader, T::BITS)?;
        &expanded
    } else {
        reader.bytes()?
    };
    let (file, rest) = FileDecompressor::new(library).map_err(damage)?;
    refuse_dictionary(rest)?;
    let (mut chunk, _) = file.chunk_decompressor::<T, _>(rest).map_err(damage)?;
    let found = WantedPages::read(reader, count, wanted, tight)?;
    let mut bytes = found.bytes.as_slice();
    let mut page = [T::default(); PAGE_VALUES];
    for (places, length) in &found.pages {
        let page = page.get_mut(..places.len()).unwrap_or_default();
        read_page(&mut chunk, &mut bytes, *length, page)?;
        convert.extend(page, Scale { origin, unit }, out);
    }
    Ok(found.places)
}

/// The pages that are decoded, one behind the other.
struct WantedPages {
    /// The places of all their values.
    places: Range<usize>,
    /// The places of each one's values, and how many bytes it has.
    pages: SmallVec<[(Range<usize>, usize); MAX_PAGES]>,
    /// Their bytes, and [`READ_AHEAD`] zeros.
    bytes: Vec<u8>,
}

impl WantedPages {
    /// Reads lengths and pages, and keeps those that have any of `wanted` among `count` values.
    fn read(
        reader: &mut Reader<'_>,
        count: usize,
        wanted: &Range<usize>,
        tight: bool,
    ) -> Result<Self, Damage> {
        let mut lengths = SmallVec::<[usize; MAX_PAGES]>::new();
        let mut before = 0_i64;
        for _ in page_sizes(count) {
            let length = if tight {
                before = before.wrapping_add(reader.signed()?);
                before.cast_unsigned()
            } else {
                reader.varint()?
            };
            lengths.push(usize::try_from(length).unwrap_or(usize::MAX));
        }
        let mut found =
            Self { places: wanted.start..wanted.start, pages: SmallVec::new(), bytes: Vec::new() };
        for (places, length) in page_sizes(count).zip(lengths) {
            let bytes = reader.take(length)?;
            if places.start >= wanted.end || places.end <= wanted.start {
                continue;
            }
            if found.pages.is_empty() {
                found.places.start = places.start;
                found.bytes.reserve(reader.rest().len().saturating_add(length).saturating_add(READ_AHEAD));
            }
            found.places.end = places.end;
            found.bytes.extend_from_slice(bytes);
            found.pages.push((places, length));
        }
        found.bytes.resize(found.bytes.len().saturating_add(READ_AHEAD), 0);
        Ok(found)
    }
}

/// Fills `page` from as many of `bytes` as `length` says, and goes on behind them.
fn read_page<T: Narrow>(
    chunk: &mut ChunkDecompressor<T>,
    bytes: &mut &[u8],
    length: usize,
    page: &mut [T],
) -> Result<(), Damage> {
    let mut from = chunk.page_decompressor(*bytes, page.len()).map_err(damage)?;
    let progress = from.read(page).map_err(damage)?;
    let rest = from.into_src();
    if progress.n_processed != page.len() {
        return Err(Damage::new(CHUNK, "a compressed page has too few values"));
    }
    if bytes.len().checked_sub(rest.len()) != Some(length) {
        return Err(Damage::new(CHUNK, "a compressed page is not as long as it says"));
    }
    *bytes = rest;
    Ok(())
}

/// The places of each page's values among `count`.
fn page_sizes(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(PAGE_VALUES).map(move |start| start..start.saturating_add(PAGE_VALUES).min(count))
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
