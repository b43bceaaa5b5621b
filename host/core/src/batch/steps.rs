//! Steps through JSON text that was checked before, over whole values. Text that is no JSON after all leads nowhere, or to a wrong
//! place, and no further.

use std::borrow::Cow;

/// A value that was stepped over.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    String(Quoted<'a>),
    /// An array or an object, all of its text.
    Compound(&'a str),
    /// A number, or one of the three words.
    Plain(&'a str),
}

/// What stands between two quotes.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) inner: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Quoted<'a> {
    pub(super) fn unescaped(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return Some(Cow::Borrowed(self.inner));
        }
        serde_json::from_str(&format!("\"{}\"", self.inner)).ok().map(Cow::Owned)
    }
}

/// Steps through JSON text, over whole values.
pub(super) struct Steps<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Steps<'a> {
    /// Before the first byte.
    #[inline]
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The bytes that were stepped over.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes that were stepped over since `start`.
    #[inline]
    pub(super) fn since(&self, start: usize) -> usize {
        self.at.saturating_sub(start)
    }

    /// The next byte that is no space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Steps over that byte.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Steps over this text, if it comes next.
    #[inline]
    pub(super) fn skip(&mut self, text: &str) -> bool {
        let is = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if is {
            self.at += text.len();
        }
        is
    }

    /// Steps over a string.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Quoted<'a>> {
        if self.next()? != b'"' {
            return None;
        }
        let (start, mut escaped) = (self.at, false);
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let place = self.at.checked_add(memchr::memchr2(b'"', b'\\', rest)?)?;
            if self.text.as_bytes().get(place) == Some(&b'"') {
                self.at = place + 1;
                return Some(Quoted { inner: self.text.get(start..place)?, escaped });
            }
            // The byte after a backslash ends nothing.
            self.at = place.checked_add(2)?;
            escaped = true;
        }
    }

    /// Steps over a value.
    #[inline]
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string().map(Value::String),
            b'{' | b'[' => {
                self.compound()?;
                self.text.get(start..self.at).map(Value::Compound)
            }
            _ => {
                let rest = self.text.as_bytes().get(start..)?;
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t');
                self.at = start.checked_add(rest.iter().position(ends).unwrap_or(rest.len()))?;
                self.text.get(start..self.at).map(Value::Plain)
            }
        }
    }

    /// Steps over an array or object: to where as many ended as began.
    fn compound(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open = open.checked_add(1)?,
                b'}' | b']' => open = open.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }
}
