//! What is measured of a document before something is done with it that nothing can stop.

use serde_json::Value;

/// Bytes that a member of an object takes besides its name and its value.
const MEMBER_BYTES: usize = 64;
/// Bytes of a text that count as one more value where values are compared.
const BYTES_PER_VALUE: usize = 64;
/// Bytes of a step of a JSON Pointer into an array: no document has more items.
const INDEX_BYTES: usize = 8;

/// The most bytes that are searched at once: of a text, or of all names of an object, since nothing is counted between them.
pub(super) fn longest_text(document: &Value) -> usize {
    match document {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(members) => {
            let names: usize = members.keys().map(|name| name.len().saturating_add(1)).sum();
            members.values().map(longest_text).fold(names, usize::max)
        }
        _ => 0,
    }
}

/// The most values that comparing the items of one array with each other may look at. Of arrays and objects any number may have one
/// hash, since brackets are not part of it.
pub(super) fn most_compared(document: &Value) -> usize {
    let mut most = 0;
    compared(document, &mut most);
    most
}

/// How much there is to compare of a value. `most` becomes what comparing the items of an array within it takes, where that is more.
fn compared(value: &Value, most: &mut usize) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / BYTES_PER_VALUE,
        Value::Array(items) => {
            let (mut all, mut containers, mut within) = (1_usize, 0_usize, 0_usize);
            for item in items {
                let size = compared(item, most);
                all = all.saturating_add(size);
                if item.is_array() || item.is_object() {
                    containers = containers.saturating_add(1);
                    within = within.saturating_add(size);
                }
            }
            *most = (*most).max(containers.saturating_mul(within));
            all
        }
        Value::Object(members) => members.iter().fold(1, |size: usize, (name, value)| {
            size.saturating_add(1 + name.len() / BYTES_PER_VALUE).saturating_add(compared(value, most))
        }),
        _ => 1,
    }
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
    fn texts_and_the_names_of_an_object_are_long() {
        assert_eq!(longest_text(&json!([1, "abc", {"a": "abcd"}])), 4);
        assert_eq!(longest_text(&json!({"abc": 1, "de": [{"f": null}]})), 7);
    }

    #[test]
    fn only_what_may_have_one_hash_is_compared_much() {
        assert_eq!(most_compared(&json!([1, 2, "3", true])), 0);
        assert_eq!(most_compared(&json!({"a": [[], [[]], 7]})), 2 * 3);
        // The worst of all arrays counts, and long texts within their items do.
        assert_eq!(most_compared(&json!([[1, 2], [[3], [4], [5]]])), 2 * (3 + 7));
        assert_eq!(most_compared(&json!([{"a": "x".repeat(640)}])), 1 + 1 + 11);
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
