//! The rows: `[0x30][resolution u8][series u32][first instant i64]`, an envelope around the columns.

use telemetry_core::Timestamp;
use telemetry_core::aggregation::SeriesDigest;

use crate::codec::{RollupForm, decode_rollup, encode_rollup};
use crate::database::Database;
use crate::envelope;
use crate::error::Damage;
use crate::families::Partition;
use crate::wire::{Reader, from_ordered, ordered};

const ROLLUP: u8 = 0x30;
const KEY_BYTES: usize = 14;
/// The version that this release writes, and the one before.
const VERSION: u8 = 2;
const OLD_VERSION: u8 = 1;
const MINUTE: i64 = 60 * 1_000_000_000;
const HOUR: i64 = 60 * MINUTE;

/// No rollup's key is lower.
pub(crate) const FIRST_ROLLUP_KEY: &[u8] = &[ROLLUP];
/// Every rollup's key is lower.
pub(crate) const LAST_ROLLUP_KEY: &[u8] = &[ROLLUP + 1];

/// The length of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resolution {
    Minute,
    Hour,
}

impl Resolution {
    pub(crate) const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// The longest buckets of which those of `step` nanoseconds consist.
    pub(crate) fn within(step: i64) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|resolution| step > 0 && step % resolution.width() == 0)
    }

    /// Nanoseconds of a bucket.
    pub(crate) const fn width(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
        }
    }

    /// Nanoseconds of a row's stretch: a day, or the quarter of one, so that a row is some hundred bytes. Partitions consist
    /// of whole days.
    pub(super) const fn stretch(self) -> i64 {
        match self {
            Self::Minute => 6 * HOUR,
            Self::Hour => 24 * HOUR,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Minute => 1,
            Self::Hour => 2,
        }
    }

    /// Begin and end of the stretch that an instant lies in; `None` at the ends of all time.
    pub(super) fn stretch_at(self, nanos: i64) -> Option<(i64, i64)> {
        let start = nanos.checked_sub(nanos.rem_euclid(self.stretch()))?;
        Some((start, start.checked_add(self.stretch())?))
    }
}

/// Where a rollup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RollupKey {
    pub(super) resolution: Resolution,
    pub(super) series: u32,
    /// The first instant of its stretch.
    pub(super) start: i64,
}

/// Whether a row is as sealing writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    RollupKey::decode(key)?.read(value).map(drop)
}

impl RollupKey {
    pub(super) fn encode(self) -> [u8; KEY_BYTES] {
        let mut key = [ROLLUP; KEY_BYTES];
        let (_, rest) = key.split_at_mut(1);
        let (resolution, rest) = rest.split_at_mut(1);
        let (series, start) = rest.split_at_mut(4);
        resolution.copy_from_slice(&[self.resolution.code()]);
        series.copy_from_slice(&self.series.to_be_bytes());
        start.copy_from_slice(&ordered(self.start));
        key
    }

    pub(super) fn decode(key: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("rollup", key);
        let kind = reader.byte()?;
        let code = reader.byte()?;
        let resolution = Resolution::ALL.into_iter().find(|resolution| resolution.code() == code);
        let (ROLLUP, Some(resolution)) = (kind, resolution) else {
            return Err(reader.damage("its key is not a rollup's"));
        };
        let series = u32::from_be_bytes(reader.array()?);
        let start = from_ordered(reader.array()?);
        reader.finish()?;
        Ok(Self { resolution, series, start })
    }

    /// The row's value.
    pub(super) fn row(self, buckets: &[SeriesDigest]) -> Vec<u8> {
        let mut value = Vec::with_capacity(256);
        envelope::begin(&mut value, VERSION);
        encode_rollup(buckets, self.start, self.resolution.width(), &mut value);
        envelope::finish(&mut value);
        value
    }

    /// The buckets of the row's value, ascending.
    pub(super) fn read(self, value: &[u8]) -> Result<Vec<SeriesDigest>, Damage> {
        let (version, payload) = envelope::open_any("rollup", value)?;
        let form = match version {
            OLD_VERSION => RollupForm::Floats,
            VERSION => RollupForm::Related,
            _ => return Err(Damage::new("rollup", format!("version {version} is not known"))),
        };
        let buckets = decode_rollup(payload, form, self.start, self.resolution.width())?;
        let end = self.start.saturating_add(self.resolution.stretch());
        if buckets.last().is_some_and(|bucket| bucket.last_time.nanos() >= end) {
            return Err(Damage::new("rollup", "a bucket is not in its stretch"));
        }
        Ok(buckets)
    }

    /// Reports a row that is set aside; its samples are read instead.
    pub(super) fn report(self, database: &Database, partition: &Partition, damage: &Damage) {
        database.reports().add(format!(
            "rollup of series {} at {} in partition {} is set aside: {}",
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

    #[test]
    fn keys_sort_by_resolution_series_and_time() {
        let key = |resolution, series, start| RollupKey { resolution, series, start };
        let keys = [
            key(Resolution::Minute, 1, -5),
            key(Resolution::Minute, 1, 7),
            key(Resolution::Minute, 300, -9),
            key(Resolution::Hour, 0, 0),
        ];
        assert!(keys.windows(2).all(|pair| pair[0].encode() < pair[1].encode()));
        for key in keys {
            assert_eq!(RollupKey::decode(&key.encode()).unwrap(), key);
        }
        assert!(RollupKey::decode(&[0x30, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn the_longest_buckets_that_fit_a_step() {
        assert_eq!(Resolution::within(HOUR * 24), Some(Resolution::Hour));
        assert_eq!(Resolution::within(MINUTE * 90), Some(Resolution::Minute));
        assert_eq!(Resolution::within(MINUTE / 2), None);
        assert_eq!(Resolution::within(0), None);
    }
}
