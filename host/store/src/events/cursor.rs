//! A page's cursor: the place of its last event, as text that callers need not understand.

use super::rows::{EventKey, Place};
use crate::error::StoreError;

const PLACE_DIGITS: usize = 32;

/// The cursor behind `key`.
pub(super) fn encode(key: EventKey) -> String {
    let place = key.place();
    format!("{:032x}{:08x}", u128::from_be_bytes(place), crc32c::crc32c(&place))
}

/// The event behind which a page begins.
pub(super) fn decode(text: &str) -> Result<EventKey, StoreError> {
    let bad = |reason| StoreError::BadCursor { reason };
    let (place, sum) = text.split_at_checked(PLACE_DIGITS).ok_or_else(|| bad("it is too short"))?;
    if !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Err(bad("it has characters that no cursor has"));
    }
    let place: Place = u128::from_str_radix(place, 16).map_err(|_| bad("it is not a number"))?.to_be_bytes();
    match u32::from_str_radix(sum, 16) {
        Ok(found) if sum.len() == 8 && found == crc32c::crc32c(&place) => Ok(EventKey::at(place)),
        _ => Err(bad("its checksum does not match")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_core::Timestamp;

    proptest! {
        #[test]
        fn come_back(nanos: i64, sequence: u64) {
            let key = EventKey { timestamp: Timestamp::from_nanos(nanos), sequence };
            prop_assert_eq!(decode(&encode(key)).unwrap(), key);
        }

        #[test]
        fn other_texts_are_refused(text in ".{0,50}", digits in "[0-9a-f]{39,41}") {
            prop_assert!(decode(&text).is_err());
            prop_assert!(decode(&digits).is_err());
        }
    }
}
