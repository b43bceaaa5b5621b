//! Finds places in JSON text that was checked before, such as an event's `data`, without reading more of it than leads there.
//!
//! Readers of JSON check all that they pass; here that was done when the event came, and what lies between is stepped over. What a
//! place holds is read by the libraries. Text that is no JSON after all leads to no place, or to a wrong one, and no further.

use super::budget::Budget;
use super::places::Node;
use super::steps::{Steps, Value};
use super::{ValueKind, ValuesError};

/// What was found at each of the places, in one event after the other.
pub(super) struct Row<'a> {
    pub(super) found: Vec<Found<'a>>,
    /// Strings that had escapes.
    unescaped: Vec<String>,
    /// What all events together may still take.
    budget: Budget<'a>,
}

/// What was found at one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) kind: ValueKind,
    pub(super) number: f64,
    text: Text<'a>,
}

/// The text of what was found.
#[derive(Clone, Copy, Debug)]
enum Text<'a> {
    /// As it stands in the event.
    Plain(&'a str),
    /// One of the strings that had escapes, by its number.
    Unescaped(usize),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Plain("")
    }
}

impl<'a> Row<'a> {
    /// Nothing was found yet, and all may be taken until `is_over`.
    pub(super) fn new(is_over: &'a dyn Fn() -> bool) -> Self {
        Self { found: Vec::new(), unescaped: Vec::new(), budget: Budget::new(is_over) }
    }

    /// Nothing was found yet in another event, at so many places.
    pub(super) fn clear(&mut self, places: usize) {
        self.found.clear();
        self.found.resize(places, Found::default());
        self.unescaped.clear();
    }

    /// The text of what was found in this event.
    #[inline]
    pub(super) fn text(&self, found: &Found<'a>) -> &str {
        match found.text {
            Text::Plain(text) => text,
            Text::Unescaped(number) => self.unescaped.get(number).map_or("", String::as_str),
        }
    }

    /// Looks for what is asked for at and below `node` in JSON text. Where it is no JSON, what is left of it has no place.
    ///
    /// # Errors
    /// When all events together have too much, or the time is over. What was found until then may lack anything.
    pub(super) fn find(&mut self, node: &Node, text: &'a str) -> Result<(), ValuesError> {
        let _ = self.search(node, text);
        self.budget.check()
    }

    /// Like all below `None` where the text is no JSON and where the budget is exhausted.
    fn search(&mut self, node: &Node, text: &'a str) -> Option<()> {
        // Without anything in it an event has these places all the same.
        self.budget.step(self.found.len())?;
        let mut steps = Steps::of(text);
        if node.ends.is_empty() {
            // All of it need not be stepped over first.
            return self.descend(node, steps);
        }
        let value = steps.value()?;
        self.budget.step(steps.at())?;
        self.seek(node, value)
    }

    #[inline]
    fn seek(&mut self, node: &Node, value: Value<'a>) -> Option<()> {
        if !node.ends.is_empty() {
            self.take(&node.ends, value)?;
        }
        if let (false, Value::Compound(text)) = (node.children.is_empty(), value) {
            // What is no JSON within ends nothing without, but for the budget.
            let _ = self.descend(node, Steps::of(text));
            return self.budget.check().ok();
        }
        Some(())
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
            let start = steps.at();
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
            // A key that is none of those asked for was compared with each of them.
            self.budget.step(steps.since(start).saturating_add(node.children.len()))?;
            if let Some((place, child)) = child {
                self.seek(child, value)?;
                (expected, left) = (place + 1, left - 1);
            }
            if steps.next()? != b',' {
                break;
            }
        }
        Some(())
    }

    /// Goes along an array as far as elements are asked for.
    fn elements(&mut self, node: &Node, mut steps: Steps<'a>) -> Option<()> {
        let mut next = 0_usize;
        for &(number, place) in &node.elements {
            let child = node.children.get(place)?;
            loop {
                let start = steps.at();
                if steps.peek()? == b']' {
                    return Some(());
                }
                let value = steps.value()?;
                self.budget.step(steps.since(start).saturating_add(1))?;
                let is_asked_for = next == number;
                if is_asked_for {
                    self.seek(&child.node, value)?;
                }
                if steps.next()? != b',' {
                    return Some(());
                }
                next = next.checked_add(1)?;
                if is_asked_for {
                    break;
                }
            }
        }
        Some(())
    }

    /// Takes the value for all places that end where it stands; a string is unescaped once for them.
    #[inline]
    fn take(&mut self, ends: &[usize], value: Value<'a>) -> Option<()> {
        let of = |kind| Found { kind, ..Found::default() };
        let found = match value {
            Value::String(string) if string.escaped => {
                self.budget.step(string.inner.len())?;
                let text = Text::Unescaped(self.unescaped.len());
                self.unescaped.push(string.unescaped().unwrap_or_default().into_owned());
                Found { text, ..of(ValueKind::String) }
            }
            Value::String(string) => Found { text: Text::Plain(string.inner), ..of(ValueKind::String) },
            Value::Compound(text) => {
                let kind = if text.starts_with('[') { ValueKind::Array } else { ValueKind::Object };
                Found { text: Text::Plain(text), ..of(kind) }
            }
            Value::Plain(text) => match text.as_bytes().first() {
                Some(b'n') => of(ValueKind::Null),
                Some(b'f') => of(ValueKind::False),
                Some(b't') => of(ValueKind::True),
                _ => number(text).map_or_else(Found::default, |number| Found {
                    kind: ValueKind::Number,
                    number,
                    text: Text::Plain(digits(text, number)),
                }),
            },
        };
        let bytes = self.text(&found).len().saturating_mul(ends.len());
        self.budget.take(bytes)?;
        for &place in ends {
            if let Some(slot) = self.found.get_mut(place) {
                *slot = found;
            }
        }
        Some(())
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::batch::Places;
    use crate::limits::{MAX_PLACES, MAX_VALUES_BYTES, VALUES_BYTES_PER_LOOK};

    fn places(pointers: &[&str]) -> Places {
        Places::new(pointers.iter().map(|pointer| (*pointer).to_owned()).collect()).unwrap()
    }

    fn texts<'r>(row: &'r Row<'_>) -> Vec<&'r str> {
        row.found.iter().map(|found| row.text(found)).collect()
    }

    #[test]
    fn equal_places_of_a_large_text_are_refused_before_it_is_copied() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20));
        for pointer in ["/a", ""] {
            let mut row = Row::new(&|| false);
            row.clear(MAX_PLACES);
            let asked = places(&[pointer; MAX_PLACES]);
            assert_eq!(row.find(&asked.tree, &large), Err(ValuesError::TooLarge));
            assert_eq!(texts(&row), [""; MAX_PLACES]);
        }
    }

    #[test]
    fn places_within_each_other_are_taken_up_to_the_limit() {
        let large = format!("{}\"{}\"{}", "{\"a\":".repeat(9), "x".repeat(4 << 20), "}".repeat(9));
        let pointers: Vec<String> = (0..10).map(|steps| "/a".repeat(steps)).collect();
        let asked = Places::new(pointers).unwrap();
        let mut row = Row::new(&|| false);
        row.clear(asked.pointers().len());
        assert_eq!(row.find(&asked.tree, &large), Err(ValuesError::TooLarge));
        assert!(texts(&row).iter().map(|text| text.len()).sum::<usize>() <= MAX_VALUES_BYTES);
    }

    #[test]
    fn a_string_is_unescaped_once_for_all_its_places() {
        let mut row = Row::new(&|| false);
        row.clear(MAX_PLACES);
        row.find(&places(&["/a"; MAX_PLACES]).tree, r#"{"a":"x\ny"}"#).unwrap();
        assert_eq!(texts(&row), ["x\ny"; MAX_PLACES]);
        assert_eq!(row.unescaped, ["x\ny"]);
    }

    /// How often it is asked whether the time is over while `pointers` are looked for.
    fn looks(pointers: &[&str], text: &str) -> usize {
        let count = Cell::new(0);
        let is_over = || {
            count.set(count.get() + 1);
            false
        };
        let mut row = Row::new(&is_over);
        row.clear(pointers.len());
        row.find(&places(pointers).tree, text).unwrap();
        count.get()
    }

    #[test]
    fn an_array_is_gone_along_as_far_as_elements_are_asked_for() {
        let elements = 4 * VALUES_BYTES_PER_LOOK;
        let array = format!("[{}0]", "0,".repeat(elements));
        assert_eq!(looks(&["/0", "/x", "/01", "/7"], &array), 0);
        assert_eq!(looks(&["/x"], &array), 0);
        assert!(looks(&["/x", &format!("/{elements}")], &array) >= 3);
    }

    #[test]
    fn a_large_event_ends_with_the_time() {
        let array = format!("[{}0]", "0,".repeat(4 * VALUES_BYTES_PER_LOOK));
        let object = format!("{{\"in\":{{{}\"z\":1}}}}", "\"a\":1,".repeat(VALUES_BYTES_PER_LOOK));
        for (pointer, text) in [("/9999999", &array), ("/in/y", &object)] {
            let count = Cell::new(0);
            let is_over = || {
                count.set(count.get() + 1);
                count.get() == 2
            };
            let mut row = Row::new(&is_over);
            row.clear(1);
            assert_eq!(row.find(&places(&[pointer]).tree, text), Err(ValuesError::Late));
            assert_eq!(count.get(), 2, "{pointer}");
        }
    }
}
