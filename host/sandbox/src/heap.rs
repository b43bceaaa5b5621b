//! The heap after compiling: the compiler needs a hundred megabytes for seconds, and the allocator would keep them.

/// Gives free memory back to the operating system where the allocator can be told to.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "a call of the C library")]
    // SAFETY: malloc_trim takes no pointer, may be called at any time from any thread, and changes no live allocation.
    unsafe {
        libc::malloc_trim(0);
    }
}
