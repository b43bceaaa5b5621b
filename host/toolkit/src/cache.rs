//! Where compiled code is kept for the author: CPython's takes ten seconds to compile.

use std::path::PathBuf;

/// The user's folder for compiled code; none when the user has no home.
pub(crate) fn code_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    caches.is_absolute().then(|| caches.join("bridge-telemetry").join("compiled"))
}
