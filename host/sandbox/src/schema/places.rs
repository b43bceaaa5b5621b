//! Where in a JSON Schema schemas stand, and where references lead once each of them stands behind a counting one.

use jsonschema::Draft;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// Keywords whose value is a schema, or a list of schemas.
const APPLIERS: [&str; 16] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is an object of schemas.
const MAPS: [&str; 4] = ["dependencies", "dependentSchemas", "patternProperties", "properties"];
/// Those whose schemas are applied only where something refers to them.
pub(super) const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// What a reference must not hold as it is.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'%').add(b'#');
/// The way from a counting schema to the one behind it.
pub(super) const BEHIND: &str = "/allOf/1";
/// Keywords that name a schema: they stay before what counts, so that whoever refers to it is counted.
const NAMING: [&str; 4] = ["$anchor", "$dynamicAnchor", "$id", "$recursiveAnchor"];

/// What a value within a schema document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole document: a schema, which may have an identifier.
    Root,
    /// A schema within it.
    Schema,
    /// An object of schemas.
    Map,
    /// What OpenAPI keeps its schemas in, at the root.
    Components,
    /// A list of schemas.
    List,
    /// Anything else.
    Data,
}

/// What a member of something at a place is.
pub(super) fn child_of(place: Place, name: &str, value: &Value) -> Place {
    match place {
        Place::Root | Place::Schema if APPLIERS.contains(&name) => {
            if value.is_array() {
                Place::List
            } else {
                Place::Schema
            }
        }
        Place::Root | Place::Schema if MAPS.contains(&name) => Place::Map,
        Place::Root | Place::Schema if DEFINITIONS.contains(&name) => Place::Map,
        Place::Root if name == "components" => Place::Components,
        Place::Components if name == "schemas" => Place::Map,
        Place::Map | Place::List => Place::Schema,
        _ => Place::Data,
    }
}

/// Whether this keyword refers to another schema.
pub(super) fn is_reference(name: &str) -> bool {
    matches!(name, "$ref" | "$dynamicRef" | "$recursiveRef")
}

/// Whether this keyword identifies schemas: `id` does where the document says that it is of draft 3 or 4.
pub(super) fn is_identifier(root: &Value, key: &str) -> bool {
    let draft = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    key == "$id" || draft.contains("draft-03") || draft.contains("draft-04")
}

/// Whether this keyword names the schema that has it.
pub(super) fn is_naming(root: &Value, key: &str) -> bool {
    NAMING.contains(&key) || (key == "id" && is_identifier(root, key))
}

/// Whether a document is of a draft in which nothing stands beside a reference.
pub(super) fn refers_alone(root: &Value) -> bool {
    matches!(draft_of(root), Draft::Draft4 | Draft::Draft6 | Draft::Draft7)
}

/// The draft that a document is of.
pub(super) fn draft_of(root: &Value) -> Draft {
    Draft::default().detect(root)
}

/// What stands behind the `#` of a reference into the same document: by its own name, or without.
fn fragment_of<'r>(root: &Value, reference: &'r str) -> Option<&'r str> {
    let names = ["$id", "id"].into_iter().filter_map(|key| root.get(key)?.as_str());
    let own = names.map(|id| id.trim_end_matches('#')).find(|id| !id.is_empty());
    let relative = || reference.strip_prefix(own.and_then(file_of)?);
    match own.and_then(|id| reference.strip_prefix(id)).or_else(relative) {
        // Its name alone is the whole.
        Some("") => Some(""),
        within => within.unwrap_or(reference).strip_prefix('#'),
    }
}

/// The last part of an identifier's path, where it alone names the same by RFC 3986.
fn file_of(id: &str) -> Option<&str> {
    let path = match id.split_once("//") {
        Some((_, behind)) => behind.split_once('/')?.1,
        None => id,
    };
    let file = path.rsplit('/').next()?;
    let is_plain = !matches!(file, "" | "." | "..") && !id.contains(['?', '#']) && !file.contains(':');
    is_plain.then_some(file)
}

/// What a step of a JSON Pointer leads to, and its name.
fn stepped<'v>(value: &'v Value, step: &str) -> Option<(String, &'v Value)> {
    let name = step.replace("~1", "/").replace("~0", "~");
    let child = match value {
        Value::Object(members) => members.get(&name),
        Value::Array(values) => name.parse::<usize>().ok().and_then(|place| values.get(place)),
        _ => None,
    };
    child.map(|child| (name, child))
}

/// The schema that a reference leads to; `None` if to none, or by an anchor.
pub(super) fn target_of<'v>(root: &'v Value, reference: &str) -> Option<(&'v Value, Place)> {
    let fragment = fragment_of(root, reference)?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    let pointer = percent_decode_str(fragment).decode_utf8_lossy();
    pointer.split('/').skip(1).try_fold((root, Place::Root), |(value, place), step| {
        let (name, child) = stepped(value, step)?;
        Some((child, child_of(place, &name, child)))
    })
}

/// The same reference where each schema of `root` stands behind a counting one. The error says why it leads nowhere.
pub(super) fn translated(root: &Value, reference: &str) -> Result<String, String> {
    let Some(fragment) = fragment_of(root, reference) else {
        return Err(format!("it refers to {reference}; only what stands in it can be referred to, as #…"));
    };
    // All of it, or an anchor.
    if !fragment.starts_with('/') {
        return Ok(format!("#{fragment}"));
    }
    let pointer = percent_decode_str(fragment).decode_utf8_lossy();
    let (mut value, mut place, mut way) = (root, Place::Root, "#".to_owned());
    for step in pointer.split('/').skip(1) {
        let Some((name, child)) = stepped(value, step) else {
            return Err(format!("it refers to {reference}, where nothing stands"));
        };
        if matches!(place, Place::Root | Place::Schema) && value.is_object() {
            way.push_str(BEHIND);
        }
        way.push('/');
        way.extend(utf8_percent_encode(step, ENCODED));
        (value, place) = (child, child_of(place, &name, child));
    }
    if place == Place::Schema {
        Ok(way)
    } else {
        Err(format!("it refers to {reference}, where no schema stands"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_lead_behind_what_counts() {
        let schema = json!({
            "$defs": {
                "a": {"properties": {"x/y": {"items": [{}, {"not": true}]}, "é %": {}}},
                "b": true,
            },
            "enum": [{"not": {}}],
        });
        let translated = |reference: &str| translated(&schema, reference);
        for (reference, expected) in [
            ("#", "#"),
            ("#name", "#name"),
            ("#/$defs/a", "#/allOf/1/$defs/a"),
            ("#/$defs/b", "#/allOf/1/$defs/b"),
            ("#/$defs/a/properties/x~1y", "#/allOf/1/$defs/a/allOf/1/properties/x~1y"),
            (
                "#/$defs/a/properties/x~1y/items/1/not",
                "#/allOf/1/$defs/a/allOf/1/properties/x~1y/allOf/1/items/1/allOf/1/not",
            ),
            ("#/$defs/a/properties/%C3%A9%20%25", "#/allOf/1/$defs/a/allOf/1/properties/%C3%A9%20%25"),
        ] {
            assert_eq!(translated(reference).as_deref(), Ok(expected));
        }
        for reference in
            ["other.json", "", "#/enum/0/not", "#/$defs", "#/$defs/c", "#/$defs/a/properties/x~1y/items/2"]
        {
            assert!(translated(reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn a_document_may_call_itself_by_its_name() {
        let named = json!({"$id": "https://a.example/b.json#", "$defs": {"a": {"not": {}}}});
        let own = translated(&named, "https://a.example/b.json#/$defs/a/not");
        assert_eq!(own.as_deref(), Ok("#/allOf/1/$defs/a/allOf/1/not"));
        assert_eq!(translated(&named, "https://a.example/b.json#x").as_deref(), Ok("#x"));
        for whole in ["https://a.example/b.json", "https://a.example/b.json#"] {
            assert_eq!(translated(&named, whole).as_deref(), Ok("#"));
        }
        for other in ["https://a.example/c.json#/$defs/a", "https://a.example/b.json5", ""] {
            assert!(translated(&named, other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_document_may_call_itself_by_the_end_of_its_name() {
        let named = |id: &str| json!({"$id": id, "definitions": {"a": {}}});
        for id in [
            "https://geojson.org/schema/b.json",
            "https://a.example/b.json#",
            "schemas/b.json",
            "b.json",
            "urn:example/b.json",
        ] {
            for (reference, expected) in
                [("b.json#/definitions/a", "#/allOf/1/definitions/a"), ("b.json", "#"), ("b.json#x", "#x")]
            {
                assert_eq!(translated(&named(id), reference).as_deref(), Ok(expected), "{id} {reference}");
            }
            for other in ["c.json#/definitions/a", "b.json5", "xb.json#", "schema/b.json#/definitions/a"] {
                assert!(translated(&named(id), other).is_err(), "{id} {other}");
            }
        }
        // By these, the end of the name names something else.
        for (id, reference) in [
            ("https://b.json", "b.json#"),
            ("https://a.example/x?y=/b.json", "b.json#"),
            ("https://a.example/x/..", "..#"),
            ("urn:example:b.json", "b.json#"),
            ("https://a.example/x:b.json", "x:b.json#"),
        ] {
            assert!(translated(&named(id), reference).is_err(), "{id}");
        }
    }

    #[test]
    fn schemas_stand_in_components() {
        let root = json!({
            "components": {"schemas": {"A": {"items": {}}}, "responses": {"B": {"items": {}}}},
            "definitions": {"v1": {"A": {}}},
            "properties": {"components": {"components": {"schemas": {"A": {}}}}},
        });
        let translated = |reference: &str| translated(&root, reference);
        for (reference, expected) in [
            ("#/components/schemas/A", "#/allOf/1/components/schemas/A"),
            ("#/components/schemas/A/items", "#/allOf/1/components/schemas/A/allOf/1/items"),
            ("#/definitions/v1", "#/allOf/1/definitions/v1"),
        ] {
            assert_eq!(translated(reference).as_deref(), Ok(expected));
        }
        for reference in [
            "#/components",
            "#/components/schemas",
            "#/components/responses/B",
            "#/definitions/v1/A",
            "#/properties/components/components/schemas/A",
        ] {
            assert!(translated(reference).unwrap_err().contains("where no schema stands"), "{reference}");
        }
    }

    #[test]
    fn what_names_a_schema_stays_before_what_counts() {
        let (new, old) = (json!({}), json!({"$schema": "http://json-schema.org/draft-04/schema#"}));
        assert!(is_naming(&new, "$id") && is_naming(&new, "$anchor") && is_naming(&old, "id"));
        assert!(!is_naming(&new, "id") && !is_naming(&new, "$ref") && !is_naming(&new, "$defs"));
        assert!(refers_alone(&old) && !refers_alone(&new));
    }
}
