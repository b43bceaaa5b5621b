//! Bytes of saved states of the built-in functions: little-endian, a tag and a count first.
//!
//! A saved state may come from a disk or another machine: reading checks every length before it is used.

/// The format of every built-in state.
pub(super) const VERSION: u32 = 1;

/// What is wrong with a saved state.
pub(super) type Damage = &'static str;

const NOT_A_NUMBER: Damage = "it holds a value that is not a number";

/// Writes one accumulator's states.
#[derive(Debug)]
pub(super) struct StateWriter(Vec<u8>);

impl StateWriter {
    /// Begins a state of `groups` groups of the kind `tag`.
    pub(super) fn new(tag: u8, groups: u32) -> Self {
        let mut writer = Self(vec![tag]);
        writer.bytes(&groups.to_le_bytes());
        writer
    }
    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
    pub(super) fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }
    pub(super) fn f64(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }
    pub(super) fn flag(&mut self, value: bool) {
        self.bytes(&[u8::from(value)]);
    }
    pub(super) fn f64s(&mut self, values: &[f64]) {
        let start = self.0.len();
        self.0.resize(start.saturating_add(values.len().saturating_mul(8)), 0);
        let (slots, _) = self.0.get_mut(start..).unwrap_or_default().as_chunks_mut::<8>();
        for (slot, value) in slots.iter_mut().zip(values) {
            *slot = value.to_le_bytes();
        }
    }
    /// Bytes with their length in front.
    pub(super) fn sized(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.bytes(bytes);
    }
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Reads one accumulator's states.
#[derive(Debug)]
pub(super) struct StateReader<'a>(&'a [u8]);

impl<'a> StateReader<'a> {
    /// Checks the tag; answers the reader and the number of groups.
    pub(super) fn open(bytes: &'a [u8], tag: u8) -> Result<(Self, usize), Damage> {
        let mut reader = Self(bytes);
        let [found] = reader.array()?;
        if found != tag {
            return Err("it is of another function");
        }
        let groups = u32::from_le_bytes(reader.array()?) as usize;
        // Every group takes a byte at least: a count beyond the bytes cannot make anybody reserve memory.
        if groups > reader.0.len() {
            return Err("it is shorter than its groups");
        }
        Ok((reader, groups))
    }
    pub(super) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }
    pub(super) fn i64(&mut self) -> Result<i64, Damage> {
        self.array().map(i64::from_le_bytes)
    }
    /// Any number but a NaN.
    pub(super) fn f64(&mut self) -> Result<f64, Damage> {
        let value = self.array().map(f64::from_le_bytes)?;
        if value.is_nan() { Err(NOT_A_NUMBER) } else { Ok(value) }
    }
    pub(super) fn flag(&mut self) -> Result<bool, Damage> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err("a flag is neither 0 nor 1"),
        }
    }
    pub(super) fn f64s(&mut self, count: u64) -> Result<Vec<f64>, Damage> {
        let count = usize::try_from(count).map_err(|_| "it is shorter than its values")?;
        let bytes = count.checked_mul(8).and_then(|length| self.0.split_at_checked(length));
        let (bytes, rest) = bytes.ok_or("it is shorter than its values")?;
        self.0 = rest;
        let values: Vec<f64> =
            bytes.as_chunks::<8>().0.iter().map(|value| f64::from_le_bytes(*value)).collect();
        if values.iter().any(|value| value.is_nan()) { Err(NOT_A_NUMBER) } else { Ok(values) }
    }
    /// What [`StateWriter::sized`] wrote.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.u64()?;
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (bytes, rest) = split.ok_or("it is shorter than its parts")?;
        self.0 = rest;
        Ok(bytes)
    }
    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Damage> {
        if self.0.is_empty() { Ok(()) } else { Err("it is longer than its groups") }
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(*head)
    }
}
