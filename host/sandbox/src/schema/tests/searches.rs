//! What searching for the patterns of schemas takes.

use super::*;

/// Each byte of a text may meet all of its states.
const HEAVY: &str = "^[ab]*a[ab]{100}c$";

#[test]
fn in_events_a_search_takes_no_longer_than_a_judgement_may() {
    let text = json!({"properties": {
        "a": {"pattern": HEAVY}, "names": {"patternProperties": {HEAVY: true}}, "each": {"propertyNames": {"pattern": HEAVY}}}});
    let schema = schema(&text.to_string());
    let long = "ab".repeat(100_000);
    for event in [json!({"a": long}), json!({"names": {&long: 1}}), json!({"each": {&long: 1}})] {
        let faults = schema.masked_faults(&event, 1, None).unwrap();
        assert_eq!(faults[0].keyword, "limit");
        assert!(faults[0].message.contains("too long for the patterns"), "{faults:?}");
        // A configuration may take longer.
        assert!(schema.faults(&event).iter().all(|fault| fault.keyword != "limit"));
    }
    // It is told of the event that it is in, and no text that is not searched is in the way.
    assert_eq!(
        schema.masked_faults(&json!({"b": long, "a": [long], "names": long}), 1, None),
        Ok(Vec::new())
    );
}

#[test]
fn many_short_texts_may_be_searched_where_one_long_may_not() {
    let schema = schema(&json!({"items": {"pattern": HEAVY}}).to_string());
    let fitting = format!("a{}c", "b".repeat(100));
    let many = json!(vec![fitting; 2_000]);
    assert_eq!(schema.masked_faults(&many, 1, None), Ok(Vec::new()));
}

#[test]
fn usual_patterns_are_searched_for_in_events() {
    for (pattern, fitting) in [
        (r"^\p{L}[\p{L}0-9 _-]{0,62}$", "Größe 1".to_owned()),
        ("^/[^/]{1,150}/.*$", format!("/data/{}", "x/".repeat(1_000))),
        ("^[A-Za-z0-9+/=]{1,1000}$", "QUJD".repeat(250)),
        (r"^(?:[A-Za-z0-9+/]{4})*$", "QUJD".repeat(100_000)),
        (r"^[^\s@]+@[^\s@]+\.[^\s@]+$", "somebody@mail.example.org".to_owned()),
        (r"\S", " ".repeat(100_000) + "x"),
    ] {
        let schema = schema(&json!({"properties": {"a": {"pattern": pattern}}}).to_string());
        let event = json!({"a": fitting, "description": "a long text ".repeat(50_000)});
        assert_eq!(schema.masked_faults(&event, 1, None), Ok(Vec::new()), "{pattern}");
    }
}
