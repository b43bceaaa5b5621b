//! Finds places in JSON text that was checked before, such as an event's `data`, without reading more of it than leads there.
//!
//! Readers of JSON check all that they pass; here that was done when the event came, and what lies between is stepped over. What a
//! place holds is read by the libraries. Text that is no JSON after all leads to no place, or to a wrong one, and no further.

use std::borrow::Cow;

use super::ValueKind;
use super::places::{Node, element};

/// What was found at each of the places.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    pub(super) found: Vec<Found<'a>>,
    /// Strings that had escapes, by their place.
    pub(super) unescaped: Vec<(usize, String)>,
}

/// What was found at one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) kind: ValueKind,
    pub(super) number: f64,
    pub(super) text: &'a str,
}

impl<'a> Row<'a> {
    /// Nothing was found yet at so many places.
    pub(super) fn clear(&mut self, places: usize) {
        self.found.clear();
        self.found.resize(places, Found::default());
        self.unescaped.clear();
    }

    /// Looks for what is asked for at and below `node` in JSON text. Where it is no JSON, what is left of it has no place.
    pub(super) fn find(&mut self, node: &Node, text: &'a str) {
        let mut steps = Steps { text, at: 0 };
        let _ = match node.ends.is_empty() {
            // All of it need not be stepped over first.
            true => self.descend(node, steps),
            false => steps.value().map(|value| self.seek(node, value)),
        };
    }

    #[inline]
    fn seek(&mut self, node: &Node, value: Value<'a>) {
        for &place in &node.ends {
            self.take(place, value);
        }
        if let (false, Value::Compound(text)) = (node.children.is_empty(), value) {
            let _ = self.descend(node, Steps { text, at: 0 });
        }
    }

    fn descend(&mut self, node: &Node, mut steps: Steps<'a>) -> Option<()> {
        match steps.next()? {
            b'{' => self.members(node, steps),
            b'[' => self.elements(node, steps),
            _ => None,
        }
    }

    fn members(&mut self, node: &Node, mut steps: Steps<'a>) -> Option<()> {
        // Keys often come in the order in which they are asked for.
        let (mut expected, mut left) = (0, node.children.len());
        while left > 0 && steps.peek()? != b'}' {
            let child = match node.children.get(expected) {
                Some(child) if steps.skip(&child.member) => Some((expected, &child.node)),
                _ => {
                    let key = steps.string()?.unescaped()?;
                    if steps.next()? != b':' {
                        return None;
                    }
                    node.child(&key)
                }
            };
            let value = steps.value()?;
            if let Some((place, child)) = child {
                self.seek(child, value);
                (expected, left) = (place + 1, left - 1);
            }
            if steps.next()? != b',' {
                break;
            }
        }
        Some(())
    }

    fn elements(&mut self, node: &Node, mut steps: Steps<'a>) -> Option<()> {
        let mut left = node.children.len();
        for number in 0_usize.. {
            if left == 0 || steps.peek()? == b']' {
                break;
            }
            let value = steps.value()?;
            for child in node.children.iter().filter(|child| element(&child.key) == Some(number)) {
                self.seek(&child.node, value);
                left -= 1;
            }
            if steps.next()? != b',' {
                break;
            }
        }
        Some(())
    }

    /// Takes the value that stands at `place`.
    #[inline]
    fn take(&mut self, place: usize, value: Value<'a>) {
        let Some(found) = self.found.get_mut(place) else { return };
        let of = |kind| Found { kind, ..Found::default() };
        *found = match value {
            Value::String(string) if string.escaped => {
                self.unescaped.push((place, string.unescaped().unwrap_or_default().into_owned()));
                of(ValueKind::String)
            }
            Value::String(string) => Found { text: string.inner, ..of(ValueKind::String) },
            Value::Compound(text) if text.starts_with('[') => Found { text, ..of(ValueKind::Array) },
            Value::Compound(text) => Found { text, ..of(ValueKind::Object) },
            Value::Plain(text) => match text.as_bytes().first() {
                Some(b'n') => of(ValueKind::Null),
                Some(b'f') => of(ValueKind::False),
                Some(b't') => of(ValueKind::True),
                _ => number(text).map_or_else(Found::default, |number| Found {
                    kind: ValueKind::Number,
                    number,
                    text: digits(text, number),
                }),
            },
        };
    }
}

/// A number as JSON writes it; zero has a sign, too.
fn number(text: &str) -> Option<f64> {
    // Most are short integers.
    let digit = |sum: u32, byte: &u8| match byte {
        b'0'..=b'9' => Some(sum * 10 + u32::from(byte - b'0')),
        _ => None,
    };
    if (1..=SHORT_INTEGER).contains(&text.len())
        && let Some(integer) = text.as_bytes().iter().try_fold(0, digit)
    {
        return Some(integer.into());
    }
    text.parse().ok()
}

/// So many digits are a number of 32 bits.
const SHORT_INTEGER: usize = 9;

/// The digits of an integer that its number may not hold exactly.
fn digits(text: &str, number: f64) -> &str {
    // Below this a double holds every one.
    let exact = number.abs() < 9_007_199_254_740_992.0 || text.contains(['.', 'e', 'E']);
    if exact { "" } else { text }
}

/// A value that was stepped over.
#[derive(Clone, Copy)]
enum Value<'a> {
    String(Quoted<'a>),
    /// An array or an object, all of its text.
    Compound(&'a str),
    /// A number, or one of the three words.
    Plain(&'a str),
}

/// What stands between two quotes.
#[derive(Clone, Copy)]
struct Quoted<'a> {
    inner: &'a str,
    escaped: bool,
}

impl<'a> Quoted<'a> {
    fn unescaped(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return Some(Cow::Borrowed(self.inner));
        }
        serde_json::from_str(&format!("\"{}\"", self.inner)).ok().map(Cow::Owned)
    }
}

/// Steps through JSON text, over whole values.
struct Steps<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Steps<'a> {
    /// The next byte that is no space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
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
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Steps over this text, if it comes next.
    #[inline]
    fn skip(&mut self, text: &str) -> bool {
        let is = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if is {
            self.at += text.len();
        }
        is
    }

    /// Steps over a string.
    #[inline]
    fn string(&mut self) -> Option<Quoted<'a>> {
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
    fn value(&mut self) -> Option<Value<'a>> {
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
