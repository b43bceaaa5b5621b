//! What is measured of a document before something is done with it that nothing can stop.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

/// Bytes that a member of an object takes besides its name and its value.
const MEMBER_BYTES: usize = 64;
/// Bytes of a text that count as one more value where values are compared.
const BYTES_PER_VALUE: usize = 64;
/// Bytes of a step of a JSON Pointer into an array: no document has more items.
const INDEX_BYTES: usize = 8;

/// Bytes of the names of an object, with what each search costs that finds nothing to read.
pub(super) fn names_bytes(members: &Map<String, Value>) -> usize {
    members.keys().map(|name| name.len().saturating_add(1)).sum()
}

/// The most of these bytes that an object within a document has.
pub(super) fn most_names(document: &Value) -> usize {
    match document {
        Value::Array(values) => values.iter().map(most_names).max().unwrap_or(0),
        Value::Object(members) => members.values().map(most_names).fold(names_bytes(members), usize::max),
        _ => 0,
    }
}

/// The most values that comparing the items of one array with each other may look at: of different arrays and objects that have one
/// hash, each is compared with all. The validator's hashes have keys that nobody knows; but brackets of arrays are no part of them, so
/// that as many as one likes may have the same.
pub(super) fn most_compared(document: &Value) -> usize {
    let mut most = 0;
    Looked::at(document, &mut most);
    most
}

/// What a value is to whom compares it.
#[derive(Clone, Copy)]
struct Looked {
    /// How much there is to look at.
    size: usize,
    /// The same for values that the validator's hash makes the same: a polynomial of the values within, in order and without brackets.
    hash: u64,
    /// The base to the power of the number of these values.
    power: u64,
    /// The same for equal values alone.
    exact: u64,
}

impl Looked {
    /// Any odd number.
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A value with nothing within.
    fn one(size: usize, of: impl Hash + Copy) -> Self {
        Self { size, hash: hashed(of), power: Self::BASE, exact: hashed(of) }
    }

    /// `most` becomes what comparing the items of an array within it takes, where that is more.
    fn at(value: &Value, most: &mut usize) -> Self {
        match value {
            Value::Null => Self::one(1, ()),
            Value::Bool(value) => Self::one(1, value),
            Value::Number(number) => {
                // Integers beyond the precision of a double have its hash, and are others.
                let double = number.as_f64().map(|number| (number + 0.0).to_bits());
                let exact = number.as_u64().map(u64::cast_signed).or_else(|| number.as_i64());
                Self { exact: hashed((exact, double)), ..Self::one(1, double) }
            }
            Value::String(text) => Self::one(1 + text.len() / BYTES_PER_VALUE, text),
            Value::Array(items) => Self::array(items, most),
            Value::Object(members) => {
                let (mut size, mut hash, mut exact) = (1_usize, 0, 0);
                for (name, value) in members {
                    let looked = Self::at(value, most);
                    size = size.saturating_add(1 + name.len() / BYTES_PER_VALUE).saturating_add(looked.size);
                    hash ^= hashed((name, looked.hash));
                    exact ^= hashed((name, looked.exact));
                }
                Self { size, hash: hashed(hash), power: Self::BASE, exact: hashed(("{", exact)) }
            }
        }
    }

    fn array(items: &[Value], most: &mut usize) -> Self {
        let mut all = Self { size: 1, hash: 0, power: 1, exact: 0 };
        let mut exact = DefaultHasher::new();
        let mut containers = Vec::new();
        for item in items {
            let looked = Self::at(item, most);
            looked.exact.hash(&mut exact);
            all.size = all.size.saturating_add(looked.size);
            all.hash = all.hash.wrapping_mul(looked.power).wrapping_add(looked.hash);
            all.power = all.power.wrapping_mul(looked.power);
            if item.is_array() || item.is_object() {
                containers.push((looked.hash, looked.exact, looked.size));
            }
        }
        *most = (*most).max(compared(containers));
        Self { exact: exact.finish(), ..all }
    }
}

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What comparing those of one hash with each other looks at; the first two that are equal end it.
fn compared(mut containers: Vec<(u64, u64, usize)>) -> usize {
    containers.sort_unstable();
    containers.dedup_by_key(|(hash, exact, _)| (*hash, *exact));
    let alike = containers.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() > 1);
    let work = alike.map(|alike| {
        let size = alike.iter().fold(0_usize, |sum, (_, _, size)| sum.saturating_add(*size));
        alike.len().saturating_mul(size)
    });
    work.fold(0, usize::saturating_add)
}

/// Bytes that a value takes in memory.
pub(super) fn bytes_of(value: &Value) -> usize {
    let within: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(members) => {
            let each = members.iter().map(|(name, value)| MEMBER_BYTES + name.len() + bytes_of(value));
            each.sum()
        }
        _ => 0,
    };
    size_of::<Value>() + within
}

/// Bytes of the longest JSON Pointer into a document.
pub(super) fn longest_path(document: &Value) -> usize {
    match document {
        Value::Array(items) => items.iter().map(longest_path).max().map_or(0, |below| INDEX_BYTES + below),
        Value::Object(members) => {
            // Each sign may be one that is escaped.
            let each = members.iter().map(|(name, value)| 1 + 2 * name.len() + longest_path(value));
            each.max().unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_names_of_one_object_are_searched_at_once() {
        assert_eq!(most_names(&json!([1, "abc", {"a": "abcd"}])), 2);
        assert_eq!(most_names(&json!({"abc": 1, "de": [{"f": null}]})), 7);
        assert_eq!(most_names(&json!({"a": {"b": [{"some name": 1, "": 2}]}})), 11);
    }

    #[test]
    fn only_what_has_one_hash_is_compared() {
        assert_eq!(most_compared(&json!([1, 2, "3", true, 1])), 0);
        assert_eq!(most_compared(&json!({"a": [[], [[]], 7]})), 2 * 3);
        assert_eq!(most_compared(&json!([[1, [2]], [[1], 2], [1, 2, []], [2, 1]])), 3 * (4 + 4 + 4));
        // The worst of all arrays counts, and groups in one are added.
        assert_eq!(
            most_compared(&json!([[[3], [[3]]], [[4], [[], 4], [5], [[5]]]])),
            2 * (2 + 3) + 2 * (2 + 3)
        );
        // Nothing goes on after two that are equal.
        let same = json!({"a": [1, 2]});
        assert_eq!(most_compared(&json!([same, same, same, [], []])), 0);
        // Long texts take longer, and large integers have the hash of a double.
        let long = |within: Value| json!({"a": "x".repeat(640), "b": within});
        assert_eq!(
            most_compared(&json!([long(json!([])), long(json!([[]]))])),
            2 * (2 * (1 + 1 + 11 + 1) + 1 + 2)
        );
        assert_eq!(most_compared(&json!([[u64::MAX], [u64::MAX - 1]])), 2 * (2 + 2));
    }

    #[test]
    fn usual_arrays_are_hardly_compared() {
        let points: Vec<Value> = (0..20_000).map(|x| json!([x, f64::from(x) / 7.0])).collect();
        let rows: Vec<Value> =
            (0..5_000).map(|row| json!({"id": row, "name": "a", "tags": ["a", "b"]})).collect();
        let zeros = vec![json!([0, 0]); 20_000];
        assert_eq!(most_compared(&json!({"line": points, "rows": rows, "zeros": zeros})), 0);
    }

    #[test]
    fn each_value_takes_room() {
        let value = size_of::<Value>();
        assert_eq!(bytes_of(&json!([0, "abc"])), 3 * value + 3);
        assert_eq!(bytes_of(&json!({"ab": {}})), 2 * value + MEMBER_BYTES + 2);
    }

    #[test]
    fn paths_may_be_escaped() {
        assert_eq!(longest_path(&json!(1)), 0);
        assert_eq!(longest_path(&json!({"a/b": [1, {"c": 1}], "d": 1})), 7 + 8 + 3);
    }
}
