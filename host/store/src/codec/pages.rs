//! Integers of a narrow range as a chunk of the `pco` library in pages, so that a part of them is decoded alone.
//!
//! The values count from their least one, in 16 or 32 bits: the library's tables are half as large as for 64 bits or less, and it
//! decodes faster. What the tables say is shared by all pages.

use std::ops::Range;

use pco::data_types::Number;
use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};
use pco::{ChunkConfig, ModeSpec, PagingSpec};

use super::CHUNK;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_signed, put_varint};

/// Values of a page: what an edge of a range costs to decode, beside about a dozen bytes that a page costs.
const PAGE_VALUES: usize = 512;

/// How wide the values are above the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 16 bits.
    Short,
    /// 32 bits.
    Long,
}

/// A type of the library's that holds the distance from the least value.
trait Narrow: Number + Into<u32> + Default {
    fn cut(distance: u64) -> Self;
}

impl Narrow for u16 {
    fn cut(distance: u64) -> Self {
        (distance & u64::from(Self::MAX)) as Self
    }
}

impl Narrow for u32 {
    fn cut(distance: u64) -> Self {
        (distance & u64::from(Self::MAX)) as Self
    }
}

/// The width that fits all values; `None` when none does.
pub(super) fn width_of(values: &[i64]) -> Option<Width> {
    match values.iter().max()?.abs_diff(*values.iter().min()?) {
        range if range <= u64::from(u16::MAX) => Some(Width::Short),
        range if range <= u64::from(u32::MAX) => Some(Width::Long),
        _ => None,
    }
}

/// Appends `values`, which fit `width`; answers whether that went well.
pub(super) fn encode(values: &[i64], width: Width, level: usize, out: &mut Vec<u8>) -> bool {
    let done = match width {
        Width::Short => put::<u16>(values, level),
        Width::Long => put::<u32>(values, level),
    };
    done.map(|bytes| out.extend_from_slice(&bytes)).is_some()
}

fn put<T: Narrow>(values: &[i64], level: usize) -> Option<Vec<u8>> {
    let origin = *values.iter().min()?;
    let narrow: Vec<T> =
        values.iter().map(|value| T::cut(value.wrapping_sub(origin).cast_unsigned())).collect();
    let sizes = page_sizes(values.len()).map(|page| page.len()).collect();
    let config = ChunkConfig::default()
        .with_compression_level(level)
        // Units of decimals are taken out before; looking for others costs more than it saves, in decoding too.
        .with_mode_spec(ModeSpec::Classic)
        .with_paging_spec(PagingSpec::Exact(sizes));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(&narrow, &config).ok()?;
    let tables = chunk.write_meta(file.write_header(Vec::new()).ok()?).ok()?;
    let pages = page_sizes(values.len())
        .enumerate()
        .map(|(place, _)| chunk.write_page(place, Vec::new()).ok())
        .collect::<Option<Vec<_>>>()?;
    let mut out = Vec::new();
    put_signed(&mut out, origin);
    put_bytes(&mut out, &tables);
    pages.iter().for_each(|page| put_varint(&mut out, page.len() as u64));
    pages.iter().for_each(|page| out.extend_from_slice(page));
    Some(out)
}

/// Appends what `map` makes of the values in the pages that have any of `wanted` among `count` values; answers which
/// values those are.
pub(super) fn decode<V>(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    width: Width,
    map: impl Fn(i64) -> V + Copy,
    out: &mut Vec<V>,
) -> Result<Range<usize>, Damage> {
    match width {
        Width::Short => read::<u16, V>(reader, count, wanted, map, out),
        Width::Long => read::<u32, V>(reader, count, wanted, map, out),
    }
}

fn read<T: Narrow, V>(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    map: impl Fn(i64) -> V + Copy,
    out: &mut Vec<V>,
) -> Result<Range<usize>, Damage> {
    let origin = reader.signed()?;
    let (file, rest) = FileDecompressor::new(reader.bytes()?).map_err(damage)?;
    let (mut chunk, _) = file.chunk_decompressor::<T, _>(rest).map_err(damage)?;
    let mut lengths = Vec::with_capacity(count.div_ceil(PAGE_VALUES));
    for _ in page_sizes(count) {
        lengths.push(usize::try_from(reader.varint()?).unwrap_or(usize::MAX));
    }
    let mut found = wanted.start..wanted.start;
    let mut page = [T::default(); PAGE_VALUES];
    for (places, length) in page_sizes(count).zip(lengths) {
        let bytes = reader.take(length)?;
        if places.start >= wanted.end || places.end <= wanted.start {
            continue;
        }
        if found.is_empty() {
            found.start = places.start;
        }
        found.end = places.end;
        let page = page.get_mut(..places.len()).unwrap_or_default();
        read_page(&mut chunk, bytes, page)?;
        out.extend(page.iter().map(|value| map(origin.wrapping_add(i64::from((*value).into())))));
    }
    Ok(found)
}

fn read_page<T: Narrow>(
    chunk: &mut ChunkDecompressor<T>,
    bytes: &[u8],
    page: &mut [T],
) -> Result<(), Damage> {
    let count = page.len();
    let progress =
        chunk.page_decompressor(bytes, count).and_then(|mut from| from.read(page)).map_err(damage)?;
    if progress.n_processed != count {
        return Err(Damage::new(CHUNK, "a compressed page has too few values"));
    }
    Ok(())
}

/// The places of each page's values among `count`.
fn page_sizes(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(PAGE_VALUES).map(move |start| start..start.saturating_add(PAGE_VALUES).min(count))
}

fn damage(error: pco::errors::PcoError) -> Damage {
    Damage::new(CHUNK, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(values: &[i64]) -> (Width, Vec<u8>) {
        let width = width_of(values).unwrap();
        let mut bytes = Vec::new();
        assert!(encode(values, width, 8, &mut bytes));
        (width, bytes)
    }

    fn walk() -> impl Strategy<Value = Vec<i64>> {
        (any::<i64>(), 1_i64..200_000, prop::collection::vec(-9_i64..9, 1..1600)).prop_map(
            |(origin, unit, steps)| {
                let sum = |state: &mut i64, step: &i64| Some(std::mem::replace(state, *state + step * unit));
                steps.iter().scan(0_i64, sum).map(|value| (origin / 2).wrapping_add(value)).collect()
            },
        )
    }

    /// The bytes of FORMAT.md.
    #[test]
    fn written_pages_stay_readable() {
        let bytes = |hex: &str| -> Vec<u8> {
            let places = (0..hex.len()).step_by(2);
            places.map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
        };
        let pages = format!("3d3d3d2f{}f8f1f8f1fff1ff31c8df17", "f8ff".repeat(20));
        let tail = "dedede2f8fff8fff8f41febe00";
        let short = format!("090e0401108102009ffe3f001c000800390f0000{pages}0000{tail}");
        let long = format!("09120401108102001fd865fe3f00182e220010003b1100000000{pages}00000000{tail}");
        for (unit, width, hex) in [(1_i64, Width::Short, short), (70_000, Width::Long, long)] {
            let wanted: Vec<i64> = (0..600_i64).map(|index| -5 + index % 4 * unit).collect();
            assert_eq!(width_of(&wanted), Some(width));
            let (stream, mut back) = (bytes(&hex), Vec::new());
            let mut reader = Reader::new(CHUNK, &stream);
            decode(&mut reader, wanted.len(), &(0..wanted.len()), width, |value| value, &mut back).unwrap();
            assert!(reader.is_done());
            assert_eq!(back, wanted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_come_back_exactly(values in walk(), one: prop::sample::Index, two: prop::sample::Index) {
            let (one, two) = (one.index(values.len()), two.index(values.len()));
            let wanted = one.min(two)..one.max(two);
            let (width, bytes) = packed(&values);
            let mut reader = Reader::new(CHUNK, &bytes);
            let mut back = Vec::new();
            let found = decode(&mut reader, values.len(), &wanted, width, |value| value, &mut back).unwrap();
            prop_assert!(reader.is_done());
            prop_assert!(wanted.is_empty() || (found.start <= wanted.start && found.end >= wanted.end));
            prop_assert_eq!(&values[found], &back[..]);
        }

        #[test]
        fn forged_bytes_are_damage_at_worst(
            values in walk(),
            place: prop::sample::Index,
            length in 0_usize..4,
            forged in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let (width, mut bytes) = packed(&values);
            let from = place.index(bytes.len());
            bytes.splice(from..(from + length).min(bytes.len()), forged);
            let mut back = Vec::new();
            let _ = decode(&mut Reader::new(CHUNK, &bytes), values.len(), &(0..values.len()), width, |value| value, &mut back);
            prop_assert!(back.len() <= values.len());
        }

        #[test]
        fn any_bytes_are_damage_at_worst(bytes: Vec<u8>, count in 0_usize..2000, long: bool) {
            let width = if long { Width::Long } else { Width::Short };
            let mut back = Vec::new();
            let _ = decode(&mut Reader::new(CHUNK, &bytes), count, &(0..count), width, |value| value, &mut back);
            prop_assert!(back.len() <= count);
        }
    }
}
