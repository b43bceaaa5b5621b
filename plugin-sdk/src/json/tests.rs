use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule<'a> {
    metric: &'a str,
    limit: Option<f64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    shape: Shape,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    #[default]
    Flat,
    Round(u8),
    Box {
        side: i32,
    },
    Pair(u8, bool),
}

fn rules(json: &str) -> Result<Vec<Rule<'_>>, String> {
    read(json)
}

#[test]
fn reads_the_authors_types() {
    let read = rules(
        r#" [{"metric":"cpu","limit":1e3,"tags":["a","\u00e9\n"],"shape":{"round":7}},
             {"metric":"","limit":null,"shape":"flat"},{"metric":"m","shape":{"box":{"side":-2}}},
             {"metric":"m","shape":{"pair":[1,true]}}] "#,
    )
    .unwrap();
    let shapes: Vec<&Shape> = read.iter().map(|rule| &rule.shape).collect();
    assert_eq!(shapes, [&Shape::Round(7), &Shape::Flat, &Shape::Box { side: -2 }, &Shape::Pair(1, true)]);
    assert_eq!((read[0].limit, read[0].tags[1].as_str(), read[1].limit), (Some(1000.0), "é\n", None));
    assert_eq!(super::read::<BTreeMap<u16, ()>>(r#"{"7":null}"#).unwrap().keys().next(), Some(&7));
}

#[test]
fn faults_have_their_place_and_reason() {
    let check = |json: &str, expected: &str| assert_eq!(rules(json).unwrap_err(), expected, "{json}");
    check(r#"[{"metric":1}]"#, "[0].metric: expected a borrowed string, found 1");
    check(r#"[{"metric":"a","limit":"b"}]"#, "[0].limit: expected f64, found \"b\"");
    check(r#"[{"metric":"a","limit":1e999}]"#, "[0].limit: the number is out of range");
    check(r#"[{"metric":"a"},{}]"#, "[1]: missing field `metric`");
    check(r#"[{"metric":"a","tags":["b",{}]}]"#, "[0].tags[1]: expected a string, found an object");
    check(r#"[{"metric":"a","shape":{"round":300}}]"#, "[0].shape.round: expected u8, found 300");
    check(r#"[{"metric":"a","shape":{"round":1.5}}]"#, "[0].shape.round: expected u8, found 1.5");
    check(
        r#"[{"metric":"a","shape":"oval"}]"#,
        "[0].shape: unknown variant `oval`, expected `flat`, `round`, `box`, `pair`",
    );
    check(
        r#"[{"metrics":"a"}]"#,
        "[0]: unknown field `metrics`, expected `metric`, `limit`, `tags`, `shape`",
    );
    check("{}", "expected a sequence, found an object");
    check("[] 1", "not JSON at byte 3: something stands behind the value");
    check("[", "[0]: not JSON at byte 1: a value is missing");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(read::<Value>(&deep).unwrap_err().ends_with("it is nested too deeply"));
}

#[test]
fn an_objects_members_are_texts() {
    let of = |json| {
        texts(json).map(|texts| {
            texts.into_iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
        })
    };
    let all = r#"{"a":"x","b":1.50,"c":null,"d":true,"e":{"f":[1,{"g":"h\""}]},"i":[]}"#;
    assert_eq!(of(all).unwrap(), r#"a=x b=1.50 c=null d=true e={"f":[1,{"g":"h\""}]} i=[]"#);
    assert_eq!(of("{}").unwrap(), "");
    for wrong in ["[]", "", "{} {}", "{\"a\":}"] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_raw_value_is_the_text_that_stands_there() {
    let all = r#"{ "a" : {"n": [1.00e2, 123456789012345678901234567890]} , "b":true,"c":"\u00e9" }"#;
    let all = read::<BTreeMap<String, Raw>>(all).unwrap();
    let texts: Vec<&str> = all.values().map(Raw::as_str).collect();
    assert_eq!(texts, [r#"{"n": [1.00e2, 123456789012345678901234567890]}"#, "true", r#""\u00e9""#]);
    let broken = read::<BTreeMap<String, Raw>>(r#"{"a":[1,]}"#).unwrap_err();
    assert_eq!(broken, "a: not JSON at byte 8: a comma stands before the end");
    assert!(serde_json::from_str::<Raw>("1").is_err(), "it would not be as it stands");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| number.is_finite().then(|| Value::from(number))),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_reads(value in value()) {
        for json in [value.to_string(), format!("{value:#}")] {
            prop_assert_eq!(read::<Value>(&json).unwrap(), value.clone());
        }
    }

    #[test]
    fn texts_are_written_as_they_are_read(text: String) {
        let mut json = String::new();
        push_text(&mut json, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
        prop_assert_eq!(read::<String>(&json).unwrap(), text);
    }

    #[test]
    fn escapes_are_what_serde_json_takes_them_for(text in r#"(\\u(d[89a-f][0-9a-f]{2}|[0-9A-f]{4})|\\[a-z"/\\]|[a-zé]){0,4}"#) {
        let json = format!("\"{text}\"");
        prop_assert_eq!(read::<String>(&json).ok(), serde_json::from_str(&json).ok(), "{}", json);
    }

    #[test]
    fn takes_or_refuses_any_text(text in r#"[\[\]{}",:0-9.eE+\-a-z\\ ]{0,24}"#) {
        let ours = read::<Value>(&text).ok();
        prop_assert_eq!(ours, serde_json::from_str(&text).ok());
    }
}
