//! A whole chunk: header, time block, value block, checksum of both blocks.

use std::ops::Range;

use smallvec::SmallVec;
use telemetry_core::{MetricValue, limits};

use super::decimals::Divisors;
use super::header::{ChunkHeader, FLOATS, INTEGERS, TEXTS};
use super::texts::{self, Texts};
use super::times::Even;
use super::{CHUNK, Effort, MAX_PAGES, PAGE_SAMPLES, digest, floats, integers, times};
use crate::column::ValueColumn;
use crate::error::Damage;
use crate::wire::Reader;

/// The kinds of value in a mixed chunk's column of kinds.
const FLOAT: i64 = 0;
const INTEGER: i64 = 1;
const TEXT: i64 = 2;

/// The chunk of `values` measured at `times`, which ascend; values of one instant keep their order.
/// Fails when the columns do not fit together or exceed the limits of a chunk.
pub(crate) fn encode(
    times: &[i64],
    values: &ValueColumn,
    effort: Effort,
    sealed_sequence: u64,
) -> Result<Vec<u8>, Damage> {
    check_columns(times, values.len())?;
    let (Some(first_time), Some(last_time)) = (times.first(), times.last()) else {
        return Err(Damage::new(CHUNK, "a chunk has at least one sample"));
    };
    let (mut time_block, mut value_block) = (Vec::new(), Vec::new());
    times::encode(times, effort, &mut time_block);
    let (lanes, text_count) = put_values(values, effort, &mut value_block)?;
    let numbers = times.iter().enumerate().filter_map(|(index, time)| Some((*time, values.number(index)?)));
    let header = ChunkHeader {
        count: times.len() as u32,
        text_count: text_count as u32,
        first_time: *first_time,
        last_time: *last_time,
        sealed_sequence,
        digest: digest::digest_of(numbers),
        lanes,
        time_bytes: time_block.len(),
        value_bytes: value_block.len(),
    };
    let mut chunk = Vec::with_capacity(time_block.len() + value_block.len() + 96);
    header.put(&mut chunk);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&time_block), &value_block);
    chunk.append(&mut time_block);
    chunk.append(&mut value_block);
    chunk.extend_from_slice(&sum.to_le_bytes());
    Ok(chunk)
}

/// All samples of a chunk, exactly as they were encoded. Replaces what `times` and `values` held.
pub(crate) fn decode(
    chunk: &[u8],
    times: &mut Vec<i64>,
    values: &mut ValueColumn,
) -> Result<ChunkHeader, Damage> {
    let (header, mut reader) = blocks(chunk, times)?;
    let count = header.count as usize;
    *values = match header.lanes {
        FLOATS => {
            let mut numbers = Vec::with_capacity(count);
            floats::decode(&mut reader, count, &mut numbers)?;
            ValueColumn::Float(numbers)
        }
        INTEGERS => {
            let mut numbers = Vec::with_capacity(count);
            integers::decode(&mut reader, count, &mut numbers)?;
            ValueColumn::Integer(numbers)
        }
        _ => ValueColumn::Mixed(Lanes::decode(&mut reader, &header)?.values()?),
    };
    reader.finish()?;
    Ok(header)
}

/// What was decoded of a chunk's numbers.
#[derive(Debug)]
pub(crate) struct DecodedPart {
    /// The chunk's header.
    pub(crate) header: ChunkHeader,
    /// Which of the chunk's samples they are; `None` when it has texts or several kinds of values.
    pub(crate) places: Option<Range<usize>>,
    /// The time of every sample of the chunk, when they are even.
    pub(crate) even: Option<Even>,
    /// Else the time of the first sample of each page, where `places` are known.
    pub(crate) page_starts: SmallVec<[i64; MAX_PAGES]>,
}

impl DecodedPart {
    fn whole(header: ChunkHeader) -> Self {
        Self { header, places: None, even: None, page_starts: SmallVec::new() }
    }
}

/// The numeric samples of a chunk, integers as doubles, and the times of its texts. Replaces what the columns held. All
/// samples from the first to the second of `within` are among them; others may be left out.
pub(crate) fn decode_numeric(
    chunk: &[u8],
    within: (i64, i64),
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
    text_times: &mut Vec<i64>,
) -> Result<DecodedPart, Damage> {
    values.clear();
    text_times.clear();
    times.clear();
    let (header, time_block, mut reader) = split(chunk)?;
    let (count, first, last) = (header.count as usize, header.first_time, header.last_time);
    if matches!(header.lanes, FLOATS | INTEGERS)
        && let Some(even) = Even::read(time_block, count, first, last)
    {
        let found = numbers(&mut reader, &header, &whole_pages(even.places(within), count), values)?;
        even.put(found.clone(), times);
        return Ok(DecodedPart { places: Some(found), even: Some(even), ..DecodedPart::whole(header) });
    }
    read_times(&header, time_block, times)?;
    let mut part = DecodedPart::whole(header);
    let header = &part.header;
    match header.lanes {
        FLOATS | INTEGERS => {
            let found = numbers(&mut reader, header, &whole_pages(places(times, within), count), values)?;
            part.page_starts = times.iter().step_by(PAGE_SAMPLES).copied().collect();
            cut(times, &found);
            part.places = Some(found);
        }
        TEXTS => text_times.append(times),
        _ => {
            let lanes = Lanes::decode(&mut reader, header)?;
            lanes.numbers(values)?;
            let mut kinds = lanes.kinds.iter();
            times.retain(|time| {
                let numeric = kinds.next() != Some(&TEXT);
                if !numeric {
                    text_times.push(*time);
                }
                numeric
            });
        }
    }
    Ok(part)
}

/// Appends the numbers at `wanted`, perhaps with others, of a chunk that has nothing but floats or integers; answers which.
fn numbers(
    reader: &mut Reader<'_>,
    header: &ChunkHeader,
    wanted: &Range<usize>,
    values: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let count = header.count as usize;
    if header.lanes == FLOATS {
        floats::decode_within(reader, count, wanted, values)
    } else {
        integers::decode_within(reader, count, wanted, Divisors::NONE, values)
    }
}

fn places(times: &[i64], (first, last): (i64, i64)) -> Range<usize> {
    let start = times.partition_point(|time| *time < first);
    start..times.partition_point(|time| *time <= last).max(start)
}

/// The pages that have any of the places.
fn whole_pages(places: Range<usize>, count: usize) -> Range<usize> {
    if places.is_empty() {
        return places;
    }
    places.start / PAGE_SAMPLES * PAGE_SAMPLES..places.end.next_multiple_of(PAGE_SAMPLES).min(count)
}

fn cut(times: &mut Vec<i64>, places: &Range<usize>) {
    times.truncate(places.end);
    times.drain(..places.start.min(times.len()));
}

/// The times of all samples of a chunk. Replaces what `times` held.
pub(crate) fn decode_times(chunk: &[u8], times: &mut Vec<i64>) -> Result<ChunkHeader, Damage> {
    blocks(chunk, times).map(|(header, _)| header)
}

fn check_columns(times: &[i64], values: usize) -> Result<(), Damage> {
    if times.len() != values {
        Err(Damage::new(CHUNK, format!("{} times do not fit {values} values", times.len())))
    } else if values > limits::MAX_CHUNK_SAMPLES {
        Err(Damage::new(CHUNK, format!("{values} samples are too many")))
    } else if !times.is_sorted() {
        Err(Damage::new(CHUNK, "its times do not ascend"))
    } else {
        Ok(())
    }
}

/// Checks the chunk, fills `times`, and answers a reader of the value block.
fn blocks<'a>(chunk: &'a [u8], times: &mut Vec<i64>) -> Result<(ChunkHeader, Reader<'a>), Damage> {
    times.clear();
    let (header, time_block, reader) = split(chunk)?;
    read_times(&header, time_block, times)?;
    Ok((header, reader))
}

/// Checks the chunk; answers its time block, and a reader of its value block.
fn split(chunk: &[u8]) -> Result<(ChunkHeader, &[u8], Reader<'_>), Damage> {
    let (header, rest) = ChunkHeader::split(chunk)?;
    let mut reader = Reader::new(CHUNK, rest);
    let time_block = reader.take(header.time_bytes)?;
    let value_block = reader.take(header.value_bytes)?;
    let sum = u32::from_le_bytes(reader.array()?);
    reader.finish()?;
    if sum != crc32c::crc32c_append(crc32c::crc32c(time_block), value_block) {
        return Err(Damage::new(CHUNK, "its blocks' checksum does not match"));
    }
    Ok((header, time_block, Reader::new(CHUNK, value_block)))
}

/// Appends the times of a chunk to the empty `times`.
fn read_times(header: &ChunkHeader, block: &[u8], times: &mut Vec<i64>) -> Result<(), Damage> {
    let mut reader = Reader::new(CHUNK, block);
    times::decode(&mut reader, header.count as usize, (header.first_time, header.last_time), times)?;
    reader.finish()?;
    if times.len() != header.count as usize
        || times.first() != Some(&header.first_time)
        || times.last() != Some(&header.last_time)
    {
        return Err(Damage::new(CHUNK, "its times do not fit its header"));
    }
    Ok(())
}

/// Appends the value block; answers the lanes in it and the number of texts.
fn put_values(values: &ValueColumn, effort: Effort, out: &mut Vec<u8>) -> Result<(u8, usize), Damage> {
    let mixed = match values {
        ValueColumn::Float(numbers) => {
            floats::encode(numbers, effort, out);
            return Ok((FLOATS, 0));
        }
        ValueColumn::Integer(numbers) => {
            integers::encode(numbers, effort, out);
            return Ok((INTEGERS, 0));
        }
        ValueColumn::Mixed(mixed) => mixed,
    };
    let (mut kinds, mut floats, mut integers, mut texts) =
        (Vec::with_capacity(mixed.len()), vec![], vec![], vec![]);
    for value in mixed {
        match value {
            MetricValue::Float(value) => {
                kinds.push(FLOAT);
                floats.push(*value);
            }
            MetricValue::Integer(value) => {
                kinds.push(INTEGER);
                integers.push(*value);
            }
            MetricValue::Text(value) => {
                kinds.push(TEXT);
                texts.push(&**value);
            }
        }
    }
    let lane = |present: bool, lane: u8| if present { lane } else { 0 };
    let lanes = lane(!floats.is_empty(), FLOATS)
        | lane(!integers.is_empty(), INTEGERS)
        | lane(!texts.is_empty(), TEXTS);
    if lanes.count_ones() > 1 {
        integers::encode(&kinds, effort, out);
    }
    if !floats.is_empty() {
        floats::encode(&floats, effort, out);
    }
    if !integers.is_empty() {
        integers::encode(&integers, effort, out);
    }
    if !texts.is_empty() {
        texts::encode(&texts, effort, out)?;
    }
    Ok((lanes, texts.len()))
}

/// The value block of a chunk that has texts, or several kinds of values.
struct Lanes {
    kinds: Vec<i64>,
    floats: Vec<f64>,
    integers: Vec<i64>,
    texts: Option<Texts>,
}

impl Lanes {
    fn decode(reader: &mut Reader<'_>, header: &ChunkHeader) -> Result<Self, Damage> {
        let count = header.count as usize;
        let mut kinds = Vec::new();
        if header.lanes == TEXTS {
            kinds.resize(count, TEXT);
        } else {
            integers::decode(reader, count, &mut kinds)?;
        }
        let of = |kind: i64| kinds.iter().filter(|found| **found == kind).count();
        let (float_count, integer_count, text_count) = (of(FLOAT), of(INTEGER), of(TEXT));
        let present = |lane: u8| header.lanes & lane != 0;
        if float_count + integer_count + text_count != count
            || text_count != header.text_count as usize
            || (float_count > 0) != present(FLOATS)
            || (integer_count > 0) != present(INTEGERS)
        {
            return Err(Damage::new(CHUNK, "its kinds of values do not fit its header"));
        }
        let mut lanes = Self { kinds, floats: Vec::new(), integers: Vec::new(), texts: None };
        if float_count > 0 {
            floats::decode(reader, float_count, &mut lanes.floats)?;
        }
        if integer_count > 0 {
            integers::decode(reader, integer_count, &mut lanes.integers)?;
        }
        if text_count > 0 {
            lanes.texts = Some(Texts::decode(reader, text_count)?);
        }
        Ok(lanes)
    }

    fn values(&self) -> Result<Vec<MetricValue>, Damage> {
        let short = || Damage::new(CHUNK, "it has fewer values than its header says");
        let mut texts = self.texts.iter().flat_map(Texts::iter);
        let (mut floats, mut integers) = (self.floats.iter(), self.integers.iter());
        self.kinds
            .iter()
            .map(|kind| match *kind {
                FLOAT => floats.next().map(|value| MetricValue::Float(*value)).ok_or_else(short),
                INTEGER => integers.next().map(|value| MetricValue::Integer(*value)).ok_or_else(short),
                _ => texts.next().ok_or_else(short)?.map(MetricValue::from),
            })
            .collect()
    }

    fn numbers(&self, out: &mut Vec<f64>) -> Result<(), Damage> {
        let short = || Damage::new(CHUNK, "it has fewer values than its header says");
        let (mut floats, mut integers) = (self.floats.iter(), self.integers.iter());
        out.reserve(self.floats.len() + self.integers.len());
        for kind in &self.kinds {
            match *kind {
                FLOAT => out.push(*floats.next().ok_or_else(short)?),
                INTEGER => out.push(as_float(*integers.next().ok_or_else(short)?)),
                _ => {}
            }
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "the contract aggregates integers as f64")]
fn as_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
