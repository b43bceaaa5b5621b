//! Verifying a store: every table's checksums, and every row's key, checksum and structure.
//!
//! Invariant: a sound report means that every row there is was read and understood; what was passed over is a finding.

mod check;
mod report;
mod walk;

pub use report::{FamilyCheck, Finding, VerifyReport};

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::families::{Class, FIXED};
pub(crate) use walk::{FamilyWalk, Seen, hex};

impl Engine {
    /// Reads everything as of the moment in which each family's turn comes.
    pub(crate) fn verify(&self) -> Result<VerifyReport, StoreError> {
        let files = self
            .database
            .rocks()
            .live_files()
            .map_err(|error| StoreError::Read { what: "the list of tables", source: EngineError(error) })?;
        let partitions = Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class));
        let names: Vec<String> = FIXED
            .iter()
            .map(|name| (*name).to_owned())
            .chain(partitions.map(|partition| partition.family.clone()))
            .collect();
        let mut report = VerifyReport::default();
        for name in &names {
            // What expired meanwhile has nothing to check.
            let Some(family) = self.database.find_family(name) else { continue };
            let tables: Vec<_> = files.iter().filter(|file| file.column_family_name == *name).collect();
            FamilyWalk { database: &self.database, family: &family, name, tables: &tables }
                .run(&mut report, &mut |_| Ok(()))?;
        }
        Ok(report)
    }
}
