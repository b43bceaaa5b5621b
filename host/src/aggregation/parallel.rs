//! Splits work over series among a few threads.

use std::ops::Range;

use super::watch::Watch;
use crate::query::QueryError;

/// How much work a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Digests answer for most of it.
    Digests,
    /// Its samples are decoded.
    Samples,
}

impl Work {
    /// Series for which another thread pays: below, starting it costs about as much as it saves.
    const fn series_per_thread(self) -> usize {
        match self {
            Self::Digests => 256,
            Self::Samples => 32,
        }
    }
}

/// Runs `work` on consecutive parts of `0..count`, the first on the calling thread; answers in the order of the parts. When
/// one fails the others stop, and the failure is answered.
pub(super) fn split<T: Send>(
    count: usize,
    threads: usize,
    of: Work,
    watch: &Watch<'_>,
    work: impl Fn(Range<usize>) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let parts = threads.min(count / of.series_per_thread()).max(1);
    if parts == 1 {
        return Ok(vec![work(0..count)?]);
    }
    let size = count.div_ceil(parts);
    let range = |part: usize| (part * size).min(count)..((part + 1) * size).min(count);
    let watched = |part: usize| {
        let outcome = work(range(part));
        if outcome.is_err() {
            watch.abandon();
        }
        outcome
    };
    let outcomes: Vec<Result<T, QueryError>> = std::thread::scope(|scope| {
        let watched = &watched;
        let others: Vec<_> = (1..parts)
            .map(|part| {
                let builder = std::thread::Builder::new().name("telemetry-query".to_owned());
                // Without another thread its part is done here.
                (part, builder.spawn_scoped(scope, move || watched(part)).ok())
            })
            .collect();
        let first = watched(0);
        let rest = others.into_iter().map(|(part, handle)| match handle.map(|handle| handle.join()) {
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => watched(part),
        });
        std::iter::once(first).chain(rest).collect()
    });
    let mut done = Vec::with_capacity(parts);
    let mut failure: Option<QueryError> = None;
    for outcome in outcomes {
        match outcome {
            Ok(part) => done.push(part),
            // Parts that were stopped by another's failure say only that.
            Err(error) if matches!(failure, None | Some(QueryError::Cancelled)) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(done), Err)
}
