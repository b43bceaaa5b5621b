//! The chunks of one series and partition as of one moment, for building states from them.

use std::collections::BTreeMap;

use telemetry_core::aggregation::AggregationError;

use super::build::Stop;
use crate::chunks::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::codec::{self, ChunkHeader};
use crate::database::{Database, Family, Rows, Snapshot};

/// A chunk by its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkPlace {
    key: ChunkKey,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A decoded chunk: times and values of its numeric samples, and the times of its texts, each ascending.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) text_times: Vec<i64>,
}

/// Reads chunks; decoded ones are kept as long as a later bucket needs them.
pub(super) struct ChunkReader<'a> {
    rows: Rows<'a>,
    pub(super) chunks: Vec<ChunkPlace>,
    /// The greatest sequence number that they were sealed from: later chunks have a greater one.
    pub(super) sealed: u64,
    decoded: BTreeMap<ChunkKey, Decoded>,
}

impl<'a> ChunkReader<'a> {
    /// The chunks of a series.
    pub(super) fn new(
        database: &'a Database,
        snapshot: &'a Snapshot<'a>,
        family: &Family<'_>,
        series: u32,
    ) -> Result<Self, Stop> {
        let rows = database.rows_at(snapshot, family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
        let mut reader = Self { rows, chunks: Vec::new(), sealed: 0, decoded: BTreeMap::new() };
        reader.rows.seek(&ChunkKey::first_of(series).encode());
        while let Some((key, value)) = chunk_at(&reader.rows, series, i64::MAX) {
            let Ok(header) = ChunkHeader::read(value) else { return Err(Stop::Damaged) };
            reader.sealed = reader.sealed.max(header.sealed_sequence);
            reader.chunks.push(ChunkPlace { key, first: header.first_time, last: header.last_time });
            reader.rows.forward();
        }
        match reader.rows.damage()? {
            Some(_) => Err(Stop::Damaged),
            None => Ok(reader),
        }
    }

    /// Hands the chunks that reach into `first..=last` to `take`. Buckets must be asked in ascending order.
    pub(super) fn within(
        &mut self,
        (first, last): (i64, i64),
        mut take: impl FnMut(&Decoded) -> Result<(), AggregationError>,
    ) -> Result<(), Stop> {
        let wanted: Vec<ChunkPlace> =
            self.chunks.iter().filter(|chunk| chunk.first <= last && first <= chunk.last).copied().collect();
        for chunk in wanted {
            let decoded = match self.decoded.remove(&chunk.key) {
                Some(decoded) => decoded,
                None => self.decode(chunk.key)?,
            };
            take(&decoded)?;
            if chunk.last > last {
                self.decoded.insert(chunk.key, decoded);
            }
        }
        Ok(())
    }

    fn decode(&mut self, key: ChunkKey) -> Result<Decoded, Stop> {
        self.rows.seek(&key.encode());
        if self.rows.damage()?.is_some() {
            return Err(Stop::Damaged);
        }
        let Some((at, value)) = self.rows.row() else { return Err(Stop::Damaged) };
        if at != key.encode() {
            return Err(Stop::Damaged);
        }
        let mut decoded = Decoded::default();
        let Decoded { times, values, text_times } = &mut decoded;
        let read = codec::decode_numeric(value, (i64::MIN, i64::MAX), times, values, text_times);
        read.map(|_| decoded).map_err(|_| Stop::Damaged)
    }
}
