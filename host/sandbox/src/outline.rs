//! What a component looks like from outside, read without compiling it: sizes, imports, exports.
//!
//! Runs on bytes that nobody checked yet, before the compiler spends time on them.

use telemetry_core::limits;
use wasmparser::{Encoding, Parser, Payload};

use crate::error::LoadError;
use crate::world::WorldError;

/// The names at a component's surface.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

#[derive(Default)]
struct Sizes {
    modules: u64,
    functions: u64,
}

impl Outline {
    /// Reads the outline of `bytes` and checks the sizes of everything inside.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut outline = Self::default();
        let mut sizes = Sizes::default();
        // Nested modules and components follow their parent's payloads; each opens with its version and closes with its end.
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding, .. } => {
                    if depth == 0 && encoding == Encoding::Module {
                        return Err(WorldError::CoreModule.into());
                    }
                    depth += 1;
                    sizes.add_module(encoding)?;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CodeSectionStart { count, .. } => sizes.add_functions(count.into())?,
                Payload::CodeSectionEntry(body) => check_function(body.range().len())?,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        outline.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        outline.exports.push(export.map_err(malformed)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }
}

impl Sizes {
    fn add_module(&mut self, encoding: Encoding) -> Result<(), LoadError> {
        self.modules += u64::from(encoding == Encoding::Module);
        within("core modules", self.modules, limits::MAX_COMPONENT_MODULES.into())
    }

    fn add_functions(&mut self, count: u64) -> Result<(), LoadError> {
        self.functions = self.functions.saturating_add(count);
        within("functions", self.functions, limits::MAX_COMPONENT_FUNCTIONS)
    }
}

fn check_function(bytes: usize) -> Result<(), LoadError> {
    within("bytes in one function", bytes as u64, limits::MAX_FUNCTION_BYTES as u64)
}

fn within(what: &'static str, size: u64, limit: u64) -> Result<(), LoadError> {
    if size > limit { Err(LoadError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Malformed { offset: error.offset() as u64, reason: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Outline, LoadError> {
        Outline::read(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn names_of_the_surface_only() {
        let outline = read(
            r#"(component
                (import "a:b/c@1.0.0" (instance))
                (component $inner (import "hidden" (func)))
                (core module $m (func))
                (instance $i)
                (export "x:y/z" (instance $i)))"#,
        )
        .unwrap();
        assert_eq!(outline.imports, ["a:b/c@1.0.0"]);
        assert_eq!(outline.exports, ["x:y/z"]);
    }

    #[test]
    fn what_is_no_component() {
        assert!(matches!(read("(module)"), Err(LoadError::World(WorldError::CoreModule))));
        assert!(matches!(Outline::read(b""), Err(LoadError::Malformed { .. })));
        assert!(matches!(Outline::read(b"not wasm at all"), Err(LoadError::Malformed { .. })));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes =
            wat::parse_str(r#"(component (import "a:b/c" (instance)) (core module (func)))"#).unwrap();
        let whole = Outline::read(&bytes).unwrap();
        for end in 0..bytes.len() {
            // A cut between two sections leaves a shorter component; what it lost is missed by the checks that follow.
            if let Ok(outline) = Outline::read(&bytes[..end]) {
                assert!(outline.imports.len() <= whole.imports.len(), "{end}");
            }
        }
    }

    #[test]
    fn a_giant_function_is_refused_before_it_is_compiled() {
        let body = "(drop (i32.const 77))".repeat(limits::MAX_FUNCTION_BYTES / 3);
        let error = read(&format!("(component (core module (func {body})))")).unwrap_err();
        assert!(matches!(error, LoadError::TooLarge { what: "bytes in one function", .. }), "{error}");
    }

    #[test]
    fn too_many_modules_are_refused() {
        let modules = "(core module)".repeat(limits::MAX_COMPONENT_MODULES as usize + 1);
        let error = read(&format!("(component {modules})")).unwrap_err();
        assert!(matches!(error, LoadError::TooLarge { what: "core modules", .. }), "{error}");
    }
}
