//! Splits work over series into parts, and the parts among a few threads.
//!
//! Invariant: what the parts are depends on the series, the range and the function, not on which threads are free, and parts are merged
//! in their order: an answer is the same to the last digit however many threads took part.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use telemetry_core::aggregation::AccumulatorsAtOnce;
use telemetry_core::time::saturating_nanos;

use super::board::{Board, Place};
use super::stop::Stop;
use super::watch::Watch;

/// Series for which another part pays: below, a thread for them costs about as much as it saves where digests answer. Where a
/// day of each must be decoded it would pay from the second series on.
const SERIES_PER_PART: usize = 32;
/// The same of functions that no digest can stand for, where the range is [`READ_RANGE`] or longer.
const READ_SERIES_PER_PART: usize = 16;
/// So much of each of these series takes longer to read than a state to save and merge. Of a shorter range a part has more series by as
/// much: five minutes of 256 series are read at once.
const READ_RANGE: Duration = Duration::from_secs(3_600);
/// Most parts of a metric: enough to keep threads busy to the end, few enough that merging them costs little.
const MOST_PARTS: usize = 16;

/// Into how many parts the series of a metric are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Series for which another part pays.
    series: usize,
    most: usize,
}

impl Parts {
    /// No split.
    pub(super) const ONE: Self = Self { series: SERIES_PER_PART, most: 1 };

    /// What suits a function and a range of so many nanoseconds. Of a function whose states do not merge it is no split.
    pub(super) fn of(at_once: AccumulatorsAtOnce, range: i64) -> Self {
        match at_once {
            AccumulatorsAtOnce::Unlimited => Self { series: SERIES_PER_PART, most: MOST_PARTS },
            AccumulatorsAtOnce::PerThread(threads) if threads > 1 => {
                let times = saturating_nanos(READ_RANGE) / range.clamp(1, saturating_nanos(READ_RANGE));
                let times = usize::try_from(times).unwrap_or(usize::MAX);
                Self { series: READ_SERIES_PER_PART.saturating_mul(times), most: MOST_PARTS }
            }
            AccumulatorsAtOnce::PerThread(_) => Self::ONE,
        }
    }

    /// The same with fewer parts, where merging them costs more.
    pub(super) fn at_most(self, most: usize) -> Self {
        Self { most: self.most.min(most), ..self }
    }

    /// How many parts so many series have.
    pub(super) fn count(self, series: usize) -> usize {
        (series / self.series.max(1)).clamp(1, self.most.max(1))
    }
}

/// What a thread is to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It asks: it waits for what it needs.
    Asker,
    /// It helps: it takes only what nobody else waits for, and gives way to who does.
    Helper,
}

/// The threads that may work on something: the calling one, and helpers.
#[derive(Clone, Copy)]
pub(super) struct Crew<'a> {
    pub(super) helpers: &'a Helpers,
    pub(super) watch: &'a Watch<'a>,
    /// What the calling thread is.
    pub(super) role: Role,
    /// Threads at most, the calling one included.
    pub(super) most: usize,
}

/// Threads that may work on queries beside those that ask, all queries of an engine together: a query that finds none free
/// does all by itself, and none waits for another.
#[derive(Debug)]
pub(super) struct Helpers {
    free: AtomicUsize,
}

impl Helpers {
    /// At most `count` at once.
    pub(super) fn new(count: usize) -> Self {
        Self { free: AtomicUsize::new(count) }
    }

    /// Reserves a thread, if one is free.
    fn reserve(&self) -> Option<Reserved<'_>> {
        let take = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(Reserved(self))
    }
}

/// A thread's permission to work; free again when it is dropped.
struct Reserved<'a>(&'a Helpers);

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::AcqRel);
    }
}

/// Runs `work` on consecutive parts of `0..count`, on the calling thread and on what helpers are free; answers in the order of the
/// parts. When one fails the others stop, and the failure is answered.
pub(super) fn split<T: Send>(
    count: usize,
    parts: Parts,
    crew: Crew<'_>,
    work: impl Fn(Range<usize>, Role) -> Result<T, Stop> + Sync,
) -> Result<Vec<T>, Stop> {
    let parts = parts.count(count);
    let size = count.div_ceil(parts);
    each(parts, crew, |part, role| work((part * size).min(count)..((part + 1) * size).min(count), role))
}

/// Whether so many series are worth a thread.
pub(super) fn is_worth_a_thread(series: usize) -> bool {
    series >= 2 * SERIES_PER_PART
}

/// Runs `work` on each of `0..count` as [`split`] does on parts. What a helper leaves because it gives way, whoever is free next does,
/// the calling thread at the latest.
pub(super) fn each<T: Send>(
    count: usize,
    crew: Crew<'_>,
    work: impl Fn(usize, Role) -> Result<T, Stop> + Sync,
) -> Result<Vec<T>, Stop> {
    if count == 1 {
        return Ok(vec![work(0, crew.role)?]);
    }
    let board = Board::of(count);
    let help = || while board.take_one(crew.watch, Place::Beside, |part| work(part, Role::Helper)) {};
    std::thread::scope(|scope| {
        let mut helping: Vec<ScopedJoinHandle<'_, ()>> = Vec::new();
        loop {
            // Asked before each part: whoever helped another metric, or gave way, may be free by now. The scope tells of panics of those
            // who left.
            helping.retain(|helper| !helper.is_finished());
            let room = board.open().min(crew.most.saturating_sub(helping.len()));
            for _ in 0..board.welcome().min(room.saturating_sub(1)) {
                let Some(reserved) = crew.helpers.reserve() else { break };
                let helper = move || {
                    let _reserved = reserved;
                    help();
                };
                let builder = std::thread::Builder::new().name("telemetry-query".to_owned());
                // Without the thread its parts are done by the others.
                helping.extend(builder.spawn_scoped(scope, helper).ok());
            }
            if !board.take_one(crew.watch, Place::Calling, |part| work(part, crew.role)) {
                break;
            }
        }
        for helper in helping {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    // What the last helpers left.
    while board.take_one(crew.watch, Place::Calling, |part| work(part, crew.role)) {}
    board.into_answers()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Condvar, Mutex};

    use telemetry_core::{ManualClock, Timestamp};

    use super::super::memory::{Memory, SharedMemory};
    use super::super::tests::meeting::Meeting;
    use super::*;
    use crate::query::QueryError;

    /// Four threads at most.
    fn with_crew(role: Role, test: impl FnOnce(Crew<'_>)) {
        let clock = ManualClock::at(Timestamp::EPOCH);
        let memory = Memory::limited(u64::MAX, Arc::new(SharedMemory::limited(u64::MAX)));
        let watch = Watch::start(&clock, Duration::from_secs(1), memory, None);
        let helpers = Helpers::new(3);
        test(Crew { helpers: &helpers, watch: &watch, role, most: 4 });
        assert_eq!(helpers.free.load(Ordering::Relaxed), 3, "each comes back");
    }

    #[test]
    fn no_more_helpers_than_there_are_and_each_comes_back() {
        let helpers = Helpers::new(2);
        let (first, second) = (helpers.reserve(), helpers.reserve());
        assert!(first.is_some() && second.is_some() && helpers.reserve().is_none());
        drop(first);
        let third = helpers.reserve();
        assert!(third.is_some() && helpers.reserve().is_none());
    }

    #[test]
    fn what_helpers_leave_the_calling_thread_does() {
        with_crew(Role::Asker, |crew| {
            let (calling, all) = (std::thread::current().id(), Meeting::of(4));
            let done = each(20, crew, |part, role| {
                all.come();
                match role {
                    Role::Asker => Ok((part, std::thread::current().id() == calling)),
                    Role::Helper => Err(Stop::GaveWay),
                }
            });
            assert_eq!(done.unwrap(), (0..20).map(|part| (part, true)).collect::<Vec<_>>());
            crew.watch.check().unwrap();
        });
    }

    #[test]
    fn a_helper_that_gave_way_comes_back() {
        with_crew(Role::Asker, |crew| {
            let (helped, came_back) = (Mutex::new(0), Condvar::new());
            let done = each(1_000, Crew { most: 2, ..crew }, |_, role| {
                let mut helped = helped.lock().unwrap();
                if role == Role::Helper {
                    *helped += 1;
                    came_back.notify_all();
                    return if *helped == 1 { Err(Stop::GaveWay) } else { Ok(()) };
                }
                // Nothing tells when the thread of who gave way has ended: some of these parts wait for it.
                let wait = Duration::from_millis(10);
                drop(came_back.wait_timeout_while(helped, wait, |helped| *helped < 2).unwrap());
                Ok(())
            });
            assert_eq!(done.unwrap().len(), 1_000);
            assert!(*helped.lock().unwrap() > 1);
        });
    }

    #[test]
    fn no_more_threads_than_a_function_takes() {
        with_crew(Role::Asker, |crew| {
            for most in 1..=3 {
                let all = Meeting::of(most);
                let meet = |_, _| {
                    all.come();
                    Ok(())
                };
                each(200, Crew { most, ..crew }, meet).unwrap();
                assert_eq!(all.count(), most);
            }
        });
    }

    #[test]
    fn a_reason_to_stop_ends_the_work_and_only_a_failure_the_query() {
        let stopped = |role: Role, stop: fn() -> Stop, goes_on: bool| {
            let mut reason = None;
            with_crew(role, |crew| {
                let begun = AtomicUsize::new(0);
                let done = each(1_000, crew, |_, _| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    Err::<(), _>(stop())
                });
                assert!(begun.load(Ordering::Relaxed) < 100);
                assert_eq!(crew.watch.check().is_ok(), goes_on);
                reason = done.err();
            });
            reason.unwrap()
        };
        let unsplit = stopped(Role::Asker, || Stop::Unsplit, true);
        assert!(matches!(unsplit, Stop::Unsplit), "{unsplit:?}");
        let gave_way = stopped(Role::Helper, || Stop::GaveWay, true);
        assert!(matches!(gave_way, Stop::GaveWay), "{gave_way:?}");
        let failed = stopped(Role::Asker, || QueryError::Cancelled.into(), false);
        assert!(matches!(failed, Stop::Failed(QueryError::Cancelled)), "{failed:?}");
    }

    #[test]
    fn parts_depend_on_the_series_the_range_and_the_function() {
        let minutes = |minutes: u64| saturating_nanos(Duration::from_secs(60 * minutes));
        for range in [0, minutes(5), i64::MAX] {
            let native = Parts::of(AccumulatorsAtOnce::Unlimited, range);
            assert_eq!([1, 63, 64, 100, 10_000].map(|series| native.count(series)), [1, 1, 2, 3, 16]);
            assert_eq!(Parts::of(AccumulatorsAtOnce::ONE, range).count(10_000), 1);
        }
        let few = |range| Parts::of(AccumulatorsAtOnce::PerThread(2), range);
        for range in [minutes(60), minutes(3_000), i64::MAX] {
            assert_eq!([1, 31, 32, 100, 10_000].map(|series| few(range).count(series)), [1, 1, 2, 6, 16]);
            assert_eq!(few(range).at_most(2).count(10_000), 2);
        }
        // Of five minutes a part has twelve times as many series.
        assert_eq!([256, 383, 384, 10_000].map(|series| few(minutes(5)).count(series)), [1, 1, 2, 16]);
        assert_eq!([i64::MIN, 0, 1].map(|range| few(range).count(10_000)), [1, 1, 1]);
    }
}
