//! Plugin packages: a component with the manifest beside it.

mod manifest;
mod manifest_check;
#[cfg(test)]
mod manifest_tests;
mod requested;
mod sha256;

pub use manifest::{MANIFEST_FILE, Manifest, ManifestError, ManifestFault};
pub use requested::{ANY, Reasoned, RequestedGrants, RequestedOrigin, RequestedRoom, RequestedSecret};
pub use sha256::{Sha256, Sha256Error};
