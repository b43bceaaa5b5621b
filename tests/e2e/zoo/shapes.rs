//! Components that are hostile by what they are made of: each is refused before it costs anything, and is told with its name and
//! its reason.

use std::fs::File;
use std::path::Path;

use bridge_telemetry_tests::guest;
use serde_json::json;

use super::{
    GUESTS, base, bear_witness, check_serves, check_told, check_undisturbed, listed, with_well_meant,
};
use crate::fixture::with_plugin;

/// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;
/// What a core module begins with.
const MODULE: [u8; 8] = [0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00];

/// Makes one of a guest, and what its reason says.
type Shape = (&'static str, fn(&Path, &Path), &'static str);
const SHAPES: [Shape; 3] = [
    ("many-memories", many_memories, "it needs more bytes of memory than its limit"),
    ("hundred-megabytes", hundred_megabytes, "bytes, the limit"),
    ("compile-bomb", compile_bomb, "bytes times local variables in one function"),
];

fn many_memories(guest: &Path, to: &Path) {
    std::fs::write(to, with_memories(guest, 4, 100)).unwrap();
}

/// A guest with so many memories more, each of so many pages.
pub(crate) fn with_memories(guest: &Path, pages: usize, count: usize) -> Vec<u8> {
    let memory = section(5, &[&[1, 0], length(pages).as_slice()].concat());
    with_module(guest, &[&MODULE[..], memory.as_slice()].concat(), count)
}

/// The guest, and zeros behind it.
pub(crate) fn hundred_megabytes(guest: &Path, to: &Path) {
    std::fs::copy(guest, to).unwrap();
    File::options().write(true).open(to).unwrap().set_len(100 << 20).unwrap();
}

/// One function with so many variables that the compiler would look at each of them at each of its bytes for minutes.
pub(crate) fn compile_bomb(guest: &Path, to: &Path) {
    const I64: u8 = 0x7E;
    const NOTHING: u8 = 0x01;
    const END: u8 = 0x0B;
    let types: [u8; 6] = [1, 4, 1, 0x60, 0, 0];
    let functions: [u8; 4] = [3, 2, 1, 0];
    let locals = [&[1], length(40_000).as_slice(), &[I64]].concat();
    let body = [locals, vec![NOTHING; 40_000], vec![END]].concat();
    let code = section(10, &[&[1], length(body.len()).as_slice(), body.as_slice()].concat());
    let module = [&MODULE[..], &types, &functions, code.as_slice()].concat();
    std::fs::write(to, with_module(guest, &module, 1)).unwrap();
}

/// A guest with a core module more, which is instantiated so many times.
fn with_module(guest: &Path, module: &[u8], instances: usize) -> Vec<u8> {
    let component = std::fs::read(guest).unwrap();
    let instance = [&[0], length(modules_of(&component)).as_slice(), &[0]].concat();
    let instances = [length(instances), instance.repeat(instances)].concat();
    [component, section(CORE_MODULE, module), section(CORE_INSTANCE, &instances)].concat()
}

/// How many core modules a component has: the number of the next.
fn modules_of(component: &[u8]) -> usize {
    let (mut modules, mut at) = (0, MODULE.len());
    while let Some(id) = component.get(at) {
        modules += usize::from(*id == CORE_MODULE);
        let (mut size, mut shift) = (0, 0);
        loop {
            at += 1;
            size |= usize::from(component[at] & 0x7F) << shift;
            shift += 7;
            if component[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + size;
    }
    modules
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], length(content.len()).as_slice(), content].concat()
}

/// A number as WebAssembly writes it.
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

#[test]
fn components_that_are_hostile_by_their_shape_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = base();
    for (kind, component) in GUESTS {
        for (shape, make, _) in SHAPES {
            let name = format!("{kind}.{shape}");
            let file = folder.path().join(&name).with_added_extension("wasm");
            make(&guest(component).unwrap(), &file);
            config = with_plugin(config, &name, &file, json!({"limits": {"memory_bytes": 16 << 20}}));
            config["plugins"]["settings"][&name]["required"] = json!(false);
            if kind == "sink" {
                config["alerting"]["receivers"][format!("to.{name}")] = json!({"plugin": name});
            }
        }
    }
    let (host, clock) = with_well_meant(config);
    check_serves(&host, 0);
    bear_witness(&host, &clock);
    check_told(&host, 1);
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    let (issues, listed) = (health["issues"].to_string(), listed(&host));
    for (kind, _) in GUESTS {
        for (shape, _, told) in SHAPES {
            // Of a sink that was looked at and not started, the receiver's copy failed.
            let names = [format!("{kind}.{shape}"), format!("to.{kind}.{shape}")];
            let failed: Vec<_> = names.iter().filter_map(|name| listed.get(name)).collect();
            assert!(failed.iter().all(|plugin| plugin["load"] == "failed"), "{failed:?}");
            let reason = |name: &&String| listed.get(*name).and_then(|it| it["reason"].as_str());
            let name = names.iter().find(|name| reason(name).is_some_and(|reason| reason.contains(told)));
            let name = name.unwrap_or_else(|| panic!("{told}: {failed:?}"));
            assert!(issues.contains(&format!("plugin {name} could not be loaded")), "{issues}");
        }
    }
    check_undisturbed(&listed);
}
