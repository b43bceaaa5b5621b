//! What stands at some places in the `data` of a batch's events, found in one pass over the JSON of each.
//!
//! A validator or monitor that looks at a few fields need not parse: the host does, once for all that share a batch and ask for the same
//! places.

use super::seek::{Found, Row};
use super::{Places, TextColumn};
use crate::limits::MAX_VALUES_BYTES;

/// What stands at a place; the numbers are those of the WIT package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueKind {
    /// Nothing: there is no such place.
    #[default]
    Missing = 0,
    /// `null`.
    Null = 1,
    /// `false`.
    False = 2,
    /// `true`.
    True = 3,
    /// A number.
    Number = 4,
    /// A string.
    String = 5,
    /// An array.
    Array = 6,
    /// An object.
    Object = 7,
}

/// Why values were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// There is more than [`MAX_VALUES_BYTES`] at the places.
    #[error("the values have more than {MAX_VALUES_BYTES} bytes: ask for fewer places at once")]
    TooLarge,
    /// The time for it is over.
    #[error("the time for reading the values is over")]
    Late,
}

/// The values of a batch's events: of each event in turn, of each place in turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventValues {
    kinds: Vec<u8>,
    numbers: Vec<f64>,
    texts: TextColumn,
}

impl EventValues {
    /// Reads what stands at `places` in each of `data`, which is JSON that was checked before. Each time that
    /// [`VALUES_BYTES_PER_LOOK`](crate::limits::VALUES_BYTES_PER_LOOK) were stepped over, `is_over` is asked whether the time for it
    /// is over.
    ///
    /// # Errors
    /// When it is more than [`MAX_VALUES_BYTES`], of which no more is copied than that; when the time is over.
    pub fn read<'a>(
        data: impl ExactSizeIterator<Item = &'a str>,
        places: &Places,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Self, ValuesError> {
        let of_each = places.pointers().len();
        let count = data.len().saturating_mul(of_each);
        if count > MAX_VALUES_BYTES / size_of::<f64>() {
            return Err(ValuesError::TooLarge);
        }
        let mut values =
            Self { kinds: Vec::with_capacity(count), numbers: Vec::new(), texts: TextColumn::default() };
        values.texts.reserve(count);
        let mut row = Row::new(is_over);
        for text in data {
            row.clear(of_each);
            row.find(&places.tree, text)?;
            values.push(&row, count);
        }
        Ok(values)
    }

    fn push(&mut self, row: &Row<'_>, count: usize) {
        let any = |found: &Found<'_>| found.kind == ValueKind::Number;
        if self.numbers.is_empty() && row.found.iter().any(any) {
            // Where no number was found, none cross.
            self.numbers.reserve(count);
            self.numbers.resize(self.kinds.len(), 0.0);
        }
        if self.numbers.capacity() > 0 {
            self.numbers.extend(row.found.iter().map(|found| found.number));
        }
        self.kinds.extend(row.found.iter().map(|found| found.kind as u8));
        for found in &row.found {
            self.texts.push(row.text(found));
        }
    }

    /// One [`ValueKind`] for each event and place.
    pub fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    /// One number for each event and place, 0 where is none; empty if there is none at all.
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    /// One string for each event and place: a string without quotes and escapes, an array or object as JSON, the digits of an
    /// integer that its number does not hold exactly, and nothing for all others.
    pub fn texts(&self) -> &TextColumn {
        &self.texts
    }

    /// Bytes of all columns.
    pub fn bytes(&self) -> usize {
        let ends = size_of_val(self.texts.ends());
        self.kinds.len() + size_of_val(self.numbers()) + self.texts.bytes().len() + ends
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// What the values say of one event and place, as JSON would.
    fn value(values: &EventValues, index: usize) -> Option<Value> {
        let text = values.texts().get(index).unwrap();
        let number = values.numbers().get(index).copied().unwrap_or(0.0);
        Some(match values.kinds()[index] {
            0 => return None,
            1 => Value::Null,
            2 => false.into(),
            3 => true.into(),
            4 if text.is_empty() => json!(number),
            4 | 6 | 7 => serde_json::from_str(text).unwrap(),
            5 => text.into(),
            other => panic!("no kind has the number {other}"),
        })
    }

    /// Integers and doubles of one value are one here: a column has only doubles.
    fn alike(expected: Option<&Value>, found: Option<&Value>) -> bool {
        match (expected, found) {
            (Some(Value::Number(expected)), Some(Value::Number(found))) => {
                expected == found || expected.as_f64() == found.as_f64()
            }
            (expected, found) => expected == found,
        }
    }

    fn asked(pointers: &[&str]) -> Places {
        Places::new(pointers.iter().map(|pointer| (*pointer).to_owned()).collect()).unwrap()
    }

    fn read<'a>(
        data: impl ExactSizeIterator<Item = &'a str>,
        places: &Places,
    ) -> Result<EventValues, ValuesError> {
        EventValues::read(data, places, &|| false)
    }

    fn check(data: &[Value], places: &Places) {
        let compact: Vec<String> = data.iter().map(Value::to_string).collect();
        let values = read(compact.iter().map(String::as_str), places).unwrap();
        let spaced: Vec<String> =
            data.iter().map(|data| serde_json::to_string_pretty(data).unwrap()).collect();
        let again = read(spaced.iter().map(String::as_str), places).unwrap();
        assert_eq!((values.kinds(), values.numbers()), (again.kinds(), again.numbers()));
        for (row, data) in data.iter().enumerate() {
            for (number, place) in places.pointers().iter().enumerate() {
                let found = value(&values, row * places.pointers().len() + number);
                assert!(
                    alike(data.pointer(place), found.as_ref()),
                    "{place} of {data}: {found:?} instead of {:?}",
                    data.pointer(place)
                );
            }
        }
        assert!(values.numbers().is_empty() || values.numbers().len() == values.kinds().len());
        assert_eq!(values.texts().len(), values.kinds().len());
    }

    #[test]
    fn each_kind_of_value_is_found() {
        let data = json!({"s": "a\"\n", "n": -1.5, "t": true, "f": false, "z": null, "a": [1, {"b": 2}], "o": {"x/y": "é"}, "": 1});
        let pointers = [
            "/s", "/n", "/t", "/f", "/z", "/a", "/a/0", "/a/1/b", "/a/2", "/a/01", "/o", "/o/x~1y", "/no",
            "/", "", "/s/0", "/s", "/s",
        ];
        check(&[data, json!({}), json!({"n": "text"})], &asked(&pointers));
    }

    #[test]
    fn large_integers_keep_their_digits() {
        let data = r#"{"a":9007199254740993,"b":9007199254740992,"e":9007199254740991,"c":-9223372036854775807,"d":18446744073709551615}"#;
        let values = read([data].into_iter(), &asked(&["/a", "/b", "/c", "/d", "/e"])).unwrap();
        let texts: Vec<_> = (0..5).map(|index| values.texts().get(index).unwrap()).collect();
        assert_eq!(
            texts,
            ["9007199254740993", "9007199254740992", "-9223372036854775807", "18446744073709551615", ""]
        );
        assert_eq!(
            values.numbers(),
            [
                9007199254740992.0,
                9007199254740992.0,
                -9223372036854775807.0,
                18446744073709551615.0,
                9007199254740991.0
            ]
        );
    }

    #[test]
    fn a_column_without_numbers_is_left_out() {
        let values = read(["{\"a\":\"x\"}", "{}", "nonsense"].into_iter(), &asked(&["/a"])).unwrap();
        assert_eq!((values.kinds(), values.numbers()), (&[5, 0, 0][..], &[][..]));
        assert_eq!(values.texts().bytes(), b"x");
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        let data = json!({"a": "x".repeat(MAX_VALUES_BYTES / 4)}).to_string();
        let copies = |copies: usize| read(std::iter::repeat_n(data.as_str(), copies), &asked(&["/a"]));
        assert!(copies(4).is_ok());
        assert_eq!(copies(5).unwrap_err(), ValuesError::TooLarge);
        let many = std::iter::repeat_n("{}", MAX_VALUES_BYTES / 8);
        assert_eq!(read(many, &asked(&["/a", "/b"])).unwrap_err(), ValuesError::TooLarge);
    }

    #[test]
    fn elements_are_found_in_whatever_order_they_are_asked_for() {
        let data = [json!([0, 1, 2, {"a": 3}, 4]), json!({"0": "o", "3": "t"}), json!([])];
        check(&data, &asked(&["/3/a", "/9", "/0", "/x", "/4", "/0", "/01", "/1/a", "/3"]));
    }

    #[test]
    fn a_reading_ends_with_its_time() {
        let data = json!({"a": "x".repeat(1 << 10)}).to_string();
        let events = || std::iter::repeat_n(data.as_str(), 1 << 10);
        let looks = std::cell::Cell::new(0);
        let until = |last: usize| {
            looks.set(0);
            EventValues::read(events(), &asked(&["/a"]), &|| {
                looks.set(looks.get() + 1);
                looks.get() >= last
            })
        };
        assert!(until(usize::MAX).is_ok());
        assert!((8..=32).contains(&looks.get()), "{}", looks.get());
        assert_eq!(until(3).unwrap_err(), ValuesError::Late);
        assert_eq!(looks.get(), 3);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let key = prop::sample::select(vec!["a", "b", "0", "1", "x/y", "~", "é"]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone().prop_map(str::to_owned), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn text_that_is_no_json_harms_nothing(text in r#"[{}\[\]:,"\\0-9a-e.é ]{0,40}"#, more in any::<String>()) {
            let data = [text.as_str(), more.as_str()];
            let values = read(data.into_iter(), &asked(&["/a", "", "/0/1", "/a/b"])).unwrap();
            prop_assert_eq!(values.kinds().len(), 8);
        }

        #[test]
        fn every_place_is_found_as_a_json_pointer_finds_it(
            data in prop::collection::vec(json_value(), 1..4),
            steps in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["a", "b", "0", "1", "x~1y", "~0", "é"]), 0..4), 1..6),
        ) {
            let places: Vec<String> =
                steps.iter().map(|steps| steps.iter().map(|step| format!("/{step}")).collect()).collect();
            check(&data, &Places::new(places).unwrap());
        }
    }
}
