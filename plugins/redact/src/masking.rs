//! Copies of a batch's objects without their secrets: all that is no secret is copied as it stands.
//!
//! Where there are patterns, the texts of all objects are gathered first ([`Gathering`]), so that each pattern is searched for once for
//! the batch; then those objects are copied that have secrets ([`Masking`]). Without patterns there is only the second.

use std::iter::Peekable;
use std::ops::Range;
use std::vec;

use bridge_telemetry_plugin::patterns::{Found, Texts};
use bridge_telemetry_plugin::{Result, counters, json};

use crate::Redact;
use crate::places::{self, WHOLE};
use crate::walk::{Visitor, walk};

/// What stands in place of an object that would be too long with its secrets masked.
const MASKED_WHOLE: &str = r#"{"redacted":true}"#;
/// Most bytes of a batch's copies that are longer than their sources: with the others, which are no longer than a batch may be, they
/// are three quarters of what a plugin may answer.
const MAX_GROWN_BYTES: usize = 8 << 20;

/// The texts of a batch's objects.
pub(crate) struct Gathering<'a> {
    plugin: &'a Redact,
    texts: Texts,
    objects: Vec<Object>,
    has_secret: bool,
}

/// One object whose texts were gathered.
struct Object {
    /// How many texts stand in it and in those before it.
    texts: usize,
    /// Whether a value is to be masked for its key.
    has_secret: bool,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(plugin: &'a Redact) -> Self {
        Self { plugin, texts: Texts::new(), objects: Vec::new(), has_secret: false }
    }

    /// Takes the texts of the batch's next object.
    pub(crate) fn object(&mut self, json: &str) -> Result<()> {
        self.has_secret = false;
        walk(self.plugin, json, self)?;
        self.objects.push(Object { texts: self.texts.len(), has_secret: self.has_secret });
        Ok(())
    }

    /// Searches them.
    pub(crate) fn search(self) -> Result<Masking<'a>> {
        let places = places::of_all(&self.plugin.patterns, &self.texts)?;
        Ok(Masking::new(self.plugin, self.objects, places))
    }
}

impl Visitor for Gathering<'_> {
    fn text(&mut self, text: &str, _: Range<usize>) -> Result<()> {
        self.texts.push(text)
    }

    fn secret(&mut self, _: Range<usize>) {
        self.has_secret = true;
    }
}

/// Copies the objects of a batch, in their order.
pub(crate) struct Masking<'a> {
    plugin: &'a Redact,
    /// Those whose texts were searched and that are still to come; none without patterns.
    objects: vec::IntoIter<Object>,
    /// What is to be masked in the texts that are still to come.
    places: Peekable<vec::IntoIter<Found>>,
    /// How many texts went by.
    texts: usize,
    /// Bytes that copies which are longer than their sources may still have.
    room: usize,
    masked_values: u64,
    texts_given_up: u64,
    objects_masked_whole: u64,
}

impl<'a> Masking<'a> {
    fn new(plugin: &'a Redact, objects: Vec<Object>, places: Vec<Found>) -> Self {
        let (objects, places) = (objects.into_iter(), places.into_iter().peekable());
        Self {
            plugin,
            objects,
            places,
            texts: 0,
            room: MAX_GROWN_BYTES,
            masked_values: 0,
            texts_given_up: 0,
            objects_masked_whole: 0,
        }
    }

    /// The batch's next object without its secrets; `None` when it has none. All else stays as it is, numbers to the last digit. With
    /// more bytes than `limit`, and than it had, it would be refused: then nothing of it is left.
    pub(crate) fn redacted(&mut self, json: &str, limit: usize) -> Result<Option<String>> {
        if !self.may_hold_secret(json) {
            return Ok(None);
        }
        let plugin = self.plugin;
        let most = limit.min(self.room).max(json.len());
        let mut copy = ObjectCopy { masking: self, source: json, copied: 0, copy: String::new(), most };
        walk(plugin, json, &mut copy)?;
        let Some(copy) = copy.finish() else { return Ok(None) };
        if copy.len() > most {
            self.objects_masked_whole += 1;
            return Ok(Some(MASKED_WHOLE.to_owned()));
        }
        if copy.len() > json.len() {
            self.room = self.room.saturating_sub(copy.len());
        }
        Ok(Some(copy))
    }

    /// Counts what was masked: once for the batch.
    pub(crate) fn count(self) {
        let counts = [
            ("masked_values", self.masked_values),
            ("texts_given_up", self.texts_given_up),
            ("objects_masked_whole", self.objects_masked_whole),
        ];
        for (name, count) in counts {
            if count > 0 {
                counters::add(name, count);
            }
        }
    }

    fn may_hold_secret(&mut self, json: &str) -> bool {
        let Some(object) = self.objects.next() else { return self.plugin.may_hold_secret(json) };
        let is_found = self.places.peek().is_some_and(|place| place.text < object.texts);
        let may = is_found || object.has_secret;
        if !may {
            self.texts = object.texts;
        }
        may
    }

    /// The next text with its places masked; `None` when that changes nothing. With more bytes than `most` it may be only a part.
    fn text(&mut self, text: &str, most: usize) -> Option<String> {
        let number = self.texts;
        self.texts += 1;
        let mut redacted = String::new();
        let mut copied = 0;
        while let Some(place) = self.places.next_if(|place| place.text == number) {
            if redacted.len() <= most {
                redacted += text.get(copied..place.range.start).unwrap_or_default();
                redacted += &self.plugin.mask;
            }
            copied = place.range.end;
            self.texts_given_up += u64::from(copied == WHOLE);
        }
        if copied == 0 {
            return None;
        }
        redacted += text.get(copied..).unwrap_or_default();
        (redacted != text).then_some(redacted)
    }
}

/// The copy of one object.
struct ObjectCopy<'a, 'b> {
    masking: &'a mut Masking<'b>,
    source: &'a str,
    /// What of the source the copy stands for.
    copied: usize,
    copy: String,
    /// Bytes that it may have. What comes when it has more is left out, as nobody will have it.
    most: usize,
}

impl ObjectCopy<'_, '_> {
    /// Puts a text in the place of a value.
    fn replace(&mut self, place: Range<usize>, text: &str) {
        if self.copy.len() <= self.most {
            self.copy += self.source.get(self.copied..place.start).unwrap_or_default();
            json::push_text(&mut self.copy, text);
        }
        self.copied = place.end;
        self.masking.masked_values += 1;
    }

    /// All of it; `None` when there was nothing to mask.
    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        if self.copy.len() <= self.most {
            self.copy += self.source.get(self.copied..).unwrap_or_default();
        }
        Some(self.copy)
    }
}

impl Visitor for ObjectCopy<'_, '_> {
    fn text(&mut self, text: &str, place: Range<usize>) -> Result<()> {
        if let Some(redacted) = self.masking.text(text, self.most) {
            self.replace(place, &redacted);
        }
        Ok(())
    }

    fn secret(&mut self, place: Range<usize>) {
        let plugin = self.masking.plugin;
        self.replace(place, &plugin.mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_CONTEXT_BYTES;
    use bridge_telemetry_plugin::{patterns::Findings, testing};

    #[test]
    fn a_text_that_was_not_searched_is_masked_whole() {
        testing::reset();
        let plugin: Redact = testing::restart(r#"{"patterns":["x"]}"#, None).unwrap();
        let objects =
            [r#"{"a":"one","b":"two"}"#, r#"{"c":["three",{"token":"x"}]}"#, r#"{"d":"four","e":"***"}"#];
        let mut gathering = Gathering::new(&plugin);
        objects.iter().try_for_each(|object| gathering.object(object)).unwrap();
        let found = |text| Found { text, range: 1..2 };
        let findings = Findings { found: vec![found(0), found(3)], given_up: vec![1, 4] };
        let mut masking = Masking::new(&plugin, gathering.objects, places::of(findings));
        let mut redacted = |object: &str| masking.redacted(object, MAX_CONTEXT_BYTES).unwrap();
        assert_eq!(redacted(objects[0]).as_deref(), Some(r#"{"a":"o***e","b":"***"}"#));
        assert_eq!(redacted(objects[1]).as_deref(), Some(r#"{"c":["three",{"token":"***"}]}"#));
        assert_eq!(redacted(objects[2]).as_deref(), Some(r#"{"d":"f***ur","e":"***"}"#), "it was the mask");
        masking.count();
        assert_eq!((testing::counter("masked_values"), testing::counter("texts_given_up")), (4, 2));
    }

    #[test]
    fn copies_that_grow_share_the_room_of_a_batch() {
        testing::reset();
        let plugin: Redact = testing::restart("{}", None).unwrap();
        let mut masking = Masking::new(&plugin, Vec::new(), Vec::new());
        masking.room = 40;
        let mut redacted = |object: &str| masking.redacted(object, MAX_CONTEXT_BYTES).unwrap().unwrap();
        assert_eq!(redacted(r#"{"token":1,"b":2}"#), r#"{"token":"***","b":2}"#);
        assert_eq!(redacted(r#"{"token":1,"b":3}"#), MASKED_WHOLE);
        assert_eq!(redacted(r#"{"token":"long enough"}"#), r#"{"token":"***"}"#, "it became shorter");
        masking.count();
        assert_eq!((testing::counter("masked_values"), testing::counter("objects_masked_whole")), (3, 1));
    }
}
