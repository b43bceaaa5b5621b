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

    /// Reserves up to `wanted` threads.
    fn reserve(&self, wanted: usize) -> Reserved<'_> {
        let take = |free: usize| Some(free - free.min(wanted));
        let before = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).unwrap_or(0);
        Reserved { helpers: self, count: before.min(wanted) }
    }
}

struct Reserved<'a> {
    helpers: &'a Helpers,
    count: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.helpers.free.fetch_add(self.count, Ordering::AcqRel);
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
    if parts == 1 {
        return Ok(vec![work(0..count)?]);
    }
    let size = count.div_ceil(parts);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(parts));
    let take_parts = || {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            let range = (part * size).min(count)..((part + 1) * size).min(count);
            let outcome = work(range);
            let failed = outcome.is_err();
            done.lock().push((part, outcome));
            if failed {
                return watch.abandon();
            }
        }
    };
    let reserved = helpers.reserve(parts - 1);
    std::thread::scope(|scope| {
        let helping: Vec<_> = (0..reserved.count)
            .map_while(|_| {
                let builder = std::thread::Builder::new().name("telemetry-query".to_owned());
                // Without the thread its parts are done by the others.
                builder.spawn_scoped(scope, take_parts).ok()
            })
            .collect();
        take_parts();
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
        let helpers = Helpers::new(3);
        let first = helpers.reserve(2);
        let second = helpers.reserve(2);
        assert_eq!((first.count, second.count, helpers.reserve(1).count), (2, 1, 0));
        drop(first);
        assert_eq!(helpers.reserve(9).count, 2);
    }
}
