//! The values of a JSON text one after the other. Invariant: `at` lies on a character's boundary.

use std::borrow::Cow;

use super::fault::{Fault, mismatch};

/// Deepest nesting that is read: reading goes down by recursion, and a component's stack is small.
const MAX_DEPTH: usize = 128;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A text.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A step from a value to one within it.
pub(super) enum Step<'de> {
    Member(Cow<'de, str>),
    Element(usize),
}

/// Reads a JSON text from its start to its end, without copying it.
///
/// ```
/// use bridge_telemetry_plugin::json::{Kind, Reader};
///
/// let mut reader = Reader::new(r#"{"host":"a","cores":[0.5,1]}"#);
/// let mut numbers = Vec::new();
/// let mut first = true;
/// reader.open_object()?;
/// while let Some(_name) = reader.member(&mut first)? {
///     match reader.kind()? {
///         Kind::Array => {
///             let mut first = true;
///             reader.open_array()?;
///             while reader.element(&mut first)? {
///                 numbers.push(reader.skip()?);
///             }
///         }
///         _ => {
///             reader.skip()?;
///         }
///     }
/// }
/// reader.end()?;
/// assert_eq!(numbers, ["0.5", "1"]);
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
pub struct Reader<'de> {
    json: &'de str,
    at: usize,
    depth: usize,
    /// Where a [`Deserialize`](serde::Deserialize) is. After a failure it stays where that happened.
    path: Vec<Step<'de>>,
}

impl<'de> Reader<'de> {
    /// A reader before the first value.
    pub const fn new(json: &'de str) -> Self {
        Self { json, at: 0, depth: 0, path: Vec::new() }
    }

    /// How many bytes are behind it.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// What the next value is; it stays the next one.
    ///
    /// # Errors
    /// When there is none.
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        match self.peek() {
            b'n' => Ok(Kind::Null),
            b't' | b'f' => Ok(Kind::Boolean),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b'"' => Ok(Kind::Text),
            b'[' => Ok(Kind::Array),
            b'{' => Ok(Kind::Object),
            _ => Err(self.broken("a value is missing")),
        }
    }

    /// Takes a text.
    ///
    /// # Errors
    /// When the next value is none.
    pub fn text(&mut self) -> Result<Cow<'de, str>, Fault> {
        self.expect(b'"', "a text")?;
        let mut decoded: Option<String> = None;
        let mut start = self.at;
        loop {
            let part = self.json.get(start..self.at).unwrap_or_default();
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(part),
                        Some(text) => Cow::Owned(text + part),
                    });
                }
                b'\\' => {
                    self.at += 1;
                    let character = self.escaped()?;
                    let text = decoded.get_or_insert_default();
                    text.push_str(part);
                    text.push(character);
                    start = self.at;
                }
                0..0x20 => return Err(self.broken("a text has no end, or a control character")),
                _ => self.at += 1,
            }
        }
    }

    /// Passes over a value and answers it as it stands.
    ///
    /// # Errors
    /// When there is none, or it is not JSON.
    pub fn skip(&mut self) -> Result<&'de str, Fault> {
        let kind = self.kind()?;
        let start = self.at;
        let mut first = true;
        match kind {
            Kind::Null => self.word("null")?,
            Kind::Boolean => {
                self.boolean()?;
            }
            Kind::Number => {
                self.number()?;
            }
            Kind::Text => {
                self.text()?;
            }
            Kind::Array => {
                self.open_array()?;
                while self.element(&mut first)? {
                    self.skip()?;
                }
            }
            Kind::Object => {
                self.open_object()?;
                while self.member(&mut first)?.is_some() {
                    self.skip()?;
                }
            }
        }
        Ok(self.json.get(start..self.at).unwrap_or_default())
    }

    /// Enters an array; then call [`element`](Self::element) until there is none.
    ///
    /// # Errors
    /// When the next value is none.
    pub fn open_array(&mut self) -> Result<(), Fault> {
        self.expect(b'[', "an array")?;
        self.deeper()
    }

    /// Whether a value follows in the array; else the array is left. `first` is true before the first one.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn element(&mut self, first: &mut bool) -> Result<bool, Fault> {
        self.another(b']', first)
    }

    /// Enters an object; then call [`member`](Self::member) until there is none.
    ///
    /// # Errors
    /// When the next value is none.
    pub fn open_object(&mut self) -> Result<(), Fault> {
        self.expect(b'{', "an object")?;
        self.deeper()
    }

    /// The name of the next member, whose value follows; `None` when the object is left. `first` is true before the first one.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn member(&mut self, first: &mut bool) -> Result<Option<Cow<'de, str>>, Fault> {
        if !self.another(b'}', first)? {
            return Ok(None);
        }
        let name = self.text()?;
        self.expect(b':', "a colon")?;
        Ok(Some(name))
    }

    /// That nothing comes behind the value.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.peek();
        if self.at >= self.json.len() {
            Ok(())
        } else {
            Err(self.broken("something stands behind the value"))
        }
    }

    /// Takes `null` if it is next.
    pub(super) fn null(&mut self) -> Result<bool, Fault> {
        if self.peek() != b'n' {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        if self.peek() == b't' {
            return self.word("true").map(|()| true);
        }
        self.word("false").map(|()| false)
    }

    /// Takes a number, which it answers as it stands.
    pub(super) fn number(&mut self) -> Result<&'de str, Fault> {
        self.peek();
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(self.json.get(start..self.at).unwrap_or_default())
    }

    /// Goes to a value within the present one.
    pub(super) fn enter(&mut self, step: Step<'de>) {
        self.path.push(step);
    }

    /// Goes back to the value that holds the present one.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// The message with the place in front.
    #[cold]
    pub(super) fn locate(&self, fault: Fault) -> String {
        let mut place = String::new();
        for step in &self.path {
            match step {
                Step::Element(index) => place += &format!("[{index}]"),
                Step::Member(name) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place += name;
                }
            }
        }
        if !place.is_empty() {
            place += ": ";
        }
        place + fault.message()
    }

    /// The byte that is next; 0, which no JSON has, at the end.
    fn byte(&self) -> u8 {
        self.json.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is no space; it stays the next one.
    fn peek(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.byte() == byte;
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        if self.peek() == byte {
            self.at += 1;
            return Ok(());
        }
        Err(self.missing(what))
    }

    #[cold]
    fn missing(&mut self, what: &str) -> Fault {
        match self.skip() {
            Ok(found) => mismatch(found, &what),
            Err(fault) => fault,
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::new("it is nested too deeply")) } else { Ok(()) }
    }

    fn another(&mut self, end: u8, first: &mut bool) -> Result<bool, Fault> {
        let next = self.peek();
        if next == end {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        if next != b',' {
            return Err(self.broken("a comma is missing"));
        }
        self.at += 1;
        if self.peek() == end { Err(self.broken("a comma stands before the end")) } else { Ok(true) }
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        match self.json.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(self.broken("a value is missing")),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.broken("a digit is missing")) } else { Ok(()) }
    }

    /// The character that an escape stands for.
    fn escaped(&mut self) -> Result<char, Fault> {
        let byte = self.byte();
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.code_point();
            }
            _ => return Err(self.broken("there is no such escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// What stands behind `\u`, with the second half of a pair where there is one.
    fn code_point(&mut self) -> Result<char, Fault> {
        let mut code = self.hexadecimal()?;
        if (0xd800..0xdc00).contains(&code) && self.take(b'\\') && self.take(b'u') {
            let low = self.hexadecimal()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.broken("half a character is missing"));
            }
            code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        }
        char::from_u32(code).ok_or_else(|| self.broken("half a character is missing"))
    }

    fn hexadecimal(&mut self) -> Result<u32, Fault> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()).to_digit(16);
            number = number * 16 + digit.ok_or_else(|| self.broken("a hexadecimal digit is missing"))?;
            self.at += 1;
        }
        Ok(number)
    }

    #[cold]
    fn broken(&self, what: &str) -> Fault {
        Fault::from(format!("not JSON at byte {}: {what}", self.at))
    }
}
