//! The envelope of every stored value: `[version u8][crc32c u32, little-endian][payload]`.
//!
//! The checksum covers the version and the payload, so that a flipped bit anywhere in the value is noticed.

use crate::error::Damage;

/// Bytes in front of the payload.
pub(crate) const ENVELOPE_BYTES: usize = 5;

/// Starts a value in `buffer`, which is cleared; the payload is appended after this.
pub(crate) fn begin(buffer: &mut Vec<u8>, version: u8) {
    buffer.clear();
    buffer.extend_from_slice(&[version, 0, 0, 0, 0]);
}

/// Writes the checksum of a value that [`begin`] started.
pub(crate) fn finish(buffer: &mut [u8]) {
    let Some((&version, rest)) = buffer.split_first() else { return };
    let Some((_, payload)) = rest.split_first_chunk::<4>() else { return };
    let sum = checksum(version, payload).to_le_bytes();
    if let Some(place) = buffer.get_mut(1..ENVELOPE_BYTES) {
        place.copy_from_slice(&sum);
    }
}

/// A whole value around `payload`.
pub(crate) fn wrap(version: u8, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(payload.len().saturating_add(ENVELOPE_BYTES));
    begin(&mut value, version);
    value.extend_from_slice(payload);
    finish(&mut value);
    value
}

/// The payload of a value whose version must be `version`.
pub(crate) fn open<'a>(what: &'static str, version: u8, value: &'a [u8]) -> Result<&'a [u8], Damage> {
    let (found, payload) = open_any(what, value)?;
    if found == version {
        Ok(payload)
    } else {
        Err(Damage::new(what, format!("version {found} is not known")))
    }
}

/// The version and payload of a value.
pub(crate) fn open_any<'a>(what: &'static str, value: &'a [u8]) -> Result<(u8, &'a [u8]), Damage> {
    let short = || Damage::new(what, format!("{} bytes are too few", value.len()));
    let (&version, rest) = value.split_first().ok_or_else(short)?;
    let (sum, payload) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if u32::from_le_bytes(*sum) == checksum(version, payload) {
        Ok((version, payload))
    } else {
        Err(Damage::new(what, "its checksum does not match"))
    }
}

fn checksum(version: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[version]), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let value = wrap(3, b"payload");
        assert_eq!(open("row", 3, &value).unwrap(), b"payload");
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open_any("row", &flipped).is_err(), "bit {bit}");
        }
        for length in 0..value.len() {
            assert!(open_any("row", &value[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn an_unknown_version_is_named() {
        let error = open("row", 1, &wrap(2, b"")).unwrap_err();
        assert_eq!(error.to_string(), "row is damaged: version 2 is not known");
    }
}
