//! The memory of queries, counted where it grows with what is asked: series, cells and states. And what bounds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use telemetry_core::limits;

use crate::query::QueryError;

/// What bounds the memory of one query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Points of the answer.
    pub(super) points: usize,
    /// Groups of the answer.
    pub(super) groups: usize,
    /// Samples that are held to merge series by time.
    pub(super) merged_samples: usize,
    /// Memory in bytes.
    pub(super) bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            points: limits::MAX_QUERY_POINTS,
            groups: limits::MAX_QUERY_GROUPS,
            merged_samples: limits::MAX_MERGED_SAMPLES,
            bytes: limits::MAX_QUERY_BYTES,
        }
    }
}

/// What all queries of a host hold together.
#[derive(Debug)]
pub(super) struct SharedMemory {
    held: AtomicU64,
    limit: u64,
    refused: AtomicU64,
}

impl SharedMemory {
    /// Nothing yet; `limit` is in bytes.
    pub(super) fn limited(limit: u64) -> Self {
        Self { held: AtomicU64::new(0), limit, refused: AtomicU64::new(0) }
    }

    /// A query was refused because others held the memory. One may find that there is none several times, and be answered all the
    /// same: only who answers it knows.
    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// What a query holds; shared by its threads.
pub(super) struct Memory {
    held: AtomicU64,
    limit: u64,
    all: Arc<SharedMemory>,
}

impl Memory {
    /// Nothing yet; `limit` is in bytes, and of one query.
    pub(super) fn limited(limit: u64, all: Arc<SharedMemory>) -> Self {
        Self { held: AtomicU64::new(0), limit, all }
    }

    fn take(&self, bytes: u64) -> Result<(), QueryError> {
        let of_all = self.all.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let held = self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held > self.limit {
            return Err(too_much(self.limit));
        }
        if of_all > self.all.limit {
            return Err(QueryError::Overloaded { retry_after: limits::OVERLOAD_RETRY });
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.all.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A holder of no bytes.
    pub(super) fn holder(&self) -> Charge<'_> {
        Charge { memory: self, bytes: 0 }
    }
}

/// Bytes of one holder; given back when it is dropped.
pub(super) struct Charge<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Charge<'_> {
    /// Now it holds so many bytes in all.
    pub(super) fn resize(&mut self, bytes: u64) -> Result<(), QueryError> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            if bytes < before {
                self.memory.give_back(before - bytes);
            }
            return Ok(());
        }
        self.memory.take(bytes - before)
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

fn too_much(limit: u64) -> QueryError {
    QueryError::TooLarge {
        what: "bytes of memory",
        limit,
        remedy: "ask for fewer series, a shorter range, or a longer step",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_share_the_limit_and_give_back() {
        let memory = Memory::limited(100, Arc::new(SharedMemory::limited(1_000)));
        let (mut one, mut other) = (memory.holder(), memory.holder());
        one.resize(60).unwrap();
        other.resize(40).unwrap();
        let error = other.resize(41).unwrap_err();
        assert!(matches!(error, QueryError::TooLarge { what: "bytes of memory", limit: 100, .. }), "{error}");
        one.resize(10).unwrap();
        other.resize(90).unwrap();
        drop(one);
        other.resize(100).unwrap();
        drop(other);
        assert_eq!(memory.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn queries_share_what_there_is_for_all() {
        let all = Arc::new(SharedMemory::limited(150));
        let (one, other) = (Memory::limited(100, Arc::clone(&all)), Memory::limited(100, Arc::clone(&all)));
        let (mut first, mut second) = (one.holder(), other.holder());
        first.resize(100).unwrap();
        second.resize(50).unwrap();
        let error = second.resize(51).unwrap_err();
        assert!(matches!(error, QueryError::Overloaded { .. }), "{error}");
        drop(first);
        second.resize(100).unwrap();
        drop(second);
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }
}
