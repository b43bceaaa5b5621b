//! A world's component around a module that does nothing: the author's module is put in that one's place.
//!
//! The frame names every import and export of its world. A module may import less; what it must export is what its bindings
//! export, so that the two fit whenever both come from one contract.

use std::ops::Range;

use wasmparser::{Parser, Payload};

use super::BuildError;

/// What every import of a plugin begins with; the second one is of what it exports itself.
const OURS: [&str; 2] = ["bridge:telemetry/", "[export]bridge:telemetry/"];

/// The frame with `module` in it.
pub(super) fn fill(frame: &[u8], module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let foreign = foreign_imports(module)?;
    if !foreign.is_empty() {
        let hint = if foreign.iter().any(|import| import.contains(" of wasi")) {
            "; a plugin has no files, no clock and no standard output: write with bt_log_info instead of printf"
        } else {
            ""
        };
        return Err(BuildError::Encode { reason: format!("it needs {}{hint}", foreign.join(", ")) });
    }
    let place = main_module(frame)?;
    // Before the module stand the section's kind and its length.
    let header = 1 + length_bytes(place.len());
    let (Some(before), Some(after)) =
        (place.start.checked_sub(header).and_then(|start| frame.get(..start)), frame.get(place.end..))
    else {
        return Err(broken("it has no room for a module"));
    };
    let mut filled = before.to_vec();
    filled.push(MODULE_SECTION);
    push_length(module.len(), &mut filled);
    filled.extend_from_slice(module);
    filled.extend_from_slice(after);
    Ok(filled)
}

/// The kind of a component's section that is a core module.
const MODULE_SECTION: u8 = 1;

/// What the module imports that no plugin has.
fn foreign_imports(module: &[u8]) -> Result<Vec<String>, BuildError> {
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.map_err(|error| broken(error.message()))? {
            for import in section.into_imports() {
                let import = import.map_err(|error| broken(error.message()))?;
                if !OURS.iter().any(|start| import.module.starts_with(start)) {
                    foreign.push(format!("{} of {}", import.name, import.module));
                }
            }
        }
    }
    Ok(foreign)
}

/// Where the first core module of a component stands: the one that does the work.
fn main_module(frame: &[u8]) -> Result<Range<usize>, BuildError> {
    for payload in Parser::new(0).parse_all(frame) {
        if let Payload::ModuleSection { unchecked_range, .. } =
            payload.map_err(|error| broken(error.message()))?
        {
            return Ok(unchecked_range);
        }
    }
    Err(broken("it has no module"))
}

fn broken(reason: &str) -> BuildError {
    BuildError::Encode { reason: reason.to_owned() }
}

/// A length in LEB128.
fn push_length(length: usize, into: &mut Vec<u8>) {
    let mut rest = length;
    loop {
        let part = u8::try_from(rest & 0x7f).unwrap_or(0);
        rest >>= 7;
        if rest == 0 {
            return into.push(part);
        }
        into.push(part | 0x80);
    }
}

fn length_bytes(length: usize) -> usize {
    let mut bytes = Vec::new();
    push_length(length, &mut bytes);
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "(component (core module (func)) (core module (func) (func)))";

    fn wat(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_module_takes_the_first_ones_place() {
        for functions in [0, 1, 200] {
            let module = wat(&format!("(module {})", "(func)".repeat(functions)));
            let filled = fill(&wat(FRAME), &module).unwrap();
            let place = main_module(&filled).unwrap();
            assert_eq!(filled[place], module);
            let whole = wat(&format!(
                "(component (core module {}) (core module (func) (func)))",
                "(func)".repeat(functions)
            ));
            assert_eq!(filled, whole);
        }
    }

    #[test]
    fn what_a_plugin_does_not_have_is_named() {
        let module = wat(
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)) (import "bridge:telemetry/log@0.2.2" "write" (func)))"#,
        );
        let error = fill(&wat(FRAME), &module).unwrap_err().to_string();
        assert!(
            error.contains("fd_write of wasi_snapshot_preview1") && error.contains("bt_log_info"),
            "{error}"
        );
        assert!(!error.contains("telemetry/log"), "{error}");
        assert!(fill(b"not wasm", &wat("(module)")).is_err());
    }
}
