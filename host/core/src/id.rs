//! Ids of records, and the ids that the host makes: their bits locate the record, so they need no index row.
//!
//! Both forms are RFC 9562 UUIDs. With `tag` the store's random 14-bit number, which tells its ids from others':
//!
//! | bits | event (version 7) | sample (version 8) |
//! |---|---|---|
//! | 48 | Unix milliseconds | Unix milliseconds |
//! | 4 | version 7 | version 8 |
//! | 12 | nanoseconds within the millisecond, upper 12 of 20 | the same |
//! | 2 | variant | variant |
//! | 8 | nanoseconds within the millisecond, lower 8 | the same |
//! | 40 | counter of the process, from a random start | series (32), ordinal (8 upper of 16) |
//! | 14 | tag | ordinal (lower 8), tag (upper 6 bits of 14) |

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::time::{NANOS_PER_MILLI, Timestamp};

const VERSION_SHIFT: u32 = 76;
const VARIANT: u128 = 0b10 << 62;
const COUNTER_BITS: u32 = 40;
const TAG_BITS: u32 = 14;
const SAMPLE_TAG_BITS: u32 = 6;

/// An event's id and who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordId {
    /// The caller's: the call is idempotent, and the store keeps an index row for it.
    Given(Uuid),
    /// The host's: its bits locate the row.
    Made(Uuid),
}

impl RecordId {
    /// The id itself.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Given(id) | Self::Made(id) => id,
        }
    }
}

/// Where an event with a host-made id is: rows at exactly `timestamp` whose counter is `counter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLocation {
    /// The event's time.
    pub timestamp: Timestamp,
    /// 40 bits, unique among the events of one nanosecond.
    pub counter: u64,
}

/// Where a sample is: the `ordinal`-th sample, in order of arrival, of `series` at exactly `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleLocation {
    /// The sample's time.
    pub timestamp: Timestamp,
    /// The store's number of the series.
    pub series: u32,
    /// Counted from 0 among the samples of the series with the very same time; wraps at 65,536.
    pub ordinal: u16,
}

/// Makes the host's event ids. One per store, shared by all threads.
#[derive(Debug)]
pub struct EventIdGenerator {
    counter: AtomicU64,
    tag: u16,
}

impl EventIdGenerator {
    /// `tag` is the store's (its lower 14 bits count); `start` should be random, so that a clock that was set back
    /// across a restart does not repeat an id.
    pub fn new(tag: u16, start: u64) -> Self {
        Self { counter: AtomicU64::new(start), tag: tag & mask16(TAG_BITS) }
    }

    /// The store's tag.
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// A new id for an event at `timestamp`.
    pub fn next(&self, timestamp: Timestamp) -> RecordId {
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) & mask64(COUNTER_BITS);
        let low = u128::from(counter) << TAG_BITS | u128::from(self.tag);
        RecordId::Made(assemble(timestamp, 7, low))
    }
}

/// The location that a host-made event id of the store with `tag` encodes; `None` for any other id.
pub fn event_location(id: Uuid, tag: u16) -> Option<EventLocation> {
    let (timestamp, low) = disassemble(id, 7)?;
    let (counter, found) = (low >> TAG_BITS, low & u64::from(mask16(TAG_BITS)));
    (found == u64::from(tag & mask16(TAG_BITS))).then_some(EventLocation { timestamp, counter })
}

/// The counter bits of a host-made event id; rows keep them to tell events of one nanosecond apart.
pub fn event_counter(id: Uuid) -> u64 {
    (low_half(id) >> TAG_BITS) & mask64(COUNTER_BITS)
}

/// The host-made event id for a row: the inverse of [`event_location`].
pub fn event_id(location: EventLocation, tag: u16) -> Uuid {
    let low =
        u128::from(location.counter & mask64(COUNTER_BITS)) << TAG_BITS | u128::from(tag & mask16(TAG_BITS));
    assemble(location.timestamp, 7, low)
}

/// The id of a sample of the store with `tag`.
pub fn sample_id(location: SampleLocation, tag: u16) -> Uuid {
    let low = u128::from(location.series) << 22
        | u128::from(location.ordinal) << SAMPLE_TAG_BITS
        | u128::from(tag & mask16(SAMPLE_TAG_BITS));
    assemble(location.timestamp, 8, low)
}

/// The location that a sample id of the store with `tag` encodes; `None` for any other id.
pub fn sample_location(id: Uuid, tag: u16) -> Option<SampleLocation> {
    let (timestamp, low) = disassemble(id, 8)?;
    if low & u64::from(mask16(SAMPLE_TAG_BITS)) != u64::from(tag & mask16(SAMPLE_TAG_BITS)) {
        return None;
    }
    let series = u32::try_from(low >> 22).ok()?;
    let ordinal = u16::try_from((low >> SAMPLE_TAG_BITS) & 0xFFFF).ok()?;
    Some(SampleLocation { timestamp, series, ordinal })
}

const fn mask16(bits: u32) -> u16 {
    ((1_u32 << bits) - 1) as u16
}

const fn mask64(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn low_half(id: Uuid) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    {
        id.as_u128() as u64
    }
}

/// `low` has 54 bits. Times before 1970 or after 10889 do not fit 48 bits of milliseconds; admission refuses the first
/// and a 64-bit nanosecond count cannot reach the second.
fn assemble(timestamp: Timestamp, version: u128, low: u128) -> Uuid {
    let millis = u128::from(timestamp.millis().unsigned_abs()) & ((1 << 48) - 1);
    let within = u128::from(timestamp.nanos().rem_euclid(NANOS_PER_MILLI).unsigned_abs());
    let bits = millis << 80
        | version << VERSION_SHIFT
        | (within >> 8) << 64
        | VARIANT
        | (within & 0xFF) << 54
        | (low & ((1 << 54) - 1));
    Uuid::from_u128(bits)
}

fn disassemble(id: Uuid, version: u128) -> Option<(Timestamp, u64)> {
    let bits = id.as_u128();
    if (bits >> VERSION_SHIFT) & 0xF != version || bits & (0b11 << 62) != VARIANT {
        return None;
    }
    let millis = i64::try_from(bits >> 80).ok()?;
    let within = i64::try_from(((bits >> 64) & 0xFFF) << 8 | (bits >> 54) & 0xFF).ok()?;
    if within >= NANOS_PER_MILLI {
        return None;
    }
    let nanos = millis.checked_mul(NANOS_PER_MILLI)?.checked_add(within)?;
    Some((Timestamp::from_nanos(nanos), low_half(id) & mask64(54)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn event_ids_locate_their_row(nanos in 0..i64::MAX, tag in 0..(1_u16 << 14), start: u64) {
            let ids = EventIdGenerator::new(tag, start);
            let timestamp = Timestamp::from_nanos(nanos);
            let id = ids.next(timestamp).uuid();
            prop_assert_eq!(id.get_version_num(), 7);
            let location = event_location(id, tag).unwrap();
            prop_assert_eq!(location.timestamp, timestamp);
            prop_assert_eq!(location.counter, event_counter(id));
            prop_assert_eq!(event_id(location, tag), id);
            prop_assert_eq!(event_location(id, tag ^ 1), None);
        }

        #[test]
        fn sample_ids_locate_their_sample(nanos in 0..i64::MAX, series: u32, ordinal: u16, tag: u16) {
            let location = SampleLocation { timestamp: Timestamp::from_nanos(nanos), series, ordinal };
            let id = sample_id(location, tag);
            prop_assert_eq!(id.get_version_num(), 8);
            prop_assert_eq!(sample_location(id, tag), Some(location));
            prop_assert_eq!(sample_location(id, tag ^ 1), None);
            prop_assert_eq!(event_location(id, tag), None);
        }

        #[test]
        fn foreign_ids_never_panic(bits: u128, tag: u16) {
            let _ = event_location(Uuid::from_u128(bits), tag);
            let _ = sample_location(Uuid::from_u128(bits), tag);
        }
    }

    #[test]
    fn ids_of_one_instant_differ() {
        let ids = EventIdGenerator::new(7, u64::MAX);
        let at = Timestamp::from_millis(1_700_000_000_000);
        assert_ne!(ids.next(at), ids.next(at));
    }
}
