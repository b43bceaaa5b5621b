//! What is masked in which objects, and what is left as it is.

use super::*;
use bridge_telemetry_plugin::testing::{self, EventBatchBuilder, SampleBatchBuilder};

fn judged(config: &str, batch: EventBatchBuilder) -> Result<EventVerdict> {
    let mut plugin: Redact = testing::restart(config, None).unwrap();
    let mut verdict = EventVerdict::default();
    plugin.validate_events(&batch.build(), &mut verdict).map(|()| verdict)
}

fn redacted(config: &str, data: &str) -> Option<String> {
    let verdict = judged(config, EventBatchBuilder::new().event("A", "s", data)).unwrap();
    assert!(verdict.issues().is_empty());
    verdict.rewrites().first().and_then(|rewrite| rewrite.data_json.clone())
}

#[test]
fn masks_keys_at_any_depth_and_keeps_all_else_as_it_was() {
    let data = r#"{"z":1,"a":[{"Password":{"deep":[1]}}],"n":0.30000000000000004,"i":[1e400,-0,123456789012345678901],"token":"***"}"#;
    let masked = r#"{"z":1,"a":[{"Password":"***"}],"n":0.30000000000000004,"i":[1e400,-0,123456789012345678901],"token":"***"}"#;
    for config in ["{}", r#"{"patterns":["[0-9]+"]}"#] {
        assert_eq!(redacted(config, data).as_deref(), Some(masked));
        assert_eq!(redacted(config, masked), None, "nothing left to mask");
    }
}

#[test]
fn masks_patterns_in_texts_but_not_keys_named_alike() {
    let config = r#"{"keys":[],"patterns":["[0-9]{4}-[0-9]{4}","^secret$"],"mask":"$0"}"#;
    let masked = redacted(config, r#"{"password":"card 1234-5678!","list":["secret","no secret"]}"#);
    assert_eq!(masked.as_deref(), Some(r#"{"password":"card $0!","list":["$0","no secret"]}"#));
    let config = r#"{"keys":[],"patterns":["[0-9]{4}-[0-9]{4}"]}"#;
    assert_eq!(redacted(config, r#"{"1234-5678":"x"}"#), None);
}

#[test]
fn an_escaped_key_is_no_way_around() {
    assert_eq!(redacted("{}", r#"{"p\u0061ssword":"x"}"#).as_deref(), Some(r#"{"p\u0061ssword":"***"}"#));
    assert_eq!(redacted("{}", r#"{"passwords":"x","of":"password"}"#), None);
}

#[test]
fn an_escaped_text_is_searched_without_its_escapes() {
    let of = |data| redacted(r#"{"patterns":["tok-[0-9]+","\"x\""]}"#, data);
    let data = r#"{"a":"\u0074ok\u002d1 is \"a\"\n","b":"\u00fc","c":"\"x\""}"#;
    let masked = r#"{"a":"*** is \"a\"\n","b":"\u00fc","c":"***"}"#;
    assert_eq!(of(data).as_deref(), Some(masked));
}

#[test]
fn what_several_patterns_match_together_is_masked_once() {
    let of = |text: &str| {
        let config = r##"{"patterns":["abc","cde","x","y","z*"],"mask":"#"}"##;
        redacted(config, &format!(r#"{{"text":"{text}"}}"#))
    };
    let check = |text: &str, masked: &str| {
        assert_eq!(of(text).as_deref(), Some(&*format!(r#"{{"text":"{masked}"}}"#)), "{text}");
    };
    check("abcde", "#");
    check("-abcdef-cde-", "-#f-#-");
    check("xy", "##");
    check("uzzv", "u#v");
    assert_eq!(of("ab de"), None, "what matches nothing but a place is no secret");
    assert_eq!(of("#"), None);
}

#[test]
fn what_is_masked_already_stays() {
    testing::reset();
    assert_eq!(redacted(r#"{"patterns":["[*]+"]}"#, r#"{"text":"***"}"#), None);
    assert_eq!(testing::counter("masked_values"), 0);
}

#[test]
fn masks_text_of_any_script() {
    let config = r#"{"patterns":["ö+","\\w+@\\w+"],"mask":"•"}"#;
    let masked = redacted(config, r#"{"a":"söös, ß","b":"an müller@beispiel, 日本","ö":"日本ö"}"#);
    assert_eq!(masked.as_deref(), Some(r#"{"a":"s•s, ß","b":"an •, 日本","ö":"日本•"}"#));
}

#[test]
fn only_rows_with_secrets_are_rewritten() {
    testing::reset();
    let batch = EventBatchBuilder::new()
        .event("A", "s", r#"{"note":"nothing","n":[1,"2"]}"#)
        .event("A", "s", r#"{"note":["it is tok-1","or tok-2 and tok-3"]}"#)
        .event("A", "s", "{}")
        .event("A", "s", r#"{"password":"tok-4","note":"none"}"#)
        .event("A", "s", r#"{"note":"none"}"#)
        .extra(r#"{"trace":"tok-5"}"#)
        .event("A", "s", r#"{"note":"tok-6"}"#)
        .extra(r#"{"trace":"none","token":"***"}"#)
        .event("A", "s", r#"{"note":"none"}"#);
    let verdict = judged(r#"{"patterns":["tok-[0-9]"]}"#, batch).unwrap();
    let rewrites = verdict.rewrites().iter();
    let found: Vec<_> = rewrites
        .map(|rewrite| (rewrite.row, rewrite.data_json.as_deref(), rewrite.extra_json.as_deref()))
        .collect();
    let expected = [
        (1, Some(r#"{"note":["it is ***","or *** and ***"]}"#), None),
        (3, Some(r#"{"password":"***","note":"none"}"#), None),
        (4, None, Some(r#"{"trace":"***"}"#)),
        (5, Some(r#"{"note":"***"}"#), None),
    ];
    assert_eq!(found, expected);
    assert_eq!((testing::counter("masked_values"), testing::counter("texts_given_up")), (5, 0));
}

#[test]
fn looks_at_data_other_fields_and_contexts() {
    testing::reset();
    let batch = EventBatchBuilder::new()
        .event("A", "s", "{}")
        .event("A", "s", r#"{"secret":1}"#)
        .extra(r#"{"api_key":"k"}"#);
    let verdict = judged("{}", batch).unwrap();
    assert!(verdict.issues().is_empty());
    let [rewrite] = verdict.rewrites() else { unreachable!() };
    assert_eq!((rewrite.row, rewrite.data_json.is_some(), rewrite.extra_json.is_some()), (1, true, true));

    let mut plugin: Redact = testing::restart("{}", None).unwrap();
    let batch = SampleBatchBuilder::new()
        .sample("logins", r#"{"user":"a"}"#, 1, 1.0)
        .text_sample("logins", r#"{"token":"t"}"#, 1)
        .build();
    let mut verdict = SampleVerdict::default();
    plugin.validate_samples(&batch, &mut verdict).unwrap();
    assert_eq!(verdict.rewrites().len(), 1);
    assert_eq!(verdict.rewrites()[0].series, 1);
    assert_eq!(testing::counter("masked_values"), 3);
}

#[test]
fn contexts_are_searched_too() {
    testing::reset();
    let mut plugin: Redact = testing::restart(r#"{"patterns":["tok-[0-9]"]}"#, None).unwrap();
    let batch = SampleBatchBuilder::new()
        .sample("logins", r#"{"user":"a"}"#, 1, 1.0)
        .sample("logins", r#"{"by":"tok-1","user":"tok-2"}"#, 1, 1.0)
        .sample("logins", r#"{"token":"t"}"#, 1, 1.0)
        .sample("logins", r#"{"by":"tok-1","user":"tok-2"}"#, 2, 1.0)
        .sample("logins", r#"{"user":"tok-3"}"#, 2, 1.0)
        .build();
    let mut verdict = SampleVerdict::default();
    plugin.validate_samples(&batch, &mut verdict).unwrap();
    let rewrites = verdict.rewrites().iter();
    let found: Vec<_> = rewrites.map(|rewrite| (rewrite.series, rewrite.context_json.as_str())).collect();
    let expected = [(1, r#"{"by":"***","user":"***"}"#), (2, r#"{"token":"***"}"#), (3, r#"{"user":"***"}"#)];
    assert_eq!(found, expected);
    assert_eq!(testing::counter("masked_values"), 4);
}

/// Objects with a secret each, in a list: some bytes, and more with their secrets masked.
fn secrets(bytes: usize) -> String {
    format!(r#"{{"list":[{}0]}}"#, r#"{"token":1},"#.repeat((bytes - 12) / 12))
}

#[test]
fn what_would_be_too_long_with_its_secrets_masked_is_masked_whole() {
    const WHOLE: &str = r#"{"redacted":true}"#;
    testing::reset();
    let of = |data: &str, extra: &str| {
        let verdict = judged("{}", EventBatchBuilder::new().event("A", "s", data).extra(extra)).unwrap();
        let rewrite = verdict.rewrites()[0].clone();
        (rewrite.data_json.unwrap_or_default(), rewrite.extra_json.unwrap_or_default())
    };
    assert_eq!(of(&secrets(MAX_EVENT_BYTES), "{}"), (WHOLE.to_owned(), String::new()));
    // Together they would be: one of them need not be lost.
    let (data, extra) = of(&secrets(MAX_EVENT_BYTES * 3 / 4), &secrets(MAX_EVENT_BYTES / 8));
    assert_eq!(data, WHOLE);
    assert!(extra.starts_with(r#"{"list":[{"token":"***"},"#) && extra.len() > MAX_EVENT_BYTES / 8);
    let (data, extra) = of(&secrets(MAX_EVENT_BYTES / 4), &secrets(MAX_EVENT_BYTES * 5 / 8));
    assert!(data.len() > MAX_EVENT_BYTES / 4);
    assert_eq!(extra, WHOLE);
    assert_eq!(testing::counter("objects_masked_whole"), 3);

    let mut plugin: Redact = testing::restart("{}", None).unwrap();
    let context = |bytes: usize| format!(r#"{{"pad":"{}","token":1}}"#, "x".repeat(bytes - 20));
    let (fits, does_not) = (context(MAX_CONTEXT_BYTES - 4), context(MAX_CONTEXT_BYTES));
    assert_eq!(does_not.len(), MAX_CONTEXT_BYTES);
    let batch = SampleBatchBuilder::new().sample("m", &fits, 1, 1.0).sample("m", &does_not, 1, 1.0).build();
    let mut verdict = SampleVerdict::default();
    plugin.validate_samples(&batch, &mut verdict).unwrap();
    let contexts: Vec<_> = verdict.rewrites().iter().map(|rewrite| rewrite.context_json.as_str()).collect();
    assert_eq!(contexts, [fits.replace(":1}", ":\"***\"}").as_str(), WHOLE]);
}

#[test]
fn a_long_mask_makes_no_copy_without_end() {
    testing::reset();
    let config = format!(r#"{{"patterns":["a"],"mask":"{}"}}"#, "m".repeat(10_000));
    let data = format!(r#"{{"text":"{}","other":"a"}}"#, "a".repeat(500_000));
    assert_eq!(redacted(&config, &data).as_deref(), Some(r#"{"redacted":true}"#));
    assert_eq!((testing::counter("masked_values"), testing::counter("objects_masked_whole")), (2, 1));
}

#[test]
fn keys_of_any_script_are_the_same_in_any_case() {
    let config = r#"{"keys":["Пароль","ΚΩΔΙΚΌΣ","token","straße"]}"#;
    let data = r#"{"пАРОЛЬ":1,"κωδικός":2,"to\u212aen":3,"toKen":4,"STRAßE":5,"пароли":6,"é":7,"STRASSE":8}"#;
    let masked =
        (1..=5).fold(data.to_owned(), |data, secret| data.replace(&format!(":{secret},"), ":\"***\","));
    assert_eq!(redacted(config, data), Some(masked));
    assert_eq!(
        redacted(config, r#"{"пАРОЛЬ":1}"#).as_deref(),
        Some(r#"{"пАРОЛЬ":"***"}"#),
        "without escapes"
    );
    let kelvin = redacted(r#"{"keys":["token"]}"#, "{\"to\u{212a}en\":1,\"ключ\":2,\"é\":3}");
    assert_eq!(kelvin.as_deref(), Some("{\"to\u{212a}en\":\"***\",\"ключ\":2,\"é\":3}"));
}

#[test]
fn keys_of_any_length_are_found() {
    let long = "k".repeat(70);
    let config = format!(r#"{{"keys":["{long}",""]}}"#);
    let data = format!(r#"{{"":1,"{long}":2,"{long}k":3,"{}":4}}"#, "k".repeat(63));
    let masked = redacted(&config, &data).unwrap();
    assert_eq!(masked, data.replace(":1,", ":\"***\",").replace(":2,", ":\"***\","));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for config in ["{}", r#"{"patterns":["a"]}"#] {
        let batch = EventBatchBuilder::new().event("A", "s", r#"{"password":"#);
        assert!(judged(config, batch).unwrap_err().message().contains("not JSON"), "{config}");
    }
}

#[test]
fn words_end_where_they_do_in_unicode_or_in_ascii() {
    let config = r#"{"keys":[],"patterns":["\\b[0-9]{4}\\b","(?i)k\\w+"]}"#;
    let masked = redacted(config, r#"{"a":"卡4111","b":"Kä","c":"x4111"}"#);
    assert_eq!(masked.as_deref(), Some(r#"{"a":"卡***","b":"***","c":"x4111"}"#));
    // Nor does a pattern that ASCII alone cannot say.
    for pattern in [r"\\bpassword=\\S+", r"(?x) \\bpassword= . [^;]* # whatever it is"] {
        let config = format!(r#"{{"keys":[],"patterns":["{pattern}"]}}"#);
        let masked = redacted(&config, r#"{"a":"密码password=hunter2","b":"mypassword=x"}"#);
        assert_eq!(masked.as_deref(), Some(r#"{"a":"密码***","b":"mypassword=x"}"#), "{pattern}");
    }
}

#[test]
fn a_wrong_pattern_is_named() {
    let error = testing::restart::<Redact>(r#"{"patterns":["a","("]}"#, None).err().unwrap();
    assert!(error.to_string().contains("patterns[1]"), "{error}");
}

#[test]
fn schemas_are_current() {
    testing::schema::check_config::<Redact>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
}
