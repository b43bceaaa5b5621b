//! The decoders of chunks and their columns, and of the columns of rollups.

use std::fmt::Debug;
use std::ops::Range;

use telemetry_core::{MetricValue, limits};

use super::convert::Unchanged;
use super::texts::{self, Texts};
use super::*;
use crate::column::ValueColumn;
use crate::error::Damage;
use crate::fuzz::Decoder;
use crate::wire::{Reader, put_varint};

/// Columns of the most samples, as often as a check holds them at once: decoded, as parts, encoded with every effort, as text.
const COLUMNS_BYTES: u64 = 16 << 20;
/// A chunk's texts, all of the greatest length, as often.
const TEXTS_BYTES: u64 = limits::MAX_CHUNK_TEXT_BYTES as u64 * 8;
/// `pco` is tried on columns up to here: it takes a millisecond for the longest ones.
const COMPACT_VALUES: usize = 1024;
const MINUTE: i64 = 60_000_000_000;

pub(crate) fn decoders() -> [Decoder; 7] {
    [
        Decoder::new("chunk", read_chunk, chunks).allowed(TEXTS_BYTES),
        Decoder::new("header", read_header, headers),
        Decoder::new("integers", read_integers, integer_columns).allowed(COLUMNS_BYTES),
        Decoder::new("floats", read_floats, float_columns).allowed(COLUMNS_BYTES),
        Decoder::new("times", read_times, time_columns).allowed(COLUMNS_BYTES),
        Decoder::new("texts", read_texts, text_columns).allowed(TEXTS_BYTES),
        Decoder::new("rollup", read_rollup, rollup_columns).allowed(COLUMNS_BYTES),
    ]
}

/// The number of values, in the first two bytes, and the column's bytes.
fn sized(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (size, column) = bytes.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*size)) % (limits::MAX_CHUNK_SAMPLES + 1), column))
}

fn with_size(count: usize, encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = u16::try_from(count).expect("columns are short").to_le_bytes().to_vec();
    encode(&mut bytes);
    bytes
}

fn efforts(count: usize) -> impl Iterator<Item = Effort> {
    [Effort::Seal, Effort::Compact]
        .into_iter()
        .filter(move |effort| *effort == Effort::Seal || count <= COMPACT_VALUES)
}

fn alike<T: Debug>(found: &T, wanted: &T) {
    assert_eq!(format!("{found:?}"), format!("{wanted:?}"));
}

/// A part of a column is what the whole column has there.
fn check_part<T: Debug>(whole: &[T], part: &[T], found: &Range<usize>, wanted: &Range<usize>) {
    assert!(
        wanted.is_empty() || (found.start <= wanted.start && wanted.end <= found.end),
        "{found:?} of {wanted:?}"
    );
    alike(&part, &whole.get(found.clone()).expect("it lies in the column"));
}

fn read_integers(bytes: &[u8]) {
    let Some((count, column)) = sized(bytes) else { return };
    let mut values = Vec::new();
    if integers::decode(&mut Reader::new(CHUNK, column), count, &mut values).is_err() {
        return;
    }
    assert_eq!(values.len(), count);
    let (wanted, mut part) = (count / 3..count - count / 4, Vec::new());
    let mut reader = Reader::new(CHUNK, column);
    let found = integers::decode_within(&mut reader, count, &wanted, Unchanged, &mut part);
    check_part(&values, &part, &found.expect("the whole column can be read"), &wanted);
    for effort in efforts(count) {
        let (mut again, mut back) = (Vec::new(), Vec::new());
        integers::encode(&values, effort, &mut again);
        let mut reader = Reader::new(CHUNK, &again);
        integers::decode(&mut reader, count, &mut back).expect("it was just encoded");
        assert!(reader.is_done() && back == values);
    }
}

fn integer_columns() -> Vec<Vec<u8>> {
    let column = |effort, count: i64, value: fn(i64) -> i64| {
        let values: Vec<i64> = (0..count).map(value).collect();
        with_size(values.len(), |out| integers::encode(&values, effort, out))
    };
    let mixed = |n: i64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    vec![
        column(Effort::Seal, 1000, |_| 42),
        column(Effort::Seal, 1000, |n| n * 10),
        column(Effort::Seal, 300, |n| n * n % 97),
        column(Effort::Seal, 300, |n| n * 1000 + n * n % 7),
        column(Effort::Seal, 200, |n| n * 7919 % 200 * 4096),
        column(Effort::Seal, 70, mixed),
        column(Effort::Compact, 700, |n| n * n % 97),
        column(Effort::Compact, 700, |n| n * n % 97 * 70_000),
        column(Effort::Compact, 200, |n| (n * n % 97) << 40),
        with_size(3, |out| out.extend(std::iter::once(6).chain([1; 24]))),
    ]
}

fn read_floats(bytes: &[u8]) {
    let Some((count, column)) = sized(bytes) else { return };
    let mut values = Vec::new();
    if floats::decode(&mut Reader::new(CHUNK, column), count, &mut values).is_err() {
        return;
    }
    assert_eq!(values.len(), count);
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let (wanted, mut part) = (count / 3..count - count / 4, Vec::new());
    let found = floats::decode_within(&mut Reader::new(CHUNK, column), count, &wanted, &mut part);
    check_part(&bits(&values), &bits(&part), &found.expect("the whole column can be read"), &wanted);
    for effort in efforts(count) {
        let (mut again, mut back) = (Vec::new(), Vec::new());
        floats::encode(&values, effort, &mut again);
        let mut reader = Reader::new(CHUNK, &again);
        floats::decode(&mut reader, count, &mut back).expect("it was just encoded");
        assert!(reader.is_done() && bits(&back) == bits(&values));
    }
}

fn float_columns() -> Vec<Vec<u8>> {
    let column = |effort, count: i64, value: fn(i64) -> f64| {
        let values: Vec<f64> = (0..count).map(value).collect();
        with_size(values.len(), |out| floats::encode(&values, effort, out))
    };
    let odd = |n: i64| if n % 50 == 7 { f64::NAN } else { (n * 7919 % 256) as f64 / 100.0 };
    vec![
        column(Effort::Seal, 200, |n| n as f64 / 100.0),
        column(Effort::Seal, 200, odd),
        column(Effort::Seal, 60, |n| (n as f64).sqrt()),
        column(Effort::Seal, 60, |_| -0.0),
        column(Effort::Compact, 200, |n| (n as f64).sqrt()),
        column(Effort::Compact, 600, odd),
    ]
}

/// Behind the size, the first and the last time.
fn read_times(bytes: &[u8]) {
    let Some((count, rest)) = sized(bytes) else { return };
    let Some((first, rest)) = rest.split_first_chunk::<8>() else { return };
    let Some((last, block)) = rest.split_first_chunk::<8>() else { return };
    let ends = (i64::from_le_bytes(*first), i64::from_le_bytes(*last));
    let mut found = Vec::new();
    let mut reader = Reader::new(CHUNK, block);
    if times::decode(&mut reader, count, ends, &mut found).is_err() || !reader.is_done() {
        return;
    }
    assert_eq!(found.len(), count);
    let (Some(first), Some(last)) = (found.first().copied(), found.last().copied()) else { return };
    if let Some(even) = times::Even::read(block, count, first, last) {
        let mut all = Vec::new();
        even.put(0..count, &mut all);
        assert_eq!(all, found);
    }
    if !found.is_sorted() {
        return;
    }
    for effort in efforts(count) {
        let (mut again, mut back) = (Vec::new(), Vec::new());
        times::encode(&found, effort, &mut again);
        let mut reader = Reader::new(CHUNK, &again);
        times::decode(&mut reader, count, (first, last), &mut back).expect("it was just encoded");
        assert!(reader.is_done() && back == found);
    }
}

fn time_columns() -> Vec<Vec<u8>> {
    let column = |effort, count: i64, time: fn(i64) -> i64| {
        let column: Vec<i64> = (0..count).map(time).collect();
        with_size(column.len(), |out| {
            out.extend_from_slice(&column[0].to_le_bytes());
            out.extend_from_slice(&column[column.len() - 1].to_le_bytes());
            times::encode(&column, effort, out);
        })
    };
    vec![
        column(Effort::Seal, 100, |n| n * 10_000_000_000),
        column(Effort::Seal, 100, |n| n * 10_000_000_000 + n * n % 97 * 1_000_000),
        column(Effort::Compact, 600, |n| n * 10_000_000_000 + n * n % 97 * 1_000_000),
        column(Effort::Seal, 50, |n| n / 3),
    ]
}

fn read_texts(bytes: &[u8]) {
    let Some((count, column)) = sized(bytes) else { return };
    let Ok(found) = Texts::decode(&mut Reader::new(CHUNK, column), count) else { return };
    let Ok(values) = found.iter().collect::<Result<Vec<&str>, Damage>>() else { return };
    assert_eq!(values.len(), count);
    let copied: Vec<Box<str>> = values.iter().map(|text| Box::from(*text)).collect();
    for effort in efforts(count) {
        let mut again = Vec::new();
        texts::encode(&values, effort, &mut again).expect("a column that was decoded is not too long");
        let mut reader = Reader::new(CHUNK, &again);
        let back = Texts::decode(&mut reader, count).expect("it was just encoded");
        assert!(reader.is_done() && back.iter().eq(copied.iter().map(|text| Ok(&**text))));
    }
}

fn text_columns() -> Vec<Vec<u8>> {
    let column = |effort, values: &[&str]| {
        with_size(values.len(), |out| texts::encode(values, effort, out).expect("it is short"))
    };
    let long = "running away ".repeat(40);
    vec![
        column(Effort::Seal, &["on", "off", "on", "", "é"]),
        column(Effort::Seal, &[&long, "x", &long]),
        column(Effort::Compact, &["on", "off"].repeat(100)),
    ]
}

/// Buckets of a minute or an hour, as the first byte says.
fn read_rollup(bytes: &[u8]) {
    let Some((width, columns)) = bytes.split_first() else { return };
    let width = if *width % 2 == 0 { MINUTE } else { 60 * MINUTE };
    for start in [0, width * 1440, i64::MAX / width * width] {
        for form in [RollupForm::Floats, RollupForm::Related] {
            let Ok(buckets) = decode_rollup(columns, form, start, width) else { continue };
            let mut again = Vec::new();
            encode_rollup(&buckets, start, width, &mut again);
            let back = decode_rollup(&again, RollupForm::Related, start, width);
            alike(&back.expect("it was just encoded"), &buckets);
        }
    }
}

fn rollup_columns() -> Vec<Vec<u8>> {
    let row = |count: i64, value: fn(i64) -> f64| {
        let buckets: Vec<_> = (0..count)
            .filter_map(|n| digest_of((0..3).map(|m| (n * MINUTE + m * 1_000_000_000, value(n + m)))))
            .collect();
        let mut out = vec![0];
        encode_rollup(&buckets, 0, MINUTE, &mut out);
        out
    };
    vec![row(60, |n| n as f64), row(20, |n| n as f64 / 100.0), row(5, |n| (n as f64).sqrt()), row(0, |_| 0.0)]
}

/// What `bytes` are as a chunk once the header's lengths and both checksums are right: a chunk stays as it is.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let (version, fields) = bytes.split_first()?;
    let mut reader = Reader::new(CHUNK, fields);
    let mut header = ChunkHeader::read_fields(&mut reader, *version).ok()?;
    let (_, blocks) = reader.rest().split_first_chunk::<4>()?;
    let (blocks, _) = blocks.split_last_chunk::<4>()?;
    header.time_bytes = header.time_bytes.min(blocks.len());
    header.value_bytes = blocks.len() - header.time_bytes;
    let mut chunk = Vec::new();
    header.put(&mut chunk);
    chunk.extend_from_slice(blocks);
    chunk.extend_from_slice(&crc32c::crc32c(blocks).to_le_bytes());
    Some(chunk)
}

fn read_chunk(bytes: &[u8]) {
    let _ = decode(bytes, &mut Vec::new(), &mut ValueColumn::default());
    let Some(chunk) = mended(bytes) else { return };
    let (mut times, mut values) = (Vec::new(), ValueColumn::default());
    let everything = (i64::MIN, i64::MAX);
    let (mut number_times, mut numbers, mut text_times) = (Vec::new(), Vec::new(), Vec::new());
    let numeric = decode_numeric(&chunk, everything, &mut number_times, &mut numbers, &mut text_times);
    let Ok(header) = decode(&chunk, &mut times, &mut values) else { return };
    assert_eq!((times.len(), values.len()), (header.count as usize, header.count as usize));
    alike(&numeric.expect("the whole chunk can be read").header, &header);
    let wanted: Vec<(i64, u64)> =
        pairs(&times, &values).map(|(time, number)| (time, number.to_bits())).collect();
    assert_eq!(joined(&number_times, &numbers), wanted);
    assert_eq!(text_times.len(), values.len() - wanted.len());
    let mut times_alone = Vec::new();
    decode_times(&chunk, &mut times_alone).expect("the whole chunk can be read");
    assert_eq!(times_alone, times);
    if times.is_sorted() {
        check_range(&chunk, &wanted);
        let again = encode(&times, &values, Effort::Seal, header.sealed_sequence).expect("it was a chunk");
        let (mut back_times, mut back) = (Vec::new(), ValueColumn::default());
        decode(&again, &mut back_times, &mut back).expect("it was just encoded");
        assert_eq!(back_times, times);
        alike(&back, &values);
    }
}

fn pairs<'a>(times: &'a [i64], values: &'a ValueColumn) -> impl Iterator<Item = (i64, f64)> + 'a {
    times.iter().enumerate().filter_map(|(place, time)| Some((*time, values.number(place)?)))
}

fn joined(times: &[i64], numbers: &[f64]) -> Vec<(i64, u64)> {
    assert_eq!(times.len(), numbers.len());
    times.iter().copied().zip(numbers.iter().map(|number| number.to_bits())).collect()
}

/// A range of a chunk has all numbers that the whole has there, and no others than the whole has.
fn check_range(chunk: &[u8], whole: &[(i64, u64)]) {
    let at = |place: usize| whole.get(place).map_or(0, |pair| pair.0);
    let (first, last) = (at(whole.len() / 3), at(whole.len() / 2));
    let (mut times, mut numbers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    decode_numeric(chunk, (first, last), &mut times, &mut numbers, &mut texts)
        .expect("the whole can be read");
    let within = |pair: &&(i64, u64)| first <= pair.0 && pair.0 <= last;
    let found = joined(&times, &numbers);
    let wanted: Vec<_> = whole.iter().filter(within).collect();
    assert_eq!(found.iter().filter(within).collect::<Vec<_>>(), wanted);
    assert!(found.len() <= whole.len());
}

fn chunks() -> Vec<Vec<u8>> {
    let chunk = |effort, count: i64, value: fn(i64) -> MetricValue| {
        let mut values = ValueColumn::default();
        (0..count).for_each(|n| values.push(&value(n)));
        let times: Vec<i64> = (0..count).map(|n| n * 10_000_000_000 + n % 5 * 1_000_000).collect();
        encode(&times, &values, effort, 77).expect("it is a chunk")
    };
    let mixed = |n: i64| match n % 3 {
        0 => MetricValue::Integer(n),
        1 => MetricValue::Float(n as f64 / 8.0),
        _ => MetricValue::Text(format!("state {}", n % 4).into()),
    };
    let even: Vec<i64> = (0..90).map(|n| 7 + n * 1_000_000_000).collect();
    vec![
        chunk(Effort::Seal, 50, |n| MetricValue::Float(n as f64 / 100.0)),
        chunk(Effort::Seal, 50, |n| MetricValue::Integer(n * n % 97)),
        chunk(Effort::Seal, 40, |n| MetricValue::Text(format!("state {}", n % 4).into())),
        chunk(Effort::Seal, 40, mixed),
        chunk(Effort::Compact, 600, |n| MetricValue::Integer(n * n % 97)),
        chunk(Effort::Compact, 300, |n| MetricValue::Float((n as f64).sqrt())),
        chunk(Effort::Compact, 600, mixed),
        encode(&even, &ValueColumn::Float(vec![-0.0; 90]), Effort::Seal, 1).expect("it is a chunk"),
    ]
}

/// The version, then the fields; of version 1 they are all that is needed.
fn read_header(bytes: &[u8]) {
    let _ = ChunkHeader::read(bytes);
    let Some((version, rest)) = bytes.split_first() else { return };
    let mut reader = Reader::new(CHUNK, rest);
    let Ok(header) = ChunkHeader::read_fields(&mut reader, *version) else { return };
    let blocks = header.time_bytes.saturating_add(header.value_bytes);
    // A header that says of texts beside numbers that there are none does not come back: no encoder writes it.
    if blocks > 1 << 16 || (header.text_count > 0) != (header.lanes & header::TEXTS != 0) {
        return;
    }
    let mut again = Vec::new();
    header.put(&mut again);
    again.resize(again.len() + blocks + 4, 0);
    alike(&ChunkHeader::read(&again).expect("it was just encoded"), &header);
}

fn headers() -> Vec<Vec<u8>> {
    let fields = |chunk: Vec<u8>| {
        let mut reader = Reader::new(CHUNK, &chunk[1..]);
        ChunkHeader::read_fields(&mut reader, chunk[0]).expect("it is a chunk");
        chunk[..chunk.len() - reader.rest().len()].to_vec()
    };
    let mut forged = vec![1, header::FLOATS];
    put_varint(&mut forged, limits::MAX_CHUNK_SAMPLES as u64);
    forged.resize(120, 0xFF);
    chunks().into_iter().map(fields).chain([forged]).collect()
}
