//! What cannot be loaded is refused with its cause and the remedy.

use std::path::PathBuf;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::json;
use telemetry_sandbox::{
    Component, Grants, LoadError, PluginKind, PluginLimits, PluginSpec, SandboxOptions, WorldError,
};

use crate::fixture::{Fixture, guest, spec};

fn refused(spec: PluginSpec) -> LoadError {
    Fixture::new().sandbox.load(spec).unwrap_err()
}

fn check_component(text: &str, expect: Expect) {
    let bytes = wat::parse_str(text).unwrap();
    expect.assert_eq(&refused(PluginSpec::new("p", Component::Bytes(bytes))).to_string());
}

#[test]
fn what_is_no_plugin() {
    check_component(
        "(module)",
        expect![
            "this is a core WebAssembly module, not a component; build it with `plugin build`, or wrap it with `wasm-tools component new`"
        ],
    );
    check_component(
        "(component)",
        expect![
            "the component is no plugin: it exports nothing, and a plugin exports bridge:telemetry/lifecycle and one of validation, aggregation, monitoring, delivery"
        ],
    );
    let text = refused(PluginSpec::new("p", Component::Bytes(b"#!/bin/sh".to_vec()))).to_string();
    expect!["the component is truncated or corrupt at byte 0: magic header not detected: bad magic number - expected=[\n    0x0,\n    0x61,\n    0x73,\n    0x6d,\n] actual=[\n    0x23,\n    0x21,\n    0x2f,\n    0x62,\n]; build it again or copy it again from its source"].assert_eq(&text);
    let missing = refused(PluginSpec::new("p", Component::File(PathBuf::from("/nowhere/p.wasm"))));
    assert!(matches!(missing, LoadError::Read { .. }), "{missing}");
}

#[test]
fn undeclared_imports_are_named() {
    let exports = r#"(instance $i)
        (export "bridge:telemetry/lifecycle@0.2.0" (instance $i))
        (export "bridge:telemetry/validation@0.2.0" (instance $i))"#;
    check_component(
        &format!(r#"(component (import "wasi:sockets/tcp@0.2.3" (instance)) {exports})"#),
        expect![
            "the component imports wasi:sockets/tcp@0.2.3, which a validator cannot have: plugins have no files and no sockets; build without code that uses them, and with Python's or JavaScript's tools give --stub-wasi"
        ],
    );
    check_component(
        &format!(r#"(component (import "bridge:telemetry/key-value@0.2.0" (instance)) {exports})"#),
        expect![
            "the component imports bridge:telemetry/key-value@0.2.0, which a validator cannot have: its kind's world in the WIT package lists what it can reach; make the plugin of the kind that has this import"
        ],
    );
    check_component(
        &format!("(component {exports})"),
        expect![
            "the component's functions do not have the types of the contract 0.2.2: instance export `bridge:telemetry/lifecycle@0.2.2` does not have export `describe`; build it against that version's WIT"
        ],
    );
}

#[test]
fn a_world_of_another_version_is_refused() {
    let bytes = wat::parse_str(
        r#"(component (instance $i) (export "bridge:telemetry/lifecycle@0.9.0" (instance $i)))"#,
    );
    let error = refused(PluginSpec::new("p", Component::Bytes(bytes.unwrap())));
    assert!(matches!(error, LoadError::World(WorldError::Version { .. })), "{error}");
}

#[test]
fn every_truncation_of_a_real_component_is_refused() {
    let whole = std::fs::read(guest("evil")).unwrap();
    let fixture = Fixture::with(SandboxOptions::default());
    for part in 0..64 {
        let bytes = whole[..whole.len() * part / 64].to_vec();
        let error = fixture.sandbox.load(PluginSpec::new("p", Component::Bytes(bytes))).unwrap_err();
        assert!(
            matches!(error, LoadError::Malformed { .. } | LoadError::World(_) | LoadError::Compile { .. }),
            "part {part}: {error}"
        );
    }
}

#[test]
fn flipped_bytes_never_harm_the_host() {
    let whole = std::fs::read(guest("evil")).unwrap();
    let fixture = Fixture::with(SandboxOptions {
        init_deadline: Duration::from_millis(200),
        ..SandboxOptions::default()
    });
    for part in 0..12 {
        let mut bytes = whole.clone();
        let at = bytes.len() * part / 12;
        bytes[at] ^= 0x55;
        // A flipped constant may still make a working plugin.
        if let Ok(plugin) = fixture.sandbox.load(PluginSpec::new("p", Component::Bytes(bytes))) {
            assert_eq!(plugin.info().kind, PluginKind::Validator);
        }
    }
}

#[test]
fn a_component_over_the_size_limit_is_refused_before_it_is_read_whole() {
    let fixture = Fixture::with(SandboxOptions { max_component_bytes: 1000, ..SandboxOptions::default() });
    let error = fixture.sandbox.load(spec("evil")).unwrap_err();
    assert_eq!(error.to_string(), "the component has 1001 bytes, the limit is 1000");
}

#[test]
fn a_configuration_is_checked_before_init() {
    let error = refused(spec("evil").with_config(json!({"init": "dance", "speed": 3})));
    let LoadError::Config { faults } = &error else { panic!("{error}") };
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with("/init: ")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("speed")), "{faults:?}");
}

#[test]
fn a_failing_init_is_named_by_kind() {
    let check = |fixture: &Fixture, config: serde_json::Value, kind: &str, text: &str| {
        let error = fixture.sandbox.load(spec("evil").with_config(config)).unwrap_err();
        let LoadError::Start(failure) = &error else { panic!("{error}") };
        assert_eq!((failure.plugin.as_str(), failure.reason.kind()), ("evil", kind), "{failure}");
        assert!(failure.reason.to_string().contains(text), "{failure}");
    };
    // Little time is for what only the clock ends.
    let hurried = Fixture::with(SandboxOptions {
        init_deadline: Duration::from_millis(300),
        ..SandboxOptions::default()
    });
    check(&hurried, json!({"init": "loop"}), "deadline", "300ms");
    // The same sandbox still serves.
    hurried.sandbox.load(spec("evil")).unwrap();
    let fixture = Fixture::new();
    let check = |config, kind, text| check(&fixture, config, kind, text);
    check(json!({"init": "panic"}), "trap", "it was all a trap");
    check(json!({"init": "log_and_trap"}), "trap", "these are my last words");
    check(json!({"init": "memory"}), "limit", "bytes of memory");
    check(json!({"init": "invalid"}), "config", "limit: must be even");
    check(json!({"init": "transient"}), "transient", "come back later");
    check(json!({"subscription": "patterns"}), "output", "event types");
    check(json!({"subscription": "tick"}), "output", "tick");
    fixture.sandbox.load(spec("evil")).unwrap();
}

#[test]
fn a_plugin_without_memory_for_its_start_is_refused() {
    let mut spec = spec("evil");
    spec.limits = PluginLimits { memory_bytes: 1 << 16, ..PluginLimits::default() };
    let error = refused(spec);
    let LoadError::Start(failure) = &error else { panic!("{error}") };
    assert_eq!(failure.reason.kind(), "limit", "{failure}");
}

#[test]
fn grants_must_fit() {
    let mut validator = spec("evil");
    validator.grants = Grants { http: vec!["https://example.com".to_owned()], ..Grants::default() };
    let error = refused(validator);
    assert!(matches!(error, LoadError::Grant { .. }), "{error}");
    let mut sink = spec("evil-sink");
    sink.grants = Grants { http: vec!["https://example.com/path".to_owned()], ..Grants::default() };
    let error = refused(sink);
    assert!(error.to_string().contains("name the origin alone"), "{error}");
}

#[test]
fn inspect_describes_without_init() {
    let info = Fixture::new().sandbox.inspect(&guest("evil-monitor")).unwrap();
    assert_eq!(
        (info.name.as_str(), info.kind, info.version.as_str()),
        ("evil-monitor", PluginKind::Monitor, "6.6.6")
    );
    assert_eq!(info.sha256.len(), 64);
    assert!(
        info.imports.iter().any(|import| import.starts_with("bridge:telemetry/query@")),
        "{:?}",
        info.imports
    );
    assert_eq!(info.component_bytes, std::fs::metadata(guest("evil-monitor")).unwrap().len());
}

#[test]
fn an_outline_compiles_nothing_and_knows_what_is_compiled_already() {
    let cache = tempfile::tempdir().unwrap();
    let options =
        SandboxOptions { cache_directory: Some(cache.path().join("c")), ..SandboxOptions::default() };
    let sandbox = Fixture::with(options).sandbox;
    let outline = sandbox.outline(&guest("evil-sink")).unwrap();
    assert_eq!((outline.kind, outline.is_compiled), (PluginKind::Sink, false));
    assert_eq!(std::fs::read_dir(cache.path().join("c")).unwrap().count(), 0, "something was compiled");
    let info = sandbox.load(spec("evil-sink")).unwrap().info().clone();
    assert_eq!((&info.sha256, info.component_bytes), (&outline.sha256, outline.bytes));
    assert!(sandbox.outline(&guest("evil-sink")).unwrap().is_compiled);
    assert!(matches!(sandbox.outline(std::path::Path::new("/nowhere")), Err(LoadError::Read { .. })));
}
