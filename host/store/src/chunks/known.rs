//! What memory knows of the chunks of one series in one partition: their headers, and pages of their samples, decoded.
//!
//! Invariant: nothing here changes once it is made; who knows more makes a new one, which shares the pages.

use std::ops::Range;
use std::sync::Arc;

use crate::chunks::row::ChunkKey;
use crate::codec::{ChunkHeader, DecodedPart, Even, PAGE_SAMPLES};

/// The checksum of a chunk's blocks ends it.
const SUM_BYTES: usize = 4;

/// The chunks of a series in one partition.
#[derive(Debug)]
pub(crate) struct KnownSeries {
    /// They are as of this moment; see [`crate::chunks::ChunkCache::moment`].
    pub(super) moment: u64,
    /// All chunks are there that begin no later than this.
    pub(super) until: i64,
    /// In the order of their keys.
    pub(super) chunks: Vec<Arc<KnownChunk>>,
}

/// What is known of a chunk.
#[derive(Debug)]
pub(crate) struct KnownChunk {
    pub(super) key: ChunkKey,
    pub(super) header: ChunkHeader,
    /// The checksum of its blocks: no other chunk has the same key, header and blocks.
    sum: [u8; SUM_BYTES],
    times: PageTimes,
    /// By place; none at all while no page is known.
    pages: Vec<Option<Arc<Page>>>,
}

/// Some consecutive samples of a chunk.
#[derive(Debug)]
struct Page {
    /// None where the chunk's times are even.
    times: Box<[i64]>,
    values: Box<[f64]>,
}

/// How the page is found that has a time.
#[derive(Clone, Debug)]
enum PageTimes {
    /// Not at all: the chunk was never decoded, or it is one of which pages are not kept.
    Unknown,
    Even(Even),
    /// By the time of each page's first sample.
    Starts(Box<[i64]>),
}

/// Some samples of a page.
pub(super) struct Part<'a> {
    pub(super) times: PartTimes<'a>,
    pub(super) values: &'a [f64],
}

/// The times of a part.
pub(super) enum PartTimes<'a> {
    Even(Even, Range<usize>),
    Listed(&'a [i64]),
}

impl PartTimes<'_> {
    /// Appends the times.
    pub(super) fn put(&self, times: &mut Vec<i64>) {
        match self {
            Self::Even(even, places) => even.put(places.clone(), times),
            Self::Listed(listed) => times.extend_from_slice(listed),
        }
    }
}

impl KnownSeries {
    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let list = size_of::<Self>()
            .saturating_add(self.chunks.capacity().saturating_mul(size_of::<Arc<KnownChunk>>()));
        self.chunks.iter().map(|chunk| chunk.bytes()).fold(list, usize::saturating_add)
    }

    /// Lets go of all pages but those of the samples within.
    pub(super) fn shed(&mut self, within: (i64, i64)) {
        for chunk in &mut self.chunks {
            let wanted = if chunk.meets(within) { chunk.pages_of(within) } else { None }.unwrap_or(0..0);
            let is_other =
                |(place, page): (usize, &Option<Arc<Page>>)| page.is_some() && !wanted.contains(&place);
            if chunk.pages.iter().enumerate().any(is_other) {
                *chunk = Arc::new(chunk.with_no_pages_but(&wanted));
            }
        }
    }

    /// The chunk with this key, if it is the one that `value` holds.
    pub(super) fn same(&self, key: ChunkKey, header: &ChunkHeader, value: &[u8]) -> Option<&Arc<KnownChunk>> {
        let place = self.chunks.binary_search_by_key(&key, |chunk| chunk.key).ok()?;
        self.chunks
            .get(place)
            .filter(|chunk| chunk.header == *header && value.last_chunk() == Some(&chunk.sum))
    }
}

impl KnownChunk {
    /// A chunk of which the header is known, so far. `value` is the chunk.
    pub(super) fn new(key: ChunkKey, header: ChunkHeader, value: &[u8]) -> Self {
        let sum = value.last_chunk().copied().unwrap_or_default();
        Self { key, header, sum, times: PageTimes::Unknown, pages: Vec::new() }
    }

    /// Whether any of its samples may lie within.
    pub(super) fn meets(&self, (first, last): (i64, i64)) -> bool {
        self.header.first_time <= last && self.header.last_time >= first
    }

    /// Whether it lies within as a whole.
    pub(super) fn is_within(&self, (first, last): (i64, i64)) -> bool {
        first <= self.header.first_time && self.header.last_time <= last
    }

    /// Whether all samples within are at hand.
    pub(super) fn holds(&self, within: (i64, i64)) -> bool {
        let pages = self.pages_of(within).and_then(|pages| self.pages.get(pages));
        pages.is_some_and(|pages| pages.iter().all(Option::is_some))
    }

    /// The samples within, all of which are at hand, page by page.
    pub(super) fn parts(&self, within: (i64, i64)) -> impl Iterator<Item = Part<'_>> {
        let places = self.pages_of(within).unwrap_or(0..0);
        let first = places.start;
        let pages = self.pages.get(places).unwrap_or_default();
        pages.iter().enumerate().filter_map(move |(nth, page)| {
            let page = page.as_deref()?;
            let from = first.saturating_add(nth).saturating_mul(PAGE_SAMPLES);
            Some(match &self.times {
                PageTimes::Even(even) => {
                    let wanted = even.places(within);
                    let to = from.saturating_add(page.values.len());
                    let places = wanted.start.max(from)..wanted.end.min(to);
                    let within = places.start.saturating_sub(from)..places.end.saturating_sub(from);
                    Part { times: PartTimes::Even(*even, places), values: part_of(&page.values, within) }
                }
                _ => {
                    let begin = page.times.partition_point(|time| *time < within.0);
                    let end = page.times.partition_point(|time| *time <= within.1).max(begin);
                    let times = PartTimes::Listed(part_of(&page.times, begin..end));
                    Part { times, values: part_of(&page.values, begin..end) }
                }
            })
        })
    }

    /// Puts the samples within, all of which are at hand, in the place of what the columns hold.
    pub(super) fn read(&self, within: (i64, i64), times: &mut Vec<i64>, values: &mut Vec<f64>) {
        times.clear();
        values.clear();
        for part in self.parts(within) {
            part.times.put(times);
            values.extend_from_slice(part.values);
        }
    }

    /// The pages that may have samples within; `None` where that is not known.
    fn pages_of(&self, within: (i64, i64)) -> Option<Range<usize>> {
        match &self.times {
            PageTimes::Unknown => None,
            PageTimes::Even(even) => Some(pages_with(&even.places(within))),
            PageTimes::Starts(starts) => {
                // What begins a page may have further samples of its time at the end of the one before.
                let begin = starts.partition_point(|start| *start < within.0).saturating_sub(1);
                Some(begin..starts.partition_point(|start| *start <= within.1).max(begin))
            }
        }
    }

    /// The same chunk with the pages of the samples within, which are among those that were decoded; `None` where
    /// pages of such a chunk are not kept.
    pub(super) fn with_pages(
        &self,
        within: (i64, i64),
        part: DecodedPart,
        (times, values): (&[i64], &[f64]),
    ) -> Option<Self> {
        let decoded = part.places?;
        let known = Self {
            key: self.key,
            header: part.header,
            sum: self.sum,
            times: match part.even {
                Some(even) => PageTimes::Even(even),
                None => PageTimes::Starts(part.page_starts.into_boxed_slice()),
            },
            pages: Vec::new(),
        };
        let count = known.header.count as usize;
        let wanted = known.pages_of(within)?;
        let mut pages = self.pages.clone();
        pages.resize(count.div_ceil(PAGE_SAMPLES), None);
        for (place, page) in pages.iter_mut().enumerate() {
            let from = place.saturating_mul(PAGE_SAMPLES);
            let to = from.saturating_add(PAGE_SAMPLES).min(count);
            if page.is_some() || !wanted.contains(&place) || from < decoded.start || decoded.end < to {
                continue;
            }
            let part = from.saturating_sub(decoded.start)..to.saturating_sub(decoded.start);
            let even = matches!(known.times, PageTimes::Even(_));
            *page = Some(Arc::new(Page {
                times: if even { Box::default() } else { part_of(times, part.clone()).into() },
                values: part_of(values, part).into(),
            }));
        }
        Some(Self { pages, ..known })
    }

    fn with_no_pages_but(&self, wanted: &Range<usize>) -> Self {
        let mut pages = vec![None; self.pages.len()];
        for (place, page) in self.pages.iter().enumerate().filter(|(place, _)| wanted.contains(place)) {
            if let Some(slot) = pages.get_mut(place) {
                slot.clone_from(page);
            }
        }
        Self { key: self.key, header: self.header.clone(), sum: self.sum, times: self.times.clone(), pages }
    }

    fn bytes(&self) -> usize {
        let starts = match &self.times {
            PageTimes::Starts(starts) => size_of_val::<[i64]>(starts),
            _ => 0,
        };
        let pages = self.pages.iter().flatten().map(|page| {
            size_of::<Page>() + size_of_val::<[i64]>(&page.times) + size_of_val::<[f64]>(&page.values)
        });
        let list = self.pages.capacity().saturating_mul(size_of::<Option<Arc<Page>>>());
        pages.fold(size_of::<Self>().saturating_add(starts).saturating_add(list), usize::saturating_add)
    }
}

/// The pages that have any of the samples at `places`.
fn pages_with(places: &Range<usize>) -> Range<usize> {
    if places.is_empty() {
        return 0..0;
    }
    places.start / PAGE_SAMPLES..places.end.div_ceil(PAGE_SAMPLES)
}

/// What of `column` lies at `places`.
fn part_of<T>(column: &[T], places: Range<usize>) -> &[T] {
    let end = places.end.min(column.len());
    column.get(places.start.min(end)..end).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{self, Effort};
    use crate::column::ValueColumn;

    /// A chunk of these times with ascending values, its row beside it.
    pub(in crate::chunks) fn chunk(times: &[i64], effort: Effort) -> (KnownChunk, Vec<u8>) {
        let values = (0_u32..).take(times.len()).map(|place| f64::from(place) / 2.0).collect();
        let value = codec::encode(times, &ValueColumn::Float(values), effort, 7).unwrap();
        let header = ChunkHeader::read(&value).unwrap();
        let key = ChunkKey { series: 1, first_time: header.first_time, generation: 0 };
        (KnownChunk::new(key, header, &value), value)
    }

    /// The same chunk, with the pages of the samples within.
    pub(in crate::chunks) fn decoded(known: &KnownChunk, value: &[u8], within: (i64, i64)) -> KnownChunk {
        let (mut times, mut values, mut texts) = (vec![], vec![], vec![]);
        let part = codec::decode_numeric(value, within, &mut times, &mut values, &mut texts).unwrap();
        known.with_pages(within, part, (&times, &values)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_hold_what_was_decoded(
            steps in prop::collection::vec(0_i64..4, 1..3000),
            even: bool,
            compact: bool,
            ends in prop::collection::vec((0_i64..7000, 0_i64..7000), 1..4),
        ) {
            let sum = |sum: &mut i64, step: &i64| { *sum += if even { 2 } else { *step }; Some(*sum) };
            let times: Vec<i64> = steps.iter().scan(0_i64, sum).collect();
            let effort = if compact { Effort::Compact } else { Effort::Seal };
            let (mut known, value) = chunk(&times, effort);
            let (mut found_times, mut found) = (vec![], vec![]);
            for (one, two) in ends {
                let within = (one.min(two), one.max(two));
                if !known.holds(within) {
                    known = decoded(&known, &value, within);
                }
                prop_assert!(known.holds(within));
                known.read(within, &mut found_times, &mut found);
                let first = times.partition_point(|time| *time < within.0);
                let wanted = first..times.partition_point(|time| *time <= within.1);
                prop_assert_eq!(&found_times[..], &times[wanted.clone()]);
                let values: Vec<f64> = wanted.map(|place| place as f64 / 2.0).collect();
                prop_assert_eq!(&found, &values);
            }
        }
    }

    #[test]
    fn pages_that_are_not_asked_for_go() {
        let times: Vec<i64> = (0..2000).collect();
        let (known, value) = chunk(&times, Effort::Seal);
        let all = decoded(&known, &value, (0, 1999));
        let mut series = KnownSeries { moment: 0, until: i64::MAX, chunks: vec![Arc::new(all)] };
        let before = series.bytes();
        series.shed((600, 700));
        assert!(series.bytes() < before / 2);
        let known = &series.chunks[0];
        assert!(known.holds((512, 1023)) && !known.holds((511, 600)) && !known.holds((600, 1024)));
        series.shed((5000, 6000));
        assert!(!series.chunks[0].holds((512, 1023)));
    }

    #[test]
    fn a_chunk_is_known_by_its_blocks() {
        let times: Vec<i64> = (0..100).collect();
        let (known, value) = chunk(&times, Effort::Seal);
        let (key, header) = (known.key, known.header.clone());
        let series = KnownSeries { moment: 0, until: i64::MAX, chunks: vec![Arc::new(known)] };
        assert!(series.same(key, &header, &value).is_some());
        assert!(series.same(ChunkKey { generation: 1, ..key }, &header, &value).is_none());
        let mut other = value;
        *other.last_mut().unwrap() ^= 1;
        assert!(series.same(key, &header, &other).is_none());
    }
}
