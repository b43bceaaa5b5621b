//! Patterns beside the matrix: every kind that has them finds with them, and what is too much is told by name.

use telemetry_core::extension::DeliveryOutcome;
use telemetry_sandbox::PluginKind;

use super::cell;
use crate::fixture::{Fixture, events, spec};
use crate::sink::{TIME, alert};

#[test]
fn every_kind_that_has_them_finds() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil");
    let verdict = plugin.validator().unwrap().validate_events(&events(&["patterns"])).unwrap();
    assert_eq!(verdict.issues[0].message, "false true [(0, 2, 4), (2, 0, 1)] []");
    let plugin = fixture.guest("evil-monitor");
    let mut monitor = plugin.monitor(None).unwrap().unwrap();
    assert_eq!(monitor.on_events(&events(&["ATTACK_PATTERNS"])).unwrap()[0].value, Some(1.0));
    let plugin = fixture.guest("evil-sink");
    let mut sink = plugin.sink().unwrap();
    for (order, found) in [("patterns abc", "true"), ("patterns a1", "false")] {
        let outcome = sink.deliver(&[alert(order)], TIME).unwrap().remove(0);
        assert_eq!(outcome, DeliveryOutcome::Rejected(found.to_owned()));
    }
}

#[test]
fn wrong_expressions_are_told_and_what_is_dropped_makes_room() {
    let plugin = Fixture::new().guest("evil");
    let validator = plugin.validator().unwrap();
    let failure = validator.validate_events(&events(&["patterns_wrong"])).unwrap_err();
    assert!(failure.to_string().contains("unclosed group"), "{failure}");
    // Together they would take several times its memory.
    validator.validate_events(&events(&["patterns_dropped"])).unwrap();
}

#[test]
fn kept_patterns_are_few_and_take_the_plugins_memory() {
    for (memory_bytes, told) in
        [(16 << 20, "no room for this pattern"), (256 << 20, "keeps 256 patterns already")]
    {
        let mut spec = spec("evil");
        spec.limits.memory_bytes = memory_bytes;
        let plugin = Fixture::new().sandbox.load(spec).unwrap();
        let validator = plugin.validator().unwrap();
        let failure = validator.validate_events(&events(&["patterns_kept"])).unwrap_err();
        assert!(failure.to_string().contains(told), "{failure}");
        // It dropped them when it gave up.
        validator.validate_events(&events(&["patterns"])).unwrap();
    }
}

#[test]
fn each_limit_is_named() {
    let fixture = Fixture::new();
    for (attack, told) in
        [("patterns.compile-leak", "bytes of memory"), ("patterns.find*", "searches for patterns")]
    {
        let plugin =
            fixture.sandbox.load(cell::spec(PluginKind::Validator, "validate-events", attack)).unwrap();
        let failure = plugin.validator().unwrap().validate_events(&events(&["harmless"])).unwrap_err();
        assert!(failure.to_string().contains(told), "{failure}");
    }
}
