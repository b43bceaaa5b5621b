//! The rows: `[0x31][fingerprint u64][level u8][series u32][first instant i64]` of a state, and `[0x31][fingerprint u64][0]`
//! where a partition was looked through.

use telemetry_core::aggregation::{KeptState, KeptStates};
use telemetry_core::extension::SavedState;
use telemetry_core::time::NANOS_PER_DAY;
use telemetry_core::{Timestamp, limits};

use crate::database::Database;
use crate::envelope;
use crate::error::Damage;
use crate::families::Partition;
use crate::wire::{Reader, from_ordered, ordered, put_varint};

const STATE: u8 = 0x31;
const ROW: &str = "kept state";
const VERSION: u8 = 1;
/// In the place of a level: the partition was looked through.
const LOOKED_THROUGH: u8 = 0;

/// No kept state's key is lower.
pub(crate) const FIRST_STATE_KEY: &[u8] = &[STATE];

/// Which of a rollup's two widths a bucket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The rollup's own width, where that is shorter than a day.
    Bucket,
    /// A day, made from the shorter ones: long ranges read few rows.
    Day,
}

impl Level {
    const fn code(self) -> u8 {
        match self {
            Self::Bucket => 1,
            Self::Day => 2,
        }
    }

    /// The level on which a rollup's states are made from samples.
    pub(super) const fn finest(states: KeptStates) -> Self {
        if states.width < NANOS_PER_DAY { Self::Bucket } else { Self::Day }
    }

    /// The levels that a rollup has.
    pub(super) fn of(states: KeptStates) -> impl Iterator<Item = Self> {
        let bucket = (states.width < NANOS_PER_DAY).then_some(Self::Bucket);
        bucket.into_iter().chain([Self::Day])
    }

    /// Nanoseconds of a bucket.
    pub(super) const fn width(self, states: KeptStates) -> i64 {
        match self {
            Self::Bucket => states.width,
            Self::Day => NANOS_PER_DAY,
        }
    }
}

/// Where a kept state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StateKey {
    pub(super) fingerprint: u64,
    pub(super) level: Level,
    pub(super) series: u32,
    /// The first instant of its bucket.
    pub(super) start: i64,
}

/// What all rows of a fingerprint begin with.
pub(super) fn prefix(fingerprint: u64) -> Vec<u8> {
    let mut key = vec![STATE];
    key.extend_from_slice(&fingerprint.to_be_bytes());
    key
}

/// What all rows of a fingerprint and level begin with.
pub(super) fn level_prefix(fingerprint: u64, level: Level) -> Vec<u8> {
    let mut key = prefix(fingerprint);
    key.push(level.code());
    key
}

/// The key of the mark that a partition was looked through.
pub(super) fn mark_key(fingerprint: u64) -> Vec<u8> {
    let mut key = prefix(fingerprint);
    key.push(LOOKED_THROUGH);
    key
}

/// The value of that mark: which metrics were looked at, as a hash.
pub(super) fn mark(metrics: u64) -> Vec<u8> {
    envelope::wrap(VERSION, &metrics.to_le_bytes())
}

/// The fingerprint of any row's key.
pub(super) fn fingerprint_of(key: &[u8]) -> Option<u64> {
    let (kind, rest) = key.split_first()?;
    let (fingerprint, _) = rest.split_first_chunk()?;
    (*kind == STATE).then(|| u64::from_be_bytes(*fingerprint))
}

/// Whether a row is as the store writes it; the state itself is its function's.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    if fingerprint_of(key).is_some_and(|fingerprint| key == mark_key(fingerprint)) {
        return match envelope::open(ROW, VERSION, value)?.len() {
            8 => Ok(()),
            _ => Err(Damage::new(ROW, "a mark is not a hash")),
        };
    }
    // A bucket of the first level is shorter than a day, which one the key does not say.
    StateKey::decode(key)?.read(value, NANOS_PER_DAY).map(drop)
}

impl StateKey {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut key = level_prefix(self.fingerprint, self.level);
        key.extend_from_slice(&self.series.to_be_bytes());
        key.extend_from_slice(&ordered(self.start));
        key
    }

    pub(super) fn decode(key: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(ROW, key);
        let kind = reader.byte()?;
        let fingerprint = u64::from_be_bytes(reader.array()?);
        let code = reader.byte()?;
        let level = [Level::Bucket, Level::Day].into_iter().find(|level| level.code() == code);
        let (STATE, Some(level)) = (kind, level) else {
            return Err(reader.damage("its key is not a kept state's"));
        };
        let series = u32::from_be_bytes(reader.array()?);
        let start = from_ordered(reader.array()?);
        reader.finish()?;
        Ok(Self { fingerprint, level, series, start })
    }

    /// The row's value; `None` for a state that is too large to be kept.
    pub(super) fn row(self, kept: &KeptState) -> Option<Vec<u8>> {
        let SavedState { version, bytes } = &kept.state;
        if bytes.len() > limits::MAX_KEPT_STATE_BYTES {
            return None;
        }
        let since = kept.first_time.nanos().checked_sub(self.start)?;
        let span = kept.last_time.nanos().checked_sub(kept.first_time.nanos())?;
        let mut value = Vec::with_capacity(bytes.len().saturating_add(32));
        envelope::begin(&mut value, VERSION);
        put_varint(&mut value, kept.count);
        put_varint(&mut value, u64::try_from(since).ok()?);
        put_varint(&mut value, u64::try_from(span).ok()?);
        put_varint(&mut value, u64::from(*version));
        value.extend_from_slice(bytes);
        envelope::finish(&mut value);
        Some(value)
    }

    /// The state of the row's value, in a bucket of `width` nanoseconds.
    pub(super) fn read(self, value: &[u8], width: i64) -> Result<KeptState, Damage> {
        let mut reader = Reader::new(ROW, envelope::open(ROW, VERSION, value)?);
        let count = reader.varint()?;
        let (since, span) = (reader.varint()?, reader.varint()?);
        let version = reader.varint32()?;
        let bytes = reader.rest();
        let within = since.checked_add(span).is_some_and(|last| last < width.unsigned_abs());
        let instant = |after: u64| self.start.checked_add(i64::try_from(after).ok()?);
        let (Some(first), Some(last)) = (instant(since), instant(since.saturating_add(span))) else {
            return Err(reader.damage("its samples lie beyond all time"));
        };
        if count == 0 || !within {
            return Err(reader.damage("its samples are not in its bucket"));
        }
        if bytes.len() > limits::MAX_KEPT_STATE_BYTES {
            return Err(reader.damage("its state is too large"));
        }
        Ok(KeptState {
            count,
            first_time: Timestamp::from_nanos(first),
            last_time: Timestamp::from_nanos(last),
            state: SavedState { version, bytes: bytes.to_vec() },
        })
    }

    /// Reports a row that is set aside; its samples are read instead.
    pub(super) fn report(self, database: &Database, partition: &Partition, damage: &Damage) {
        database.reports().add(format!(
            "kept state of series {} at {} in partition {} is set aside: {}",
            self.series,
            Timestamp::from_nanos(self.start),
            partition.family,
            damage.reason
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = NANOS_PER_DAY / 24;

    fn key(level: Level, series: u32, start: i64) -> StateKey {
        StateKey { fingerprint: 7, level, series, start }
    }

    fn kept(start: i64, since: i64, span: i64, bytes: Vec<u8>) -> KeptState {
        KeptState {
            count: 3,
            first_time: Timestamp::from_nanos(start + since),
            last_time: Timestamp::from_nanos(start + since + span),
            state: SavedState { version: 2, bytes },
        }
    }

    #[test]
    fn keys_sort_by_level_series_and_time() {
        let keys = [
            mark_key(7),
            key(Level::Bucket, 1, -5).encode(),
            key(Level::Bucket, 1, 7).encode(),
            key(Level::Bucket, 300, -9).encode(),
            key(Level::Day, 0, 0).encode(),
            mark_key(8),
        ];
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
        for key in &keys[1..5] {
            assert_eq!(StateKey::decode(key).unwrap().encode(), *key);
            assert_eq!(fingerprint_of(key), Some(7));
        }
        assert!(StateKey::decode(&keys[0]).is_err());
        assert!(check_row(&keys[0], &mark(9)).is_ok() && check_row(&keys[0], &[]).is_err());
    }

    /// The bytes of FORMAT.md.
    #[test]
    fn the_bytes_of_a_row() {
        let value = key(Level::Bucket, 1, HOUR).row(&kept(HOUR, 5, 300, vec![0xAA, 0xBB])).unwrap();
        assert_eq!(value[0], 1);
        assert_eq!(value[5..], [3, 5, 0xAC, 2, 2, 0xAA, 0xBB]);
    }

    #[test]
    fn what_is_not_in_its_bucket_or_too_large_is_refused() {
        let key = key(Level::Bucket, 1, HOUR);
        let value = key.row(&kept(HOUR, 5, HOUR, vec![1])).unwrap();
        assert!(key.read(&value, HOUR).is_err());
        assert!(key.row(&kept(HOUR, -1, 5, vec![1])).is_none());
        assert!(key.row(&kept(HOUR, 0, 5, vec![0; limits::MAX_KEPT_STATE_BYTES + 1])).is_none());
    }

    proptest! {
        #[test]
        fn states_come_back(since in 0..HOUR, share in 0.0..1.0_f64, start in -9..9_i64, bytes: Vec<u8>) {
            #[allow(clippy::cast_possible_truncation, reason = "a share of an hour")]
            let span = ((HOUR - 1 - since) as f64 * share) as i64;
            let key = key(Level::Bucket, 1, start * HOUR);
            let state = kept(start * HOUR, since, span, bytes);
            let value = key.row(&state).unwrap();
            prop_assert_eq!(key.read(&value, HOUR).unwrap(), state);
            prop_assert!(check_row(&key.encode(), &value).is_ok());
        }

        #[test]
        fn any_bytes_are_read_without_panic(row_key: Vec<u8>, value: Vec<u8>, start: i64) {
            let _ = check_row(&row_key, &envelope::wrap(VERSION, &value));
            let _ = key(Level::Day, 1, start).read(&envelope::wrap(VERSION, &value), NANOS_PER_DAY);
        }
    }
}
