//! Components that are hostile by their bytes: a guest with an order written into it, or with a core module more.

use std::fmt::Write as _;

use anyhow::Context as _;
use wasmparser::{Parser, Payload};

/// What the place of an order in a guest's bytes begins with, and its length: see the crate `bridge-telemetry-zoo`.
const PLACE: &[u8] = b"zoo-order-> ";
const PLACE_BYTES: usize = 80;

/// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;

/// The guest, which makes this attack wherever it is loaded.
pub(super) fn with_order(component: &[u8], order: &str) -> anyhow::Result<Vec<u8>> {
    let room = PLACE_BYTES - PLACE.len();
    anyhow::ensure!(order.len() <= room, "{order} is too long");
    let mut bytes = component.to_vec();
    let begin = bytes.windows(PLACE.len()).position(|window| window == PLACE);
    let begin = begin.context("the guest has no place for an order")? + PLACE.len();
    let place = bytes.get_mut(begin..begin + room).context("the place for an order is cut")?;
    place.copy_from_slice(format!("{order:room$}").as_bytes());
    Ok(bytes)
}

/// The plugin with a hundred megabytes of memory in small pieces, none of which is much.
pub(super) fn many_memories(component: &[u8]) -> anyhow::Result<Vec<u8>> {
    with_module(component, "(module (memory 8))", 200)
}

/// The plugin with functions at the edge of what is compiled at all: many branches, each of which all variables live through.
pub(super) fn compile_bomb(component: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = "(local".to_owned() + &" i64".repeat(250) + ")";
    for n in 0..20_000 {
        let (to, from) = (n % 250, (n * 7 + 1) % 250);
        let sum = format!("(i64.add (local.get {to}) (local.get {from}))");
        write!(body, "(if (i64.eqz (local.get {from})) (then (local.set {to} {sum})))")?;
    }
    with_module(component, &format!("(module {})", format!("(func {body})").repeat(4)), 1)
}

/// A component with a core module more, which is instantiated so many times.
fn with_module(component: &[u8], module: &str, instances: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = component.to_vec();
    let (mut depth, mut modules) = (0_usize, 0_usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } => modules += usize::from(depth == 1),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    bytes.extend(section(CORE_MODULE, &wat::parse_str(module)?));
    let instance = [&[0], length(modules).as_slice(), &[0]].concat();
    bytes.extend(section(CORE_INSTANCE, &[length(instances), instance.repeat(instances)].concat()));
    Ok(bytes)
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], length(content.len()).as_slice(), content].concat()
}

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
