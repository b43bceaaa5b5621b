//! Who goes first when there are more threads than processors: recording and queries before what plugins do on threads of their own.

use std::io;
use std::panic::resume_unwind;
use std::thread::Builder;

use telemetry_core::limits;

/// The calling thread gives way to the others from now on.
pub(crate) fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere the whole process would give way.
    #[cfg(target_os = "linux")]
    // One that does not give way does its work all the same.
    let _ = rustix::process::nice(limits::PLUGIN_THREAD_NICENESS);
}

/// Does work on a thread of its own that gives way, and waits for it: who gave way once cannot take that back. Fails where there is no
/// thread to be had.
pub(crate) fn giving_way<R: Send>(thread: &str, work: impl FnOnce() -> R + Send) -> io::Result<R> {
    std::thread::scope(|scope| {
        let worker = Builder::new().name(thread.to_owned()).spawn_scoped(scope, || {
            give_way();
            work()
        })?;
        Ok(worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
