//! Where references lead, and where they may not.

use super::*;

#[test]
fn a_recursive_reference_is_to_the_root() {
    let drafts =
        ["https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"];
    let members: serde_json::Map<String, Value> =
        (0..8_000).map(|number| (format!("{number:x}"), json!(true))).collect();
    for draft in drafts {
        // The validator goes to the root, however small that is to which the text leads.
        let leading = |to: Value| {
            json!({"$schema": draft, "properties": members, "additionalProperties": {"$ref": "#/$defs/d"},
                "$defs": {"s": {}, "d": {"unevaluatedProperties": false, "allOf": vec![json!({"$recursiveRef": to}); 100]}}})
        };
        for other in [json!("#/$defs/s"), json!(""), json!({}), json!(true)] {
            let reason = refused(&leading(other.clone()));
            assert!(reason.contains("may only be #"), "{other}: {reason}");
        }
        assert!(refused(&leading(json!("#"))).contains("leads back"));
    }
    // It is no keyword where it is a name.
    let named = schema(r#"{"properties":{"$recursiveRef":{"type":"integer"}}}"#);
    assert_eq!(named.faults(&json!({"$recursiveRef": "x"}))[0].keyword, "type");
}

#[test]
fn compiling_ends_in_time() {
    let late = Budget { steps: u64::MAX, stack: usize::MAX, end: Some(Instant::now()), ..Budget::default() };
    let measured = Measured::of(r#"{"properties":{"a":{}}}"#).unwrap();
    let built = budget::within(late, || options().build(&measured.counted.schema).map(drop));
    assert!(matches!(built, Err(Cause::Late)));
    assert!(measured.compiled(None).is_ok());
}

#[test]
fn components_of_openapi_are_taken_as_they_are() {
    let text = json!({
        "$ref": "#/components/schemas/Event",
        "openapi": "3.1.0",
        "components": {
            "schemas": {
                "Event": {"type": "object", "required": ["id"],
                    "properties": {"id": {"$ref": "#/components/schemas/Id"}, "below": {"$ref": "#/components/schemas/Event"}}},
                "Id": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
            },
            "responses": {"ok": {"schema": {"pattern": "("}}},
        },
    });
    let schema = schema(&text.to_string());
    assert_eq!(schema.faults(&json!({"id": "ab", "below": {"id": "cd"}})), []);
    let faults = schema.faults(&json!({"id": "ab", "below": {"id": "1"}}));
    let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.keyword.as_str())).collect();
    assert_eq!(found, [("/below/id", "minLength"), ("/below/id", "pattern")]);
    // They are schemas like all others: what multiplies there is counted.
    let mut doubling = json!({"$ref": "#/components/schemas/a0"});
    for place in 0..60 {
        let next = json!({"$ref": format!("#/components/schemas/a{}", place + 1)});
        doubling["components"]["schemas"][format!("a{place}")] = json!({"allOf": [next, next]});
    }
    doubling["components"]["schemas"]["a60"] = json!({"minProperties": 1});
    let faults = self::schema(&doubling.to_string()).faults(&json!({}));
    assert_eq!(faults[0].keyword, "limit", "{faults:?}");
    let unfit = json!({"components": {"schemas": {"A": {"$id": "https://a.example/b.json"}}}});
    assert!(refused(&unfit).contains("only the whole may have one"));
}

#[test]
fn a_long_identifier_is_refused() {
    // What refers keeps it each time.
    let named = |length: usize| {
        let id = format!("https://a.example/{}", "x".repeat(length));
        json!({"$id": id, "$defs": {"a": {}}, "allOf": vec![json!({"$ref": "#/$defs/a"}); 1_000]})
    };
    assert!(refused(&named(limits::MAX_SCHEMA_IDENTIFIER_BYTES)).contains("identifier"));
    let memory = |length: usize| schema(&named(length).to_string()).memory();
    assert!(memory(400) > memory(1) + 1_000 * 399);
}

#[test]
fn a_schema_may_refer_to_itself_by_the_end_of_its_name() {
    for (draft, name) in [
        ("http://json-schema.org/draft-07/schema#", "$id"),
        ("http://json-schema.org/draft-04/schema#", "id"),
    ] {
        let text = json!({"$schema": draft, name: "https://geojson.org/schema/GeoJSON.json",
            "properties": {"a": {"$ref": "GeoJSON.json#/definitions/a"}, "b": {"$ref": "GeoJSON.json"}},
            "definitions": {"a": {"type": "integer"}}});
        let schema = schema(&text.to_string());
        assert_eq!(schema.faults(&json!({"a": 1, "b": {"a": 2}})), []);
        let faults = schema.faults(&json!({"b": {"a": "x"}}));
        assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/b/a", "type"), "{draft}");
    }
}
