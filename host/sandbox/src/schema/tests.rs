use super::*;
use serde_json::json;

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

/// A schema of this many definitions, each of which refers to the next one twice: the last is met 2^`depth` times.
fn doubling(depth: usize, applied: &str, last: &str) -> Schema {
    let twice = |place: usize| {
        let next = format!(r##"{{"$ref":"#/$defs/a{}"}}"##, place + 1);
        format!(r#""a{place}":{{"{applied}":[{next},{next}]}}"#)
    };
    let definitions: Vec<String> = (0..depth).map(twice).collect();
    let definitions = definitions.join(",");
    let text = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{definitions},"a{depth}":{last}}}}}"##);
    Schema::parse(&text).unwrap()
}

#[test]
fn schemas_that_multiply_end() {
    for applied in ["allOf", "anyOf", "oneOf"] {
        for last in ["{}", "true", "false", r#"{"type":"string"}"#, r#"{"minProperties":1}"#] {
            let faults = doubling(60, applied, last).faults(&json!({}));
            let ends_early = matches!((applied, last), ("anyOf", "{}" | "true"));
            assert_eq!(faults.is_empty(), ends_early, "{applied} {last}: {faults:?}");
        }
    }
    assert!(doubling(3, "allOf", "{}").faults(&json!({})).is_empty());
    let faults = doubling(14, "allOf", "false").faults(&json!({}));
    assert!(faults[0].message.contains("too long to say where"), "{faults:?}");
    // One that is met again a level deeper, as often as the document is deep.
    let deeper = r##"{"$defs":{"a":{"type":"object","allOf":[{"properties":{"x":{"$ref":"#/$defs/a"}}},{"properties":{"x":{"$ref":"#/$defs/a"}}}]}},"$ref":"#/$defs/a"}"##;
    let schema = Schema::parse(deeper).unwrap();
    let nested = |depth: usize, last: Value| (0..depth).fold(last, |inner, _| json!({ "x": inner }));
    assert!(schema.faults(&nested(60, json!({}))).is_empty(), "what was judged is remembered");
    assert!(schema.faults(&nested(60, json!(1)))[0].message.contains("too long to say where"));
    let faults = schema.faults(&nested(2, json!(1)));
    assert_eq!(faults[0].pointer, "/x/x", "each document has a budget of its own: {faults:?}");
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
    let faults = schema.masked_faults(&document, 0, 16, None).unwrap();
    let mut keywords: Vec<_> =
        faults.iter().map(|fault| (fault.pointer.as_str(), fault.keyword.as_str())).collect();
    keywords.sort_unstable();
    let expected = [("", "required"), ("/a", "maxLength"), ("/b", "not"), ("/c", "enum"), ("/d", "pattern")];
    assert_eq!(keywords, expected);
    assert!(faults.iter().all(|fault| !fault.message.contains("hunter2")), "{faults:?}");
    assert_eq!(schema.masked_faults(&document, 0, 2, None).unwrap().len(), 2);
    assert_eq!(schema.masked_faults(&document, 0, 0, None), Ok(Vec::new()));
}

#[test]
fn patterns_are_few() {
    let with = |count: usize| {
        let each: Vec<Value> = (0..count).map(|place| json!({"pattern": format!("^{place}$")})).collect();
        Schema::parse(&json!({ "allOf": each }).to_string())
    };
    assert!(with(limits::MAX_SCHEMA_PATTERNS).is_ok());
    assert!(with(limits::MAX_SCHEMA_PATTERNS + 1).unwrap_err().contains("patterns"));
    // What only looks like a schema is none.
    let examples: Vec<Value> = (0..200).map(|_| json!({"pattern": "("})).collect();
    assert!(Schema::parse(&json!({ "examples": examples, "enum": [{"allOf": [{}]}] }).to_string()).is_ok());
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
    for faults in [schema.faults(&document), schema.masked_faults(&document, 0, 16, None).unwrap()] {
        let mut faults: Vec<_> = faults.iter().map(SchemaFault::to_string).collect();
        faults.sort();
        assert_eq!(faults, expected);
    }
    let fault = Schema::parse(r#"{"not":[{}]}"#).unwrap_err();
    assert!(!fault.contains(budget::KEYWORD), "{fault}");
}

#[test]
fn schemas_that_multiply_while_they_are_compiled_are_refused() {
    let twice = |place: usize| {
        let next = format!(r##"{{"$ref":"#/$defs/a{}"}}"##, place + 1);
        format!(r#""a{place}":{{"allOf":[{next},{next}]}}"#)
    };
    let definitions: Vec<String> = (0..40).map(twice).collect();
    let definitions = definitions.join(",");
    let text = format!(
        r##"{{"$ref":"#/$defs/a0","unevaluatedProperties":false,"$defs":{{{definitions},"a40":{{}}}}}}"##
    );
    let fault = Schema::parse(&text).unwrap_err();
    assert!(fault.contains("references followed"), "{fault}");
}

#[test]
fn chains_of_references_are_short() {
    let chain: Vec<String> = (1..=9_000).map(|next| format!(r##"{{"$ref":"#/allOf/{next}"}}"##)).collect();
    let fault = Schema::parse(&format!(r#"{{"allOf":[{},{{}}]}}"#, chain.join(","))).unwrap_err();
    assert!(fault.contains("nested deeper"), "{fault}");
}

#[test]
fn judgements_use_little_of_the_stack() {
    let recursive = Schema::parse(r##"{"items":{"$ref":"#"},"type":["array","number"]}"##).unwrap();
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    assert!(recursive.faults(&nested(100)).is_empty());
    let faults = recursive.faults(&nested(3_000));
    assert_eq!(faults[0].keyword, LIMIT, "{faults:?}");
}

#[test]
fn judgements_end_in_time() {
    let each = vec![json!({"uniqueItems": true}); 12_000];
    let schema = Schema::parse(&json!({ "allOf": each }).to_string()).unwrap();
    let document: Value = (0..8_000).collect();
    let faults = |end| schema.masked_faults(&document, 0, 1, end);
    let now = Instant::now();
    assert_eq!(faults(Some(now)), Err(Late));
    assert_eq!(faults(now.checked_add(std::time::Duration::from_millis(5))), Err(Late));
    assert_eq!(schema.masked_faults(&json!([1]), 0, 1, None), Ok(Vec::new()));
}

#[test]
fn long_texts_are_not_searched_for_heavy_patterns() {
    let schema = Schema::parse(r#"{"properties":{"a":{"pattern":"^[ab]*a[ab]{400}c$"}}}"#).unwrap();
    let judged = |length: usize| schema.faults(&json!({"a": "ab".repeat(length / 2)}));
    assert_eq!(judged(1_000)[0].keyword, "pattern");
    let faults = judged(1 << 20);
    assert_eq!(faults[0].keyword, LIMIT);
    assert!(faults[0].message.contains("too long for the patterns"), "{faults:?}");
}

#[test]
fn patterns_set_no_flags() {
    for text in [r#"{"pattern":"(?i)a"}"#, r#"{"properties":{"x":{"patternProperties":{"(?s:.)":{}}}}}"#] {
        assert!(Schema::parse(text).unwrap_err().contains("flags"), "{text}");
    }
    assert!(Schema::parse(r#"{"pattern":"^\\(?i\\)?$"}"#).is_ok());
}

#[test]
fn faults_that_repeat_much_of_a_document_are_few() {
    let each = vec![json!({"additionalProperties": false}); 8_400];
    let schema = Schema::parse(&json!({ "allOf": each }).to_string()).unwrap();
    let members = (0..10_000).map(|place| (format!("m{place}"), json!(place)));
    let faults = schema.faults(&Value::Object(members.collect()));
    assert!(faults[0].message.contains("too long to say where"), "{faults:?}");
    assert_eq!(fault_steps(0), limits::MAX_SCHEMA_FAULT_STEPS);
    assert_eq!(fault_steps(usize::MAX), limits::MIN_SCHEMA_FAULT_STEPS);
}

#[test]
fn what_a_sender_can_make_costly_has_limits() {
    let schema = |text: &str| Schema::parse(text).unwrap();
    let draft = r#""$schema":"http://json-schema.org/draft-07/schema#""#;
    let names: String = (0..400_000).map(|number| format!("(?<n{number:06}>)")).collect();
    let faults = schema(&format!(r#"{{{draft},"format":"regex"}}"#)).faults(&json!(names));
    assert_eq!(faults[0].keyword, "format", "{faults:?}");
    assert_eq!(schema(&format!(r#"{{{draft},"format":"regex"}}"#)).faults(&json!("^(?<a>b)+$")), []);
    let unique = schema(r#"{"uniqueItems":true}"#);
    assert_eq!(unique.faults(&json!([1, 2, 1.0]))[0].keyword, "uniqueItems");
    let many: Vec<Value> = (0..=limits::MAX_UNIQUE_ITEMS).map(Value::from).collect();
    assert_eq!(unique.faults(&json!({ "a": many }))[0].keyword, "limit");
    let mixed = r#"{"$defs":{"a":{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://e/"}}}"#;
    assert!(Schema::parse(mixed).unwrap_err().contains("which draft"));
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
fn each_schema_and_each_pattern_has_its_price() {
    let memory =
        |text: &str| Schema::parse(text).unwrap().memory() - text.len() * limits::SCHEMA_BYTES_PER_BYTE;
    assert_eq!(memory("{}"), limits::SCHEMA_OBJECT_BYTES);
    let text = r#"{"allOf":[true,{"not":{}}],"pattern":"^a$"}"#;
    let least = 4 * limits::SCHEMA_OBJECT_BYTES + limits::SCHEMA_PATTERN_BYTES;
    assert!((least + 1..least + 4_096).contains(&memory(text)), "{}", memory(text));
}
