//! The memory of one query, counted where it grows with what is asked: series, cells and states.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::query::QueryError;

/// What a query holds; shared by its threads.
pub(super) struct Memory {
    held: AtomicU64,
    limit: u64,
}

impl Memory {
    /// Nothing yet; `limit` is in bytes.
    pub(super) fn limited(limit: u64) -> Self {
        Self { held: AtomicU64::new(0), limit }
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
                self.memory.held.fetch_sub(before - bytes, Ordering::Relaxed);
            }
            return Ok(());
        }
        let more = bytes - before;
        let held = self.memory.held.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if held > self.memory.limit { Err(too_much(self.memory.limit)) } else { Ok(()) }
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.bytes, Ordering::Relaxed);
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
        let memory = Memory::limited(100);
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
}
