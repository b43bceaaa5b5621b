//! Numbers as bytes: variable-length integers for rows' values, order-keeping fixed ones for their keys.
//!
//! Reading never panics: what is missing or too long is [`Damage`].

use crate::error::Damage;

const CONTINUES: u8 = 0x80;
const SIGN_BIT: u64 = 1 << 63;

/// Appends `value` in 7-bit groups, lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= u64::from(CONTINUES) {
        out.push((value & 0x7F) as u8 | CONTINUES);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

/// Appends a signed value; near zero is short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Eight bytes that sort like the number.
pub(crate) const fn ordered(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ SIGN_BIT).to_be_bytes()
}

/// The number of [`ordered`] bytes.
pub(crate) const fn from_ordered(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ SIGN_BIT).cast_signed()
}

/// The first key after all keys that begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![u8::MAX; prefix.len().saturating_add(16)]
}

/// Reads what the functions above wrote.
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` of a row called `what` in errors.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// Damage of this row.
    pub(crate) fn damage(&self, reason: &'static str) -> Damage {
        Damage::new(self.what, reason)
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all is read.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails when something is left over.
    pub(crate) fn finish(self) -> Result<(), Damage> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damage("it is longer than its content")) }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| self.damage("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damage("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Damage> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number of [`put_varint`].
    pub(crate) fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & CONTINUES == 0 {
                return Ok(value);
            }
        }
        Err(self.damage("a number in it is too long"))
    }

    /// A number of [`put_varint`] that fits 32 bits.
    pub(crate) fn varint32(&mut self) -> Result<u32, Damage> {
        u32::try_from(self.varint()?).map_err(|_| self.damage("a number in it is too large"))
    }

    /// A count of things that take at least one byte each: never more than there are bytes left.
    pub(crate) fn count(&mut self) -> Result<usize, Damage> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(self.damage("a count in it is too large")),
        }
    }

    /// A number of [`put_signed`].
    pub(crate) fn signed(&mut self) -> Result<i64, Damage> {
        self.varint().map(unzigzag)
    }

    /// Bytes of [`put_bytes`].
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let count = self.count()?;
        self.take(count)
    }

    /// Text of [`put_bytes`].
    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.damage("a text in it is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: u64, signed: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, unsigned);
            put_signed(&mut out, signed);
            put_bytes(&mut out, &bytes);
            let mut reader = Reader::new("row", &out);
            prop_assert_eq!(reader.varint().unwrap(), unsigned);
            prop_assert_eq!(reader.signed().unwrap(), signed);
            prop_assert_eq!(reader.bytes().unwrap(), &bytes[..]);
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn ordered_bytes_sort_like_numbers(one: i64, two: i64) {
            prop_assert_eq!(one.cmp(&two), ordered(one).cmp(&ordered(two)));
            prop_assert_eq!(from_ordered(ordered(one)), one);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new("row", &bytes);
            while reader.varint().is_ok() {}
            let mut reader = Reader::new("row", &bytes);
            while reader.text().is_ok() {}
        }

        #[test]
        fn prefix_ends_after_its_keys(prefix in prop::collection::vec(any::<u8>(), 1..4), more: Vec<u8>) {
            let key = [&prefix[..], &more[..more.len().min(8)]].concat();
            prop_assert!(key < after_prefix(&prefix));
        }
    }
}
