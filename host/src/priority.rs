//! Who goes first when there are more threads than processors: recording and queries before what plugins do on threads of their own.

use std::io;
use std::panic::resume_unwind;
use std::thread::Builder;
use std::time::Duration;

/// The calling thread gives way to the others from now on: it gets less of the processors where there are too few, and does not take one
/// from another thread when it wakes up.
pub(crate) fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere the whole process would give way.
    #[cfg(target_os = "linux")]
    linux::give_way();
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::process::nice;
    use telemetry_core::limits::PLUGIN_THREAD_NICENESS;
    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    use thread_priority::{ThreadPriority, ThreadPriorityValue};

    /// The greatest niceness there is.
    pub(super) const NICEST: i32 = 19;
    /// From the least niceness, -20, to the greatest.
    const SPAN: i32 = 39;
    /// The library's priorities go from 0, the nicest, to this.
    const HIGHEST: i32 = 99;

    /// One that cannot give way does its work all the same.
    pub(super) fn give_way() {
        let before = nice(0).unwrap_or_default();
        // The policy is set with a priority: the one that it has.
        let own = (NICEST - before).clamp(0, SPAN) * HIGHEST / SPAN;
        let own = u8::try_from(own).ok().and_then(|own| ThreadPriorityValue::try_from(own).ok());
        if let Some(own) = own {
            let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
            let _ = set_thread_priority_and_policy(
                thread_native_id(),
                ThreadPriority::Crossplatform(own),
                policy,
            );
        }
        let now = nice(0).unwrap_or(before);
        let _ = nice((before + PLUGIN_THREAD_NICENESS).min(NICEST) - now);
    }
}

/// What a thread had of the processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// How long it computed.
    ran: Duration,
    /// How long it wanted to, while others did.
    waited: Duration,
}

impl Share {
    /// Of the calling thread so far; nothing where the system does not tell.
    fn of_this_thread() -> Self {
        // Linux, Documentation/scheduler/sched-stats.rst: nanoseconds on a processor, nanoseconds waiting for one, and a count.
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let mut nanos = text.split_whitespace().map(|number| number.parse().map(Duration::from_nanos));
        match (nanos.next(), nanos.next()) {
            (Some(Ok(ran)), Some(Ok(waited))) => Self { ran, waited },
            _ => Self::default(),
        }
    }

    /// Whether it had less than half of a processor while it wanted one.
    pub(crate) fn was_starved(&self) -> bool {
        self.waited > self.ran
    }
}

/// Does work on a thread of its own that gives way, and waits for it: who gave way once cannot take that back. Answers what that thread
/// had of the processors, too. Fails where there is no thread to be had.
pub(crate) fn giving_way<R: Send>(thread: &str, work: impl FnOnce() -> R + Send) -> io::Result<(R, Share)> {
    std::thread::scope(|scope| {
        let worker = Builder::new().name(thread.to_owned()).spawn_scoped(scope, || {
            give_way();
            (work(), Share::of_this_thread())
        })?;
        Ok(worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::nice;
    use telemetry_core::limits::PLUGIN_THREAD_NICENESS;
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    #[test]
    fn who_gives_way_is_nicer_and_takes_no_processor_from_others() {
        let before = nice(0).unwrap();
        // The second is as nice as the first was before, and becomes nicer than it.
        let both = || {
            let first = (nice(0).unwrap(), thread_schedule_policy().unwrap());
            give_way();
            (first, nice(0).unwrap())
        };
        let ((first, second), _) = giving_way("gives-way", both).unwrap();
        let nicer = |by: i32| (before + by).min(linux::NICEST);
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        assert_eq!(first, (nicer(PLUGIN_THREAD_NICENESS), batch));
        assert_eq!(second, nicer(2 * PLUGIN_THREAD_NICENESS));
        assert_eq!(nice(0).unwrap(), before, "who waits for it goes on as before");
    }

    #[test]
    fn whose_share_was_small_was_starved() {
        let millis = Duration::from_millis;
        let is_starved = |(ran, waited)| Share { ran: millis(ran), waited: millis(waited) }.was_starved();
        assert_eq!([(0, 0), (2, 2), (2, 3)].map(is_starved), [false, false, true]);
        let work = || (0..1_000_000_u64).fold(1, |a, b| std::hint::black_box(a ^ b));
        let (_, share) = giving_way("computes", work).unwrap();
        assert!(share.ran > Duration::ZERO, "{share:?}");
    }
}
