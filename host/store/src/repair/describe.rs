//! What a row's key is about, for people.

use telemetry_core::Timestamp;

use crate::families::{EVENTS_PREFIX, LOG, METRICS_PREFIX};
use crate::verify::hex;
use crate::wire::from_ordered;

/// Whether rows of this kind are made again from others.
pub(super) fn is_derived(family: &str, key: &[u8]) -> bool {
    let kind = key.first().copied().unwrap_or_default();
    (family.starts_with(METRICS_PREFIX) && kind > 0x20)
        || (family.starts_with(EVENTS_PREFIX) && matches!(kind, 0x02..=0x04))
}

/// Whether a rewritten family does without a row: it is made again, or not needed.
pub(super) fn is_left_out(family: &str, key: &[u8]) -> bool {
    // Posting lists help to find what a lost series was called, until its definition is mended.
    let needed_for_mending = family.starts_with(METRICS_PREFIX) && matches!(key, [0x22..=0x24, _, ..]);
    is_derived(family, key) && !needed_for_mending
}

/// What a row is about.
pub(super) fn describe(family: &str, key: &[u8]) -> String {
    let number = |from: usize| key.get(from..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let long = |from: usize| key.get(from..)?.first_chunk::<8>().copied();
    let time = |from: usize| long(from).map(|bytes| Timestamp::from_nanos(from_ordered(bytes)));
    let told = match (family, key.first()) {
        (LOG, _) => long(0).map(|bytes| format!("record {} of the log", u64::from_be_bytes(bytes))),
        (_, None) => Some("the first row".to_owned()),
        (name, Some(0x10)) if name.starts_with(METRICS_PREFIX) => {
            number(1).zip(time(5)).map(|(series, time)| format!("samples of series {series} from {time}"))
        }
        (name, Some(0x20)) if name.starts_with(METRICS_PREFIX) => {
            number(1).map(|series| format!("the definition of series {series}"))
        }
        (name, Some(0x21..=0x24)) if name.starts_with(METRICS_PREFIX) => Some("posting lists".to_owned()),
        (name, Some(0x30..)) if name.starts_with(METRICS_PREFIX) => Some("rollups".to_owned()),
        (name, Some(0x01)) if name.starts_with(EVENTS_PREFIX) => {
            time(1).map(|time| format!("the events of {time}"))
        }
        (name, Some(0x02..=0x04)) if name.starts_with(EVENTS_PREFIX) => Some("event indexes".to_owned()),
        (name, Some(0x05)) if name.starts_with(EVENTS_PREFIX) => {
            Some("names of types and sources".to_owned())
        }
        _ => None,
    };
    told.unwrap_or_else(|| format!("the row {}", hex(key)))
}

/// Where rows are missing; `None` where all of them are made again.
pub(super) fn gap(family: &str, after: &[u8], until: Option<&[u8]>) -> Option<String> {
    let kind = |key: &[u8]| key.first().copied();
    let within_one_kind = until.is_some_and(|until| kind(until) == kind(after));
    if is_derived(family, after) && (within_one_kind || family.starts_with(METRICS_PREFIX)) {
        return None;
    }
    Some(match until {
        Some(until) => format!("between {} and {}", describe(family, after), describe(family, until)),
        None => format!("all behind {}", describe(family, after)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::ChunkKey;

    #[test]
    fn gaps_are_told_by_series_and_time() {
        let key = |series| ChunkKey { series, first_time: 0, generation: 0 }.encode();
        assert_eq!(
            gap("m.20260310", &key(3), Some(&key(5))).unwrap(),
            "between samples of series 3 from 1970-01-01T00:00:00Z and samples of series 5 from 1970-01-01T00:00:00Z"
        );
        assert_eq!(gap("m.20260310", &[0x30, 1], None), None, "rollups are made again");
        assert_eq!(gap("e.20260310", &[0x04, 1], None).unwrap(), "all behind event indexes");
        assert_eq!(gap("meta", &[], None).unwrap(), "all behind the first row");
    }

    #[test]
    fn a_rewritten_family_keeps_what_is_needed() {
        let left_out = |family, key: &[u8]| is_left_out(family, key);
        assert!(!left_out("m.1", &[0x10]) && !left_out("m.1", &[0x20]) && !left_out("m.1", &[0x22, b'n']));
        assert!(left_out("m.1", &[0x22]), "the mark that all posting rows are there");
        assert!(left_out("m.1", &[0x30]) && left_out("m.1", &[0x31]) && left_out("e.1", &[0x02]));
        assert!(!left_out("e.1", &[0x05]) && !left_out("meta", &[0x30]));
    }
}
