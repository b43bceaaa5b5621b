//! Packages of plugins: manifests, signatures, archives.

use super::{MAX_COMPONENT_BYTES, MAX_GRANTED_ORIGINS};

/// Largest manifest of a plugin in bytes: a page of text, and every grant with its reason.
pub const MAX_MANIFEST_BYTES: u64 = 128 << 10;
/// Longest description, licence, author and reason of a manifest in bytes: one line for a person.
pub const MAX_MANIFEST_LINE_BYTES: usize = 1 << 10;
/// Most authors that a manifest names.
pub const MAX_MANIFEST_AUTHORS: usize = 64;
/// Most origins, and most secrets, that a manifest requests: as many as can be granted.
pub const MAX_REQUESTED_GRANTS: usize = MAX_GRANTED_ORIGINS;
/// Most keys whose signatures a host trusts: each is tried.
pub const MAX_TRUSTED_KEYS: usize = 64;
/// Largest signature file in bytes: four lines, the longest of them a comment.
pub const MAX_SIGNATURE_BYTES: u64 = 8 << 10;
/// Largest file of pins in bytes: thousands of plugins fit.
pub const MAX_LOCK_BYTES: u64 = 1 << 20;
/// Entries of one plugin package at most: four matter, and an author adds a README or two.
pub const MAX_PACKAGE_ENTRIES: usize = 256;
/// Bytes of all that an archive of a package unpacks to: the largest component, and as much again beside it.
pub const MAX_PACKAGE_BYTES: u64 = 2 * MAX_COMPONENT_BYTES;
/// Longest name of a file of a package in bytes: what file systems take.
pub const MAX_FILE_NAME_BYTES: usize = 255;
