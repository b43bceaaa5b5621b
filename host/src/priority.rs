//! Who goes first when there are more threads than processors: recording and queries before what plugins do on threads of their own.

use std::io;
use std::panic::resume_unwind;
use std::thread::Builder;

use telemetry_core::limits;

/// The calling thread gives way to the others from now on: it gets less of the processors where there are too few, and does not take one
/// from another thread when it wakes up.
pub(crate) fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere the whole process would give way.
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        use thread_priority::{ThreadPriority, ThreadPriorityValue};

        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        if let Ok(priority) = ThreadPriorityValue::try_from(limits::PLUGIN_THREAD_PRIORITY) {
            let priority = ThreadPriority::Crossplatform(priority);
            // One that does not give way does its work all the same.
            let _ = set_thread_priority_and_policy(thread_native_id(), priority, policy);
        }
    }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::nice;
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    #[test]
    fn who_gives_way_is_nice_and_takes_no_processor_from_others() {
        let before = nice(0).unwrap();
        let (niceness, policy) =
            giving_way("gives-way", || (nice(0).unwrap(), thread_schedule_policy().unwrap())).unwrap();
        assert_eq!(niceness, limits::PLUGIN_THREAD_NICENESS.max(before));
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch));
        assert_eq!(nice(0).unwrap(), before, "who waits for it goes on as before");
    }
}
