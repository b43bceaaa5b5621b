use serde_json::json;

use super::*;

/// What a schema without patterns is compiled to.
fn bounded(root: &Value) -> Result<Compiled, String> {
    super::bounded(root, &HashMap::new())
}

/// Definitions of which each refers to the next one twice, with more members.
fn doubling(more: &Value, reference: impl Fn(usize) -> Value, name: impl Fn(usize) -> Value) -> Value {
    let mut root = json!({"allOf": [reference(0)], "$defs": {}});
    for place in 0..40 {
        let mut definition = json!({"allOf": [reference(place + 1), reference(place + 1)]});
        for members in [&name(place), more] {
            definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        }
        root["$defs"][format!("a{place}")] = definition;
    }
    root["$defs"]["a40"] = name(40);
    root
}

#[test]
fn what_is_compiled_over_and_over_is_refused() {
    let pointer = |place: usize| json!({"$ref": format!("#/$defs/a{place}")});
    let anchor = |place: usize| json!({"$ref": format!("#a{place}")});
    let unnamed = |_: usize| json!({});
    let refused = |schema: &Value| {
        let fault = bounded(schema).unwrap_err();
        assert!(fault.contains("larger than") || fault.contains("longer than"), "{fault}");
    };
    assert!(bounded(&doubling(&json!({}), pointer, unnamed)).is_ok());
    for keyword in UNEVALUATED {
        let more = json!({ keyword: false });
        refused(&doubling(&more, pointer, unnamed));
        refused(&doubling(&more, anchor, |place| json!({"$anchor": format!("a{place}")})));
        refused(&doubling(&more, anchor, |place| json!({"$id": format!("#a{place}")})));
        let dynamic = |place: usize| json!({"$dynamicRef": format!("#a{place}")});
        refused(&doubling(&more, dynamic, |place| json!({"$dynamicAnchor": format!("a{place}")})));
        let mut root = doubling(&json!({}), pointer, unnamed);
        root[keyword] = json!(false);
        refused(&root);
    }
    // No references are needed for that.
    let nested =
        (0..40).fold(json!({}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}));
    refused(&nested);
}

#[test]
fn usual_schemas_that_ask_what_was_evaluated_are_not() {
    let base = json!({"properties": {"name": {"type": "string"}}});
    let node = json!({
        "allOf": [{"$ref": "#/$defs/base"}],
        "properties": {"below": {"items": {"$ref": "#/$defs/node"}}},
        "unevaluatedProperties": false,
    });
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"base": base, "node": node}});
    assert!(bounded(&tree).is_ok());
    // What is evaluated may not lead back to who asks: that is said where the node is.
    let mut around = json!({"$ref": "#/$defs/node", "unevaluatedProperties": false, "$defs": {
        "node": {"properties": {"below": {"items": {"$ref": "#"}}}}}});
    let reason = bounded(&around).unwrap_err();
    assert!(reason.contains("in the schema that they refer to"), "{reason}");
    around["$defs"]["node"]["properties"] = json!({});
    assert!(bounded(&around).is_ok());
}

#[test]
fn an_anchor_names_one_schema() {
    let twice = json!({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}});
    assert!(bounded(&twice).unwrap_err().contains("anchor x"));
    assert!(bounded(&json!({"$anchor": "x", "$dynamicAnchor": "x"})).is_ok());
}

#[test]
fn the_last_definition_of_a_chain_may_come_first() {
    let chain = |length: usize| {
        let mut root = json!({"allOf": [], "$defs": {"a0": {}}});
        for place in 0..length {
            let reference = json!({"$ref": format!("#/$defs/a{place}")});
            root["allOf"].as_array_mut().unwrap().push(reference.clone());
            root["$defs"][format!("a{}", place + 1)] = reference;
        }
        bounded(&root)
    };
    assert!(chain(150).is_ok());
    assert!(chain(400).unwrap_err().contains("nested deeper"));
}

#[test]
fn ways_that_multiply_are_refused() {
    // Each level refers some times to the one below.
    let levels = |count: usize, times: usize| {
        let level = |level: usize| json!({"$ref": format!("#/$defs/u{level}")});
        let mut root = json!({"unevaluatedProperties": false, "allOf": [level(0)]});
        for place in 0..count {
            root["$defs"][format!("u{place}")] = json!({"allOf": vec![level(place + 1); times]});
        }
        root["$defs"][format!("u{count}")] = json!({});
        bounded(&root)
    };
    assert!(levels(4, 4).is_ok());
    assert!(levels(12, 4).is_err());
    // All refer to all.
    let crowd = |count: usize| {
        let all = (0..count).map(|number| json!({"$ref": format!("#/$defs/c{number}")}));
        let one = json!({"allOf": all.collect::<Vec<_>>()});
        let named = (0..count).map(|number| (format!("c{number}"), one.clone()));
        let definitions: Map<String, Value> = named.collect();
        bounded(&json!({"unevaluatedProperties": false, "$ref": "#/$defs/c0", "$defs": definitions}))
    };
    assert!(crowd(1).unwrap_err().contains("leads back"));
    assert!(crowd(20).is_err());
}

#[test]
fn types_over_a_base_may_not_lead_back_from_there() {
    let nodes = (0..60).map(|number| format!("n{number}"));
    let any: Vec<Value> = nodes.clone().map(|name| json!({"$ref": format!("#/$defs/{name}")})).collect();
    // The base extends something itself.
    let base =
        json!({"allOf": [{"$ref": "#/$defs/located"}], "properties": {"below": {"items": {"anyOf": any}}}});
    let located = json!({"properties": {"line": {"type": "integer"}}});
    let mut root = json!({"$ref": "#/$defs/n0", "$defs": {"base": base, "located": located}});
    for name in nodes {
        root["$defs"][name] = json!({"$ref": "#/$defs/base", "unevaluatedProperties": false});
    }
    assert!(bounded(&root).unwrap_err().contains("leads back"));
    // They may where each says itself what it has.
    for number in 0..60 {
        root["$defs"][format!("n{number}")] = json!({"$ref": "#/$defs/base"});
    }
    assert!(bounded(&root).is_ok());
}

#[test]
fn long_names_of_many_schemas_are_refused() {
    let long = "x".repeat(60_000);
    let named = |count: usize| bounded(&json!({"properties": {&long: {"allOf": vec![json!({}); count]}}}));
    assert!(named(10).is_ok());
    assert!(named(1_000).unwrap_err().contains("longer than"));
    // Names count where they are kept anew for each reference, too.
    let reference = json!({"$ref": "#/$defs/a"});
    let repeated = json!({"unevaluatedProperties": false, "allOf": vec![reference; 1_000],
        "$defs": {"a": {"properties": {&long: true}}}});
    assert!(bounded(&repeated).unwrap_err().contains("larger than"));
}
