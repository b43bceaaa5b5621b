use super::*;

#[test]
fn faults_name_their_path() {
    let schema = Schema::parse(
            r#"{"type":"object","properties":{"a":{"type":"object","properties":{"limit":{"type":"number"}}}},"additionalProperties":false}"#,
        )
        .unwrap();
    assert!(schema.faults(&json!({"a": {"limit": 1}})).is_empty());
    let faults = schema.faults(&json!({"a": {"limit": "x"}, "b": 1}));
    let faults: Vec<String> = faults.iter().map(SchemaFault::to_string).collect();
    assert!(faults.iter().any(|fault| fault.starts_with("/a/limit: ")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with("(top): ") && fault.contains("'b'")), "{faults:?}");
}

#[test]
fn what_counts_changes_no_judgement() {
    let tree = r##"{
            "type": "object",
            "properties": {"all": {"type": "array", "items": {"$ref": "#"}}, "not": {"$ref": "#/properties/all/items"},
                "metric": {"$ref": "#/$defs/name"}, "limit": {"if": {"type": "string"}, "then": {"pattern": "^[0-9]+$"}}},
            "minProperties": 1, "unevaluatedProperties": false,
            "$defs": {"name": {"type": "string", "enum": ["cpu", "load"]}}
        }"##;
    let (ours, plain) = (
        Schema::parse(tree).unwrap(),
        jsonschema::validator_for(&serde_json::from_str(tree).unwrap()).unwrap(),
    );
    for document in [
        json!({"metric": "cpu"}),
        json!({"metric": "disk"}),
        json!({"all": [{"not": {"metric": "load", "limit": "7"}}, {"limit": 5}]}),
        json!({"all": [{"not": {"metric": "load", "limit": "x"}}, {}]}),
        json!({"other": 1}),
        json!([]),
    ] {
        let mut expected: Vec<_> = plain
            .iter_errors(&document)
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect();
        let mut faults: Vec<_> =
            ours.faults(&document).into_iter().map(|fault| (fault.pointer, fault.message)).collect();
        expected.sort();
        faults.sort();
        assert_eq!(faults, expected, "{document}");
    }
}

#[test]
fn names_and_exclusions() {
    let text = r##"{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://a.example/s.json",
            "properties": {"a": {"$ref": "https://a.example/s.json#/definitions/b"}, "c": {"$ref": "#d"}},
            "definitions": {"b": {"not": {"type": "string"}}, "d": {"$id": "#d", "id": "about it", "type": "number"}}}"##;
    let schema = Schema::parse(text).unwrap();
    assert!(schema.faults(&json!({"a": 1, "c": 2})).is_empty());
    let faults: Vec<_> =
        schema.faults(&json!({"a": "x", "c": "y"})).iter().map(SchemaFault::to_string).collect();
    assert_eq!(
        faults,
        [r#"/a: "x" is what the keyword "not" excludes"#, r#"/c: "y" is not of type "number""#]
    );
}

#[test]
fn masked_faults_repeat_no_value_and_name_their_keyword() {
    let schema = Schema::parse(
            r#"{"properties":{"a":{"maxLength":3},"b":{"not":{"type":"string"}},"c":{"enum":["x"]},"d":{"pattern":"^x$"}},"required":["e"]}"#,
        )
        .unwrap();
    let document = json!({"a": "hunter2", "b": "hunter2", "c": "hunter2", "d": "hunter2"});
    let faults = schema.masked_faults(&document, 16, None).unwrap();
    let mut keywords: Vec<_> =
        faults.iter().map(|fault| (fault.pointer.as_str(), fault.keyword.as_str())).collect();
    keywords.sort_unstable();
    let expected = [("", "required"), ("/a", "maxLength"), ("/b", "not"), ("/c", "enum"), ("/d", "pattern")];
    assert_eq!(keywords, expected);
    assert!(faults.iter().all(|fault| !fault.message.contains("hunter2")), "{faults:?}");
    assert_eq!(schema.masked_faults(&document, 2, None).unwrap().len(), 2);
    assert_eq!(schema.masked_faults(&document, 0, None), Ok(Vec::new()));
}

#[test]
fn what_is_no_schema() {
    for text in [
        "",
        "[]",
        r#"{"type": 5}"#,
        r#"{"$ref": "https://example.com/other.json"}"#,
        r##"{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"id": "a.json"}}}"##,
        r##"{"properties": {"a": {"$id": "a.json", "$ref": "#/$defs/b", "$defs": {"b": {}}}}}"##,
        r#"{"pattern":"("}"#,
    ] {
        assert!(Schema::parse(text).is_err(), "{text}");
    }
    assert!(Schema::parse(&" ".repeat(limits::MAX_PLUGIN_SCHEMA_BYTES + 1)).is_err());
}

#[test]
fn names_are_told_of_without_what_counts() {
    let schema = Schema::parse(r#"{"propertyNames":{"not":{"pattern":"^b"},"maxLength":3}}"#).unwrap();
    let document = json!({"beta": "hunter2"});
    let expected = [
        r#"(top): "beta" is longer than 3 characters"#,
        r#"(top): "beta" is what the keyword "not" excludes"#,
    ];
    for faults in [schema.faults(&document), schema.masked_faults(&document, 16, None).unwrap()] {
        let mut faults: Vec<_> = faults.iter().map(SchemaFault::to_string).collect();
        faults.sort();
        assert_eq!(faults, expected);
    }
    let fault = Schema::parse(r#"{"not":[{}]}"#).unwrap_err();
    assert!(!fault.contains(budget::KEYWORD), "{fault}");
}

#[test]
fn usual_patterns_are_searched_in_long_texts() {
    let long = "ab c-".repeat(8_000);
    for pattern in [
        "^.{1,255}$",
        "^[A-Za-z0-9+/=]{1,1000}$",
        "^/[^/]{1,150}/.*$",
        r"^[\\w.!#$%&'*+-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
        r"^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-[0-9a-zA-Z-.]+)?$",
    ] {
        let schema =
            Schema::parse(&format!(r#"{{"properties":{{"a":{{"pattern":"{pattern}"}}}}}}"#)).unwrap();
        assert_eq!(schema.faults(&json!({"b": long})), [], "{pattern}");
        assert_eq!(schema.faults(&json!({"a": ""}))[0].keyword, "pattern", "{pattern}");
    }
}

#[test]
fn definitions_that_refer_to_each_other_are_compiled_once() {
    let names: Vec<String> = (0..9).map(|number| format!("a{number}")).collect();
    let all: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!({"$ref": format!("#/$defs/{name}")}))).collect();
    let each: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!({"properties": all}))).collect();
    let text =
        json!({"unevaluatedProperties": false, "properties": {"x": {"$ref": "#/$defs/a0"}}, "$defs": each});
    let schema = Schema::parse(&text.to_string()).unwrap();
    assert_eq!(schema.faults(&json!({"x": {"a1": {"a2": {}}}})), []);
    assert_eq!(schema.faults(&json!({"y": 1}))[0].keyword, "unevaluatedProperties");
}

#[test]
fn alternatives_are_told_apart_by_their_constants() {
    let text = r#"{"oneOf":[
            {"properties":{"kind":{"const":"a"},"size":{"type":"integer"}},"required":["kind"]},
            {"properties":{"kind":{"const":"b"}},"required":["kind"]},
            {"properties":{"kind":{"const":3}},"required":["kind"]}
        ]}"#;
    let kinds = schema(text);
    for fits in [json!({"kind": "a", "size": 1}), json!({"kind": "b", "size": "x"}), json!({"kind": 3.0})] {
        assert_eq!(kinds.faults(&fits), [], "{fits}");
    }
    for other in [json!({"kind": "a", "size": "x"}), json!({"kind": "c"}), json!({})] {
        assert_eq!(kinds.faults(&other)[0].keyword, "oneOf", "{other}");
    }
    let constant = schema(r#"{"properties":{"a":{"const":{"b":[1,null]}}}}"#);
    assert_eq!(constant.faults(&json!({"a": {"b": [1.0, null]}})), []);
    let faults = constant.masked_faults(&json!({"a": "hunter2"}), 16, None).unwrap();
    assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/a", "const"));
    assert_eq!(faults[0].message, r#"{"b":[1,null]} was expected"#);
    // The first draft does not know it.
    let old = schema(r#"{"$schema":"http://json-schema.org/draft-04/schema#","const":1}"#);
    assert_eq!(old.faults(&json!(2)), []);
}

#[test]
fn references_lead_where_they_did() {
    let both = |number: Value, next: Value| json!({"v": number, "n": next});
    let number = json!({"type": "integer"});
    let whole = "https://a.example/t.json";
    for text in [
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a",
            "definitions": {"a": {"properties": both(number.clone(), json!({"$ref": "#"}))}}}),
        json!({"$id": whole, "properties": both(number.clone(), json!({"$ref": whole}))}),
        json!({"$anchor": "top", "properties": both(json!({"$ref": "#v"}), json!({"$ref": "#top"})),
            "$defs": {"v": {"$anchor": "v", "type": "integer"}}}),
        json!({"$dynamicAnchor": "node", "properties": both(number.clone(), json!({"$dynamicRef": "#node"})),
            "unevaluatedProperties": false}),
        json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true,
            "properties": both(number, json!({"$recursiveRef": "#"}))}),
    ] {
        let schema = schema(&text.to_string());
        assert_eq!(schema.faults(&json!({"v": 1, "n": {"v": 2, "n": {}}})), [], "{text}");
        let faults = schema.faults(&json!({"v": 1, "n": {"n": {"v": "x"}}}));
        assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/n/n/v", "type"), "{text}");
    }
}

#[test]
fn formats_are_strict_and_contents_are_read() {
    let schema = schema(
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"to":{"format":"email"},
            "body":{"contentMediaType":"application/json"},"packed":{"contentMediaType":"application/json","contentEncoding":"base64"}}}"#,
    );
    assert_eq!(schema.faults(&json!({"to": "joe@example.org", "body": "[1,{}]", "packed": "WzFd"})), []);
    for (faulty, keyword) in [
        (json!({"to": "Joe <joe@example.org>"}), "format"),
        (json!({"body": "[1,"}), "contentMediaType"),
        (json!({"packed": "WzEs"}), "contentMediaType"),
    ] {
        assert_eq!(schema.faults(&faulty)[0].keyword, keyword, "{faulty}");
    }
}

/// A schema as tools write them from types in a program: many, which refer to one another.
pub(super) fn types(count: usize) -> Value {
    let described = "What is known of one of the things that there are, as far as it was told. ".repeat(5);
    let types = (0..count).map(|number| {
        let other = |step: usize| json!({"$ref": format!("#/$defs/Type{}", (number + step) % count)});
        let own = json!({
            "description": described,
            "allOf": [{"$ref": "#/$defs/Base"}],
            "properties": {
                "kind": {"const": format!("type-{number}")},
                "name": {"type": "string", "pattern": "^\\p{L}[\\p{L}0-9 _-]{0,62}$"},
                "labels": {"patternProperties": {"^[a-z][a-z0-9_.-]*$": {"maxLength": 256}}, "additionalProperties": false},
                "state": {"enum": ["new", "open", "closed", null]},
                "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
                "owner": other(1),
                "parts": {"type": "array", "items": other(7), "maxItems": 100},
                "detail": {"oneOf": [other(2), other(3), other(5), {"type": "null"}]},
            },
            "required": ["kind"],
            "unevaluatedProperties": false,
        });
        (format!("Type{number}"), own)
    });
    let mut definitions: serde_json::Map<String, Value> = types.collect();
    let base = json!({"type": "object", "required": ["id"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "created": {"format": "date-time"}}});
    definitions.insert("Base".to_owned(), base);
    let draft = "https://json-schema.org/draft/2020-12/schema";
    json!({"$schema": draft, "$ref": "#/$defs/Type0", "$defs": definitions})
}

#[test]
fn large_schemas_of_usual_types_are_compiled() {
    let text = types(110).to_string();
    assert!(text.len() > 100 << 10, "{}", text.len());
    let schema = schema(&text);
    assert!(schema.memory() < 48 << 20, "{}", schema.memory());
    let of = |number: usize| json!({"id": "x", "kind": format!("type-{number}")});
    let mut document = of(0);
    document["name"] = json!("Größe 1");
    document["labels"] = json!({"a.b": "c"});
    document["tags"] = (0..20).map(|tag| tag.to_string()).collect();
    document["owner"] = of(1);
    document["parts"] = json!(vec![of(7); 50]);
    document["detail"] = of(3);
    assert_eq!(schema.faults(&document), []);
    document["parts"][30]["state"] = json!("lost");
    let faults = schema.faults(&document);
    assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/parts/30/state", "enum"));
    document["parts"][30] = json!({"id": "x", "kind": "type-7", "more": 1});
    let faults = schema.faults(&document);
    assert_eq!(faults[0].keyword, "unevaluatedProperties", "{faults:?}");
}

/// The schema of geometries, with each kind beside the others.
fn geometries() -> Value {
    let position = json!({"$ref": "#/definitions/position"});
    let list = |items: Value, _| json!({"type": "array", "items": items});
    let kinds = [("Point", 0), ("MultiPoint", 1), ("LineString", 1), ("Polygon", 2), ("MultiPolygon", 3)];
    let each = kinds.map(|(kind, depth)| {
        let coordinates = (0..depth).fold(position.clone(), list);
        json!({"title": kind, "type": "object", "required": ["type", "coordinates"],
            "properties": {"type": {"type": "string", "enum": [kind]}, "coordinates": coordinates}})
    });
    let feature = json!({"required": ["geometry"], "properties": {"geometry": {"oneOf": each}}});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "required": ["features"],
        "properties": {"features": {"type": "array", "items": feature}},
        "definitions": {"position": {"type": "array", "minItems": 2, "items": {"type": "number"}}},
    })
}

#[test]
fn many_points_are_judged_and_a_wrong_one_is_named() {
    let schema = schema(&geometries().to_string());
    let ring: Vec<Value> = (0..30).map(|point| json!([point, 0.5])).collect();
    let feature = json!({"geometry": {"type": "Polygon", "coordinates": [ring]}});
    let mut document = json!({"features": vec![feature; 100]});
    assert_eq!(schema.faults(&document), []);
    document["features"][70]["geometry"]["type"] = json!("Ring");
    let faults = schema.faults(&document);
    assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/features/70/geometry", "oneOf"));
}

#[test]
fn of_long_lists_the_faulty_item_is_named() {
    let item = json!({"properties": {"id": {"type": "integer"}, "name": {"maxLength": 64}, "unit": {"enum": ["s", "ms"]},
        "value": {"anyOf": [{"type": "number"}, {"type": "null"}]}}, "required": ["id", "name"], "additionalProperties": false});
    let schema = schema(&json!({"properties": {"rows": {"items": item}}, "required": ["rows"]}).to_string());
    let row = |id: usize| json!({"id": id, "name": "a name of some length, as there are", "unit": "ms", "value": 1.5});
    let mut document = json!({"rows": (0..1_000).map(row).collect::<Vec<_>>()});
    assert!(document.to_string().len() > 70_000);
    assert_eq!(schema.faults(&document), []);
    document["rows"][700]["id"] = json!("x");
    let faults = schema.faults(&document);
    assert_eq!((faults[0].pointer.as_str(), faults[0].keyword.as_str()), ("/rows/700/id", "type"));
}

#[test]
fn long_arrays_may_have_no_item_twice() {
    let unique = schema(r#"{"properties":{"a":{"uniqueItems":true}}}"#);
    for items in [
        (0..50_000).map(Value::from).collect::<Vec<_>>(),
        (0..20_000).map(|number| Value::from(number.to_string())).collect(),
        (0..1_000).map(|number| json!({"id": number, "name": "x", "at": [number, 1]})).collect(),
    ] {
        let mut document = json!({ "a": items });
        assert_eq!(unique.faults(&document), []);
        document["a"][999] = document["a"][0].clone();
        assert_eq!(unique.faults(&document)[0].keyword, "uniqueItems");
    }
}
