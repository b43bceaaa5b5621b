//! Splits work over series into parts, and the parts among a few threads.
//!
//! Invariant: what the parts are depends on the series alone, and parts are merged in their order, so that an answer is the
//! same to the last digit however many threads there are.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::watch::Watch;
use crate::query::QueryError;

/// Series for which another part pays: below, a thread for them costs about as much as it saves where digests answer. Where a
/// day of each must be decoded it would pay from the second series on.
const SERIES_PER_PART: usize = 32;
/// Most parts of a metric: enough to keep threads busy to the end, few enough that merging them costs little.
pub(super) const MOST_PARTS: usize = 16;

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

/// Runs `work` on consecutive parts of `0..count`, at most `most` of them, on the calling thread and on what helpers are free;
/// answers in the order of the parts. When one fails the others stop, and the failure is answered.
pub(super) fn split<T: Send>(
    count: usize,
    most: usize,
    helpers: &Helpers,
    watch: &Watch<'_>,
    work: impl Fn(Range<usize>) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let parts = (count / SERIES_PER_PART).clamp(1, most.clamp(1, MOST_PARTS));
    let size = count.div_ceil(parts);
    each(parts, helpers, watch, |part| work((part * size).min(count)..((part + 1) * size).min(count)))
}

/// Whether so many series are worth a thread.
pub(super) fn is_worth_a_thread(series: usize) -> bool {
    series >= 2 * SERIES_PER_PART
}

/// Runs `work` on each of `0..count` as [`split`] does on parts.
pub(super) fn each<T: Send>(
    count: usize,
    helpers: &Helpers,
    watch: &Watch<'_>,
    work: impl Fn(usize) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    if count == 1 {
        return Ok(vec![work(0)?]);
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let take_one = || {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= count {
            return false;
        }
        let outcome = work(part);
        let failed = outcome.is_err();
        done.lock().push((part, outcome));
        if failed {
            watch.abandon();
        }
        !failed
    };
    std::thread::scope(|scope| {
        let mut helping = Vec::new();
        loop {
            // Asked before each part: whoever helped another metric may be free by now.
            for _ in 1..count.saturating_sub(next.load(Ordering::Relaxed)) {
                let Some(reserved) = helpers.reserve() else { break };
                let help = move || {
                    let _reserved = reserved;
                    while take_one() {}
                };
                let builder = std::thread::Builder::new().name("telemetry-query".to_owned());
                // Without the thread its parts are done by the others.
                helping.extend(builder.spawn_scoped(scope, help).ok());
            }
            if !take_one() {
                break;
            }
        }
        for helper in helping {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    in_order(done.into_inner())
}

/// What the parts answered, in order; of failures the first that is one of its own.
fn in_order<T>(mut outcomes: Vec<(usize, Result<T, QueryError>)>) -> Result<Vec<T>, QueryError> {
    outcomes.sort_unstable_by_key(|(part, _)| *part);
    let mut done = Vec::with_capacity(outcomes.len());
    let mut failure: Option<QueryError> = None;
    for (_, outcome) in outcomes {
        match outcome {
            Ok(part) => done.push(part),
            // Parts that were stopped by another's failure say only that.
            Err(error) if matches!(failure, None | Some(QueryError::Cancelled)) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(done), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_helpers_than_there_are_and_each_comes_back() {
        let helpers = Helpers::new(2);
        let (first, second) = (helpers.reserve(), helpers.reserve());
        assert!(first.is_some() && second.is_some() && helpers.reserve().is_none());
        drop(first);
        let third = helpers.reserve();
        assert!(third.is_some() && helpers.reserve().is_none());
    }
}
