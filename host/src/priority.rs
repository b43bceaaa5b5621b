//! Who goes first when there are more threads than processors: recording and queries before what plugins do on threads of their own.

use telemetry_core::limits;

/// The calling thread gives way to the others from now on.
pub(crate) fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere the whole process would give way.
    #[cfg(target_os = "linux")]
    // One that does not give way does its work all the same.
    let _ = rustix::process::nice(limits::PLUGIN_THREAD_NICENESS);
}
