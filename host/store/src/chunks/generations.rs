//! The generations of chunks, which tell those of one series and first time apart.
//!
//! Invariant: no chunk gets the generation of one that is there, whether or not that one can be read.

use crate::chunks::locate::report_block;
use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY};
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::families::Partition;

/// From here on generations are given out while damage hides which are taken: far above those that counting reaches, and with
/// as many above it for counting on once the damage is mended.
const HIDDEN_FIRST: u16 = 0x4000;
/// Generations from one such place to the next: more than chunks of one seal that begin at one time.
const HIDDEN_STEP: u16 = 64;
/// Such places.
const HIDDEN_PLACES: u16 = 256;
/// Places that are looked at: a table's filter, which lies in blocks of its own, tells of all but one in a hundred that are free.
const HIDDEN_TRIES: u16 = 16;

/// Numbers chunks of one series that are written together, in time order, and may begin at the same time.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    last: Option<(i64, u16)>,
}

impl Generations {
    /// The generation of the next chunk; `taken` is the one after which chunks that begin at `first_time` are numbered.
    pub(crate) fn next(&mut self, first_time: i64, taken: Option<u16>) -> Result<u16, StoreError> {
        let before = match self.last {
            Some((time, generation)) if time == first_time => Some(generation),
            _ => taken,
        };
        let generation = before.map_or(Some(0), |before| before.checked_add(1)).ok_or_else(too_many)?;
        self.last = Some((first_time, generation));
        Ok(generation)
    }
}

/// The generation after which new chunks of `series` that begin at `first_time` are numbered; `None` when there are none. It is
/// the highest one that is taken, unless damage hides that. `sequence` is the sealed sequence number of the new ones.
pub(crate) fn taken_generation(
    database: &Database,
    (partition, family): (&Partition, &Family<'_>),
    series: u32,
    first_time: i64,
    sequence: u64,
) -> Result<Option<u16>, StoreError> {
    let last = ChunkKey { series, first_time, generation: u16::MAX };
    let mut rows = database.rows(family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    rows.seek_back(&last.encode());
    if let Some(damage) = rows.damage()? {
        report_block(database, partition, &damage);
        return hidden_generation(database, family, last, sequence).map(Some);
    }
    let found = rows.row().and_then(|(key, _)| ChunkKey::decode(key).ok());
    Ok(found.filter(|key| key.series == series && key.first_time == first_time).map(|key| key.generation))
}

/// The one before a generation that is free though blocks around it are damaged. Where filters are damaged too, it is one that is
/// most likely free: only a chunk sealed like this could have it, with a sequence number of the same remainder.
fn hidden_generation(
    database: &Database,
    family: &Family<'_>,
    at: ChunkKey,
    sequence: u64,
) -> Result<u16, StoreError> {
    let begin = u16::try_from(sequence % u64::from(HIDDEN_PLACES)).unwrap_or(0);
    let mut unread = None;
    for nth in 0..HIDDEN_TRIES {
        let place = begin.saturating_add(nth) % HIDDEN_PLACES;
        let generation = HIDDEN_FIRST.saturating_add(place.saturating_mul(HIDDEN_STEP));
        match database.get(family, &ChunkKey { generation, ..at }.encode()) {
            Ok(None) => return Ok(generation.saturating_sub(1)),
            Ok(Some(_)) => {}
            Err(error) if error.is_damage() => {
                unread.get_or_insert(generation);
            }
            Err(error) => return Err(error),
        }
    }
    unread.map(|generation: u16| generation.saturating_sub(1)).ok_or_else(|| too_many().into())
}

fn too_many() -> Damage {
    Damage::new("chunk", "too many chunks of one series begin at one time")
}
