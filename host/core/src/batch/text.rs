//! Strings in one buffer.

/// Strings in one buffer: string `i` is `bytes[ends[i-1]..ends[i]]`, the first starts at 0. UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    text: String,
    ends: Vec<u32>,
}

impl TextColumn {
    /// Adds a string. Batches are limited by [`crate::limits`], far below the 4 GiB that the offsets can address; beyond
    /// that the string is added empty.
    #[inline]
    pub fn push(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.end(start);
    }

    /// Makes room for so many strings more.
    pub fn reserve(&mut self, strings: usize) {
        self.ends.reserve(strings);
    }

    /// Adds the concatenation of `parts` as one string.
    pub fn push_parts(&mut self, parts: &[&str]) {
        let start = self.text.len();
        for part in parts {
            self.text.push_str(part);
        }
        self.end(start);
    }

    /// Ends the string that starts at `start`.
    #[inline]
    fn end(&mut self, start: usize) {
        if let Ok(end) = u32::try_from(self.text.len()) {
            self.ends.push(end);
        } else {
            self.text.truncate(start);
            self.ends.push(u32::MAX);
        }
    }

    /// String `index`; `None` beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)? as usize,
        };
        self.text.get(start..end)
    }

    /// The number of strings.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All strings' bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Where each string ends in [`Self::bytes`].
    #[inline]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}
