//! What schemas with `unevaluatedProperties` and `unevaluatedItems` take.

use super::*;

/// Whether a schema is refused since what is evaluated leads back.
fn leads_back(schema: &Value) -> bool {
    match Schema::parse(&schema.to_string()) {
        Ok(_) => false,
        Err(reason) => {
            assert!(reason.contains("leads back to them"), "{reason}");
            true
        }
    }
}

fn names(count: usize) -> Value {
    (0..count).map(|number| (format!("m{number:x}"), json!(true))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn what_is_evaluated_may_not_lead_back_to_who_asks() {
    let of = |base: Value| {
        json!({"$ref": "#/$defs/a", "$defs": {
            "base": base, "a": {"$ref": "#/$defs/base", "unevaluatedProperties": false}}})
    };
    // Types over a base that leads back to them, in any way.
    let back = json!({"$ref": "#/$defs/a"});
    for base in [
        json!({"properties": {"below": {"items": {"anyOf": [back]}}}}),
        json!({"additionalProperties": back}),
        json!({"if": {"properties": {"x": back}}}),
        json!({"dependentSchemas": {"x": {"not": back}}}),
        json!({"allOf": [{"$ref": "#/$defs/base"}]}),
        json!({"$dynamicRef": "#/$defs/base"}),
        json!({"patternProperties": {"^x": {"$ref": "#/$defs/base", "unevaluatedItems": false}}}),
    ] {
        assert!(leads_back(&of(base.clone())), "{base}");
    }
    for base in [
        json!({"properties": {"below": {"items": {"type": "string"}}}}),
        // What nobody refers to is not compiled.
        json!({"properties": {"below": {}}, "$defs": {"x": back}}),
        // The base leads back to itself as a whole.
        json!({"properties": {"below": {"$ref": "#/$defs/base"}}}),
    ] {
        assert!(!leads_back(&of(base.clone())), "{base}");
    }
    // Whole types in a circle are none of it.
    let next = |to: &str| json!({"properties": {"next": {"$ref": to}}, "unevaluatedProperties": false});
    assert!(!leads_back(&json!({"$ref": "#/$defs/a", "$defs": {"a": next("#/$defs/b"), "b": next("#")}})));
    assert!(!leads_back(&json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {}}})));
}

#[test]
fn large_schemas_of_usual_types_do_not_lead_back() {
    assert!(!leads_back(&usual::types(110)));
}

#[test]
fn what_is_merged_on_the_ways_is_counted() {
    // Each level refers some times to what is evaluated by the one above, and asks for what is below.
    let levels = |count: usize, times: usize, members: usize| {
        let level = |level: usize| format!("#/$defs/u{level}");
        let asks = |below: usize| json!({"unevaluatedProperties": false, "$ref": level(below)});
        let mut root = asks(0);
        for place in 0..count {
            let mut own = json!({"if": {"not": {"properties": {"x": asks(place + 1)}}}});
            own["anyOf"] = if place == 0 {
                own["properties"] = names(members);
                json!([{"properties": {"q": true}}])
            } else {
                Value::Array(vec![json!({"$ref": level(place - 1)}); times])
            };
            root["$defs"][format!("u{place}")] = own;
        }
        root["$defs"][format!("u{count}")] = json!({});
        root
    };
    assert!(leads_back(&levels(3, 4, 100)), "who is asked below is asked above");
    // What is merged takes memory each time that it is.
    let memory = |members: usize| {
        let schema = json!({"allOf": vec![json!({"$ref": "#/$defs/a"}); 100],
            "$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/b"}}}, "b": {"properties": names(members)}}});
        let mut asking = schema.clone();
        asking["$defs"]["b"]["unevaluatedProperties"] = json!(false);
        let memory = |schema: &Value| self::schema(&schema.to_string()).memory();
        memory(&asking).saturating_sub(memory(&schema))
    };
    assert!(memory(1_000) > memory(500) + 500 * limits::SCHEMA_MERGED_BYTES);
}

#[test]
fn patterns_that_are_merged_are_few() {
    let merging = |times: usize| {
        let all = vec![json!({"$ref": "#/$defs/p"}); times];
        json!({"unevaluatedProperties": false, "$ref": "#/$defs/all",
            "$defs": {"all": {"allOf": all}, "p": {"patternProperties": {"^[ab]*a[ab]{100}c$": true}}}})
    };
    assert!(refused(&merging(1_000)).contains("names and patterns on all ways"));
    // All are searched for in each name, and nothing looks at the clock meanwhile.
    let some = schema(&merging(100).to_string());
    let judged = |name: &str| some.masked_faults(&json!({name: 1}), 1, None).unwrap();
    assert_eq!(judged(&format!("a{}c", "b".repeat(100))), []);
    assert_eq!(judged(&"ab".repeat(100))[0].keyword, "unevaluatedProperties");
    let long = judged(&"ab".repeat(50_000));
    assert_eq!(long[0].keyword, "limit");
    assert!(long[0].message.contains("too long for the patterns"), "{long:?}");
    // It is about names, not about texts.
    let beside = schema(&merging(1).to_string().replace("\"unevaluatedProperties\":false,", ""));
    assert_eq!(beside.masked_faults(&json!({"x": "ab".repeat(50_000)}), 1, None), Ok(Vec::new()));
}
