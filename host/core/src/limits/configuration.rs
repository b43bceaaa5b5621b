//! Configuration files.

/// Largest configuration file in bytes: a thousand plugins fit.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// Largest configuration of one plugin as JSON in bytes: a large JSON Schema fits.
pub const MAX_PLUGIN_CONFIG_BYTES: usize = 1 << 20;
/// Largest name of a plugin, receiver or secret in bytes: it stands in keys, paths and log lines.
pub const MAX_CONFIGURED_NAME_BYTES: usize = 128;
/// Largest secret in bytes: a certificate fits.
pub const MAX_SECRET_BYTES: usize = 64 << 10;
