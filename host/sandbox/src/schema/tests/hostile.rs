use std::time::Duration;

use super::*;

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
    let faults = doubling(17, "allOf", "false").faults(&json!({}));
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
fn patterns_are_few() {
    let with = |count: usize| {
        let each: Vec<Value> = (0..count).map(|place| json!({"pattern": format!("^{place}$")})).collect();
        Schema::parse(&json!({ "allOf": each }).to_string())
    };
    assert!(with(limits::MAX_SCHEMA_PATTERNS).is_ok());
    assert!(with(limits::MAX_SCHEMA_PATTERNS + 1).unwrap_err().contains("patterns"));
    // The same one is compiled once.
    let same = vec![json!({"pattern": "^[a-z]+$"}); 1_000];
    assert!(Schema::parse(&json!({ "allOf": same }).to_string()).is_ok());
    // Heavy ones are fewer.
    let heavy: Vec<Value> =
        (0..20).map(|place| json!({"pattern": format!(r"^\p{{L}}[\p{{L}}0-9]{{1,63}}{place}$")})).collect();
    assert!(refused(&json!({ "allOf": heavy })).contains("its patterns take more than"));
    // What only looks like a schema is none.
    let examples: Vec<Value> = (0..200).map(|_| json!({"pattern": "("})).collect();
    assert!(Schema::parse(&json!({ "examples": examples, "enum": [{"allOf": [{}]}] }).to_string()).is_ok());
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
    assert!(fault.contains("places of all schemas"), "{fault}");
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
    assert_eq!(faults[0].keyword, "limit", "{faults:?}");
}

#[test]
fn judgements_end_in_time() {
    let each = vec![json!({"uniqueItems": true}); 12_000];
    let schema = Schema::parse(&json!({ "allOf": each }).to_string()).unwrap();
    let document: Value = (0..8_000).collect();
    let faults = |end| schema.masked_faults(&document, 1, end);
    let now = Instant::now();
    assert_eq!(faults(Some(now)), Err(Late));
    assert_eq!(faults(now.checked_add(Duration::from_millis(5))), Err(Late));
    assert_eq!(schema.masked_faults(&json!([1]), 1, None), Ok(Vec::new()));
}

#[test]
fn long_texts_are_not_searched_for_heavy_patterns() {
    let schema = Schema::parse(r#"{"properties":{"a":{"pattern":"^[ab]*a[ab]{400}c$"}}}"#).unwrap();
    let judged = |length: usize| schema.faults(&json!({"a": "ab".repeat(length / 2)}));
    assert_eq!(judged(1_000)[0].keyword, "pattern");
    let faults = judged(1 << 20);
    assert_eq!(faults[0].keyword, "limit");
    assert!(faults[0].message.contains("too long for the patterns"), "{faults:?}");
}

#[test]
fn patterns_set_no_flags() {
    for text in [r#"{"pattern":"(?i)a"}"#, r#"{"properties":{"x":{"patternProperties":{"(?s:.)":{}}}}}"#] {
        assert!(Schema::parse(text).unwrap_err().contains("flags"), "{text}");
    }
    assert!(Schema::parse(r#"{"pattern":"^\\(?i\\)?$"}"#).is_ok());
}

/// Whether it takes too much to say where a document does not fit.
fn is_untold(schema: &Value, document: &Value) -> bool {
    let faults = self::schema(&schema.to_string()).faults(document);
    faults[0].keyword == "limit" && faults[0].message.contains("too long to say where")
}

#[test]
fn faults_that_repeat_much_of_a_document_are_few() {
    let members = (0..90_000).map(|place| (format!("m{place}"), json!(place)));
    let (wide, few) = (Value::Object(members.collect()), json!({"m": 0}));
    // Each lists all names.
    let closed = json!({"properties": {"q": true}, "additionalProperties": false});
    let listing = json!({ "allOf": vec![closed; 16] });
    assert!(is_untold(&listing, &wide) && !is_untold(&listing, &few));
    // Those of alternatives are kept with all of the document.
    let branch = json!({"type": "object", "required": ["a", "b", "c", "d", "e", "f"]});
    let alternatives = json!({ "oneOf": vec![branch; 5] });
    assert!(is_untold(&alternatives, &json!({"x": vec![0; 310_000]})) && !is_untold(&alternatives, &few));
    // A fault of each name does, too.
    let names = json!({"anyOf": [{"propertyNames": {"maxLength": 0}}]});
    assert!(is_untold(&names, &wide) && !is_untold(&names, &few));
    // And what is excluded stands in each.
    let excluded = json!({"items": {"not": {"anyOf": [{}, {"enum": (0..20_000).collect::<Vec<_>>()}]}}});
    assert!(is_untold(&excluded, &json!(vec![1; 10_000])) && !is_untold(&excluded, &json!([1])));
}

#[test]
fn faults_with_nothing_in_them_are_few_as_well() {
    let none = json!({"items": false});
    assert!(is_untold(&none, &json!(vec![0; 200_000])) && !is_untold(&none, &json!([0])));
    let names: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let draft = "http://json-schema.org/draft-07/schema#";
    let missing = json!({"$schema": draft, "items": {"dependencies": {"a": names}}});
    let item = json!({"a": 1});
    assert!(is_untold(&missing, &json!(vec![item.clone(); 1_000])) && !is_untold(&missing, &json!([item])));
}

/// So many different trees of brackets: their hashes are all alike.
fn trees(count: u32) -> Vec<Value> {
    let grown = |tree: Value, has_more: bool| if has_more { json!([tree, []]) } else { json!([tree]) };
    (0..count)
        .map(|number| (0..13).fold(json!([]), |tree, bit| grown(tree, (number >> bit) & 1 == 1)))
        .collect()
}

#[test]
fn what_is_compared_with_each_other_is_little() {
    let unique = schema(r#"{"properties":{"tags":{"items":{"type":"string"},"uniqueItems":true}}}"#);
    assert_eq!(unique.faults(&json!({"tags": trees(8_192)}))[0].keyword, "limit");
    assert_eq!(unique.faults(&json!({"tags": trees(300)}))[0].keyword, "type");
    // Schemas are judged by schemas that compare.
    for keyword in ["enum", "required", "type"] {
        let draft = "http://json-schema.org/draft-06/schema#";
        let reason = refused(&json!({"$schema": draft, "properties": {"a": {keyword: trees(4_096)}}}));
        assert!(reason.contains("too many items to compare"), "{reason}");
    }
}

#[test]
fn branches_that_refer_to_many_others_are_not_analysed() {
    let many = |place: usize| json!({"allOf": vec![json!({"$ref": format!("#/$defs/a{place}")}); 100]});
    let mut text = json!({"anyOf": [{}, {"$ref": "#/$defs/a0"}, {}], "$defs": {"a4": {"properties": {}}}});
    (0..4).for_each(|place| text["$defs"][format!("a{place}")] = many(place + 1));
    assert_eq!(schema(&text.to_string()).faults(&json!({})), []);
}

#[test]
fn long_names_of_many_schemas_are_refused() {
    let text = json!({"properties": {"x".repeat(120_000): {"allOf": vec![json!({}); 20_000]}}});
    assert!(refused(&text).contains("longer than"));
}

#[test]
fn the_deepest_schemas_need_little_of_the_stack() {
    let nested = |draft: &str, depth: usize| {
        let mut schema = (1..depth).fold(json!({}), |inner, _| json!({"not": inner}));
        schema["$schema"] = json!(draft);
        schema
    };
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let deepest = nested(draft, limits::MAX_SCHEMA_NESTING);
        let judge = move || schema(&deepest.to_string()).faults(&json!(1)).len();
        // An odd number of exclusions.
        let thread = std::thread::Builder::new().stack_size(1_536 << 10).spawn(judge).unwrap();
        assert_eq!(thread.join().unwrap(), 1, "{draft}");
        let deeper = refused(&nested(draft, limits::MAX_SCHEMA_NESTING + 1));
        assert!(deeper.contains("nested in it deeper"), "{deeper}");
    }
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
    let mixed = r#"{"$defs":{"a":{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://e/"}}}"#;
    assert!(Schema::parse(mixed).unwrap_err().contains("which draft"));
}

#[test]
fn each_schema_and_each_pattern_has_its_price() {
    let memory =
        |text: &str| Schema::parse(text).unwrap().memory() - text.len() * limits::SCHEMA_BYTES_PER_BYTE;
    assert_eq!(memory("{}"), limits::SCHEMA_OBJECT_BYTES + limits::SCHEMA_VALUE_BYTES);
    let text = r#"{"allOf":[true,{"not":{}}],"pattern":"^a$"}"#;
    let least = 4 * limits::SCHEMA_OBJECT_BYTES + limits::SCHEMA_PATTERN_BYTES;
    assert!((least + 1..least + (16 << 10)).contains(&memory(text)), "{}", memory(text));
    // As it is compiled a hundred times as many bytes.
    let numbers = json!({"enum": (0..30_000).collect::<Vec<_>>()}).to_string();
    assert!(memory(&numbers) > 2 * 30_000 * size_of::<Value>());
    // What is excluded is kept once more for each level.
    let twice = |text: String| format!(r#"{{"not":{text}}}"#);
    assert!(memory(&twice(twice(numbers.clone()))) > memory(&numbers) + 2 * 30_000 * size_of::<Value>());
}
