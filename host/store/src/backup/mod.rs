//! Backups: a whole copy of a live store in a directory of its own, and bringing one back.
//!
//! Invariant: a directory under a backup's name is whole, or it is not a backup: everything is written under another
//! name first, synced, and renamed last; the manifest has every file's checksum, and nothing is restored that differs.

mod error;
pub(crate) mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod make;
mod manifest;
mod restore;

pub use error::BackupError;
pub(crate) use make::clear_staging;
pub use manifest::BackupSummary;
pub use restore::{Existing, check_backup, restore};
