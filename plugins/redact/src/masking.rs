//! The copy of a JSON text without its secrets: all that is no secret is copied as it stands.

use bridge_telemetry_plugin::{
    Result,
    json::{self, Kind, Reader},
};

use crate::Redact;

pub(crate) struct Masking<'a> {
    plugin: &'a Redact,
    reader: Reader<'a>,
    source: &'a str,
    /// What of the source the copy stands for.
    copied: usize,
    copy: String,
    masked: u64,
}

impl<'a> Masking<'a> {
    pub(crate) fn new(plugin: &'a Redact, source: &'a str) -> Self {
        Self { plugin, reader: Reader::new(source), source, copied: 0, copy: String::new(), masked: 0 }
    }

    /// Reads one value and masks the secrets within it.
    pub(crate) fn value(&mut self) -> Result<()> {
        let mut first = true;
        match self.reader.kind()? {
            Kind::Object => {
                self.reader.open_object()?;
                while let Some(key) = self.reader.member(&mut first)? {
                    if self.plugin.is_secret(&key) { self.mask()? } else { self.value()? }
                }
            }
            Kind::Array => {
                self.reader.open_array()?;
                while self.reader.element(&mut first)? {
                    self.value()?;
                }
            }
            Kind::Text => {
                let start = self.reader.position();
                let text = self.reader.text()?;
                if let Some(redacted) = self.plugin.redacted_text(&text) {
                    self.replace(start, &redacted);
                }
            }
            Kind::Null | Kind::Boolean | Kind::Number => {
                self.reader.skip()?;
            }
        }
        Ok(())
    }

    /// The copy and how many values were masked in it; `None` when there was nothing to mask.
    pub(crate) fn finish(mut self) -> Option<(String, u64)> {
        self.copy.push_str(self.source.get(self.copied..).unwrap_or_default());
        (self.masked > 0).then_some((self.copy, self.masked))
    }

    /// Masks a value as a whole, unless it is the mask.
    fn mask(&mut self) -> Result<()> {
        // Moves past the spaces, so that the value's start is known.
        let is_text = self.reader.kind()? == Kind::Text;
        let start = self.reader.position();
        let is_masked = if is_text {
            self.reader.text()? == self.plugin.mask
        } else {
            self.reader.skip()?;
            false
        };
        if !is_masked {
            self.replace(start, &self.plugin.mask);
        }
        Ok(())
    }

    /// Puts a text in the place of what was read since `start`.
    fn replace(&mut self, start: usize, text: &str) {
        self.copy.push_str(self.source.get(self.copied..start).unwrap_or_default());
        json::push_text(&mut self.copy, text);
        self.copied = self.reader.position();
        self.masked += 1;
    }
}
