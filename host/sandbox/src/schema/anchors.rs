//! What the validator keeps of the places in a schema where references go by names instead of places.
//!
//! As soon as there is one such reference, it keeps the place of all that may have a name, wherever that stands, and the place where a
//! reference leads with the reference. Both are texts as long as all names of members on the way, and counted nowhere else.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::expansion::path_below;
use super::places::is_reference;

/// Keywords that may name a schema; they are looked for in values that are no schemas, too.
const NAMING: [&str; 4] = ["$anchor", "$dynamicAnchor", "$id", "id"];
/// Bytes of an address for each byte of a place.
const ENCODED: usize = 3;

/// Bytes of these places, about; none where all references go by places.
pub(super) fn path_bytes(schema: &Value) -> usize {
    let mut found = Found::default();
    found.look(schema, 0);
    let Found { references, named, longest } = found;
    if references == 0 {
        0
    } else {
        named.saturating_add(references.saturating_mul(longest).saturating_mul(ENCODED))
    }
}

#[derive(Default)]
struct Found {
    /// References by name.
    references: usize,
    /// Bytes of all places that may have one.
    named: usize,
    /// Bytes of the longest of them.
    longest: usize,
}

impl Found {
    fn look(&mut self, value: &Value, path: usize) {
        match value {
            Value::Object(members) => {
                if NAMING.iter().any(|name| members.contains_key(*name)) {
                    self.named = self.named.saturating_add(path);
                    self.longest = self.longest.max(path);
                }
                for (name, inner) in members {
                    let is_named = inner.as_str().is_some_and(is_by_name);
                    self.references =
                        self.references.saturating_add(usize::from(is_reference(name) && is_named));
                    self.look(inner, path_below(path, name));
                }
            }
            Value::Array(values) => values.iter().for_each(|inner| self.look(inner, path_below(path, ""))),
            _ => {}
        }
    }
}

fn is_by_name(reference: &str) -> bool {
    let fragment = reference.split_once('#').map(|(_, fragment)| fragment);
    fragment.is_some_and(|fragment| {
        let decoded = percent_decode_str(fragment).decode_utf8_lossy();
        !decoded.is_empty() && !decoded.starts_with('/')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_count_where_a_reference_goes_by_name() {
        let long = "x".repeat(1_000);
        let by = |reference: &str| {
            json!({"properties": {&long: {"$anchor": "a", "examples": [{"id": 0}, {"b": 0}]}},
                "allOf": [{"$ref": reference}, {"$ref": reference}]})
        };
        assert_eq!(path_bytes(&by("#/properties/a")), 0);
        assert_eq!(path_bytes(&by("#")), 0);
        let bytes = path_bytes(&by("#a"));
        assert!(
            (8_000..8_500).contains(&bytes),
            "two places, and the longer one with each reference: {bytes}"
        );
        assert_eq!(path_bytes(&by("#%61")), bytes);
    }
}
