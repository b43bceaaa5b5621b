//! Plugin packages: a component with the manifest beside it, and why it may be run.
//!
//! A package is a folder with `plugin.toml`, the component that it names, perhaps the schema file that it names, and perhaps
//! `plugin.toml.minisig`, a minisign signature over the manifest, which holds the component's SHA-256. It is installed as
//! `plugins.directory/NAME/`. A component alone, `plugins.directory/NAME.wasm`, is a plugin as well: without a manifest, so
//! that its grants are those that are configured.
//!
//! The way of a plugin: `source` reads it into memory, once, with `file` and `archive` → `verify` holds it against its manifest,
//! its signature, its pin in `lock`, its `floor` and the host's policy → [`PluginPackages::verified`] gives the very bytes that were
//! checked to the sandbox, with the grants that `effective` leaves. `install` and `switch` change what lies in the folder.

mod archive;
mod effective;
mod error;
mod file;
mod floor;
mod inspection;
mod install;
mod lock;
mod manifest;
mod manifest_check;
#[cfg(test)]
mod manifest_tests;
mod packages;
mod requested;
mod secret_key;
mod sha256;
mod sign;
mod source;
mod switch;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use effective::{GrantLine, GrantReport, GrantState, RoomState};
pub use error::PackageError;
pub use file::FileError;
pub use floor::KnownVersion;
pub(crate) use floor::{LockEntry, RunningVersion, VersionFloor, note_running, note_taken_back};
pub(crate) use inspection::describe;
pub use inspection::{Inspection, Refusal, inspect, package_faults};
pub use install::{InstallOptions, Installation, install};
pub use lock::{LOCK_FILE, LockError, Pin, PluginLock};
pub use manifest::{MANIFEST_FILE, Manifest, ManifestError, ManifestFault};
pub use packages::PluginPackages;
pub use requested::{ANY, Reasoned, RequestedGrants, RequestedOrigin, RequestedRoom, RequestedSecret};
pub use secret_key::{SecretKey, SecretKeyError};
pub use sha256::{Sha256, Sha256Error};
pub use sign::{Signed, sign, with_sha256};
pub use source::SIGNATURE_SUFFIX;
pub(crate) use switch::note_put_back;
pub use switch::{disable, enable, remove};
pub use verify::{Trust, VerifiedPackage, contract_of};
