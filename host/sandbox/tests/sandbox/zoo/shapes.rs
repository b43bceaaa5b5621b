//! Components that are hostile by what they are made of: real plugins with something added to their bytes.

use std::fs::File;
use std::time::Duration;

use telemetry_sandbox::{Component, LoadError, Plugin, PluginLimits, PluginSpec, SandboxOptions};
use wasmparser::{Parser, Payload};

use crate::fixture::{Fixture, events, guest};

/// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;
const COMPONENT: u8 = 4;

fn length(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], length(content.len()).as_slice(), content].concat()
}

/// The plugin `evil` with a core module more, which is instantiated so many times.
pub(crate) fn with_module(module: &str, instances: usize) -> Vec<u8> {
    let evil = std::fs::read(guest("evil")).unwrap();
    with_module_bytes(&evil, &wat::parse_str(module).unwrap(), instances)
}

/// A component with a core module more, which is instantiated so many times.
pub(crate) fn with_module_bytes(component: &[u8], module: &[u8], instances: usize) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let (mut depth, mut modules) = (0, 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => modules += usize::from(depth == 1),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    bytes.extend(section(CORE_MODULE, module));
    let instance = [&[0], length(modules).as_slice(), &[0]].concat();
    bytes.extend(section(CORE_INSTANCE, &[length(instances), instance.repeat(instances)].concat()));
    bytes
}

/// A component with another one inside, which nobody instantiates.
pub(crate) fn with_component_bytes(component: &[u8], inner: &[u8]) -> Vec<u8> {
    [component, &section(COMPONENT, inner)].concat()
}

fn load(component: Vec<u8>, init_deadline: Duration) -> Result<Plugin, LoadError> {
    let fixture = Fixture::with(SandboxOptions { init_deadline, ..SandboxOptions::default() });
    let mut spec = PluginSpec::new("shaped", Component::Bytes(component));
    spec.limits = PluginLimits { deadline_ms: 20_000, memory_bytes: 16 << 20, ..PluginLimits::default() };
    let loaded = fixture.sandbox.load(spec);
    // The sandbox serves others.
    let other = fixture.guest("evil");
    other.validator().unwrap().validate_events(&events(&["harmless"])).unwrap();
    loaded
}

fn check(module: &str, instances: usize, expected: &str) {
    let outcome = match load(with_module(module, instances), Duration::from_secs(20)) {
        Ok(_) => "ok".to_owned(),
        Err(LoadError::Start(failure)) => {
            assert_eq!(failure.plugin, "shaped");
            format!("{}: {}", failure.reason.kind(), failure.reason)
        }
        Err(error) => error.to_string(),
    };
    assert!(outcome.contains(expected), "{module} x {instances}: {outcome}");
}

#[test]
fn what_is_added_makes_no_difference_by_itself() {
    check("(module)", 1, "ok");
    check("(module (memory 1))", 10, "ok");
}

#[test]
fn many_small_memories_count_together() {
    check("(module (memory 4))", 100, "limit: it needs more bytes of memory than its limit of 16777216");
    check("(module (memory 100) (memory 100) (memory 100))", 1, "limit: it needs more bytes of memory");
}

#[test]
fn many_instances_tables_and_memories_have_limits_of_their_own() {
    check("(module)", 300, "limit");
    check("(module (memory 0))", 300, "limit");
    check("(module (table 0 funcref))", 300, "limit");
    check("(module (table 150000 funcref))", 2, "limit: it needs more table elements");
    check("(module)", 900, "limit");
}

#[test]
fn a_start_function_is_under_the_same_rule_as_all_code() {
    check("(module (func $f unreachable) (start $f))", 1, "trap: ");
    check("(module (func $f (call $f)) (start $f))", 1, "trap: it trapped: call stack exhausted");
    let endless = with_module("(module (func $f (loop $l (br $l))) (start $f))", 1);
    let Err(LoadError::Start(failure)) = load(endless, Duration::from_millis(150)) else { panic!("loaded") };
    assert_eq!(failure.reason.kind(), "deadline", "{failure}");
}

#[test]
fn data_beyond_its_memory_is_refused() {
    check(r#"(module (memory 1) (data (i32.const 65536) "x"))"#, 1, "trap: ");
}

#[test]
fn a_hundred_megabytes_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.wasm");
    std::fs::copy(guest("evil"), &path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(100 << 20).unwrap();
    let error = Fixture::new().sandbox.load(PluginSpec::new("large", Component::File(path))).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { what: "bytes", .. }), "{error}");
    let mut bytes = std::fs::read(guest("evil")).unwrap();
    // A section that says nothing: the component is sound.
    let room = (100 << 20) - bytes.len();
    bytes.extend(section(0, &[b"\x01x".to_vec(), vec![0; room]].concat()));
    let error = Fixture::new().sandbox.load(PluginSpec::new("large", Component::Bytes(bytes))).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { what: "bytes", .. }), "{error}");
}
