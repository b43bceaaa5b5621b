//! What all parts of a query share: its deadline, its cancellation, the failure of another part, its memory, and damage that was met.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telemetry_core::Clock;

use super::memory::Memory;
use crate::query::QueryError;

/// Blocks between two looks at the clock: a block known by its digest takes less than a microsecond.
const BLOCKS_PER_CHECK: u32 = 16;

/// Watches over one query; shared by its threads.
pub(super) struct Watch<'a> {
    clock: &'a dyn Clock,
    limit: Duration,
    end: Duration,
    cancelled: Option<&'a AtomicBool>,
    abandoned: AtomicBool,
    begun: AtomicBool,
    damaged: AtomicBool,
    /// The memory that it holds.
    pub(super) memory: Memory,
}

impl<'a> Watch<'a> {
    /// A query that begins now.
    pub(super) fn start(
        clock: &'a dyn Clock,
        limit: Duration,
        memory: Memory,
        cancelled: Option<&'a AtomicBool>,
    ) -> Self {
        let end = clock.monotonic().saturating_add(limit);
        Self {
            clock,
            limit,
            end,
            cancelled,
            abandoned: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            memory,
        }
    }

    /// Whether the query may go on.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        let cancelled = self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed));
        if cancelled || self.abandoned.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if self.clock.monotonic() >= self.end {
            return Err(QueryError::Deadline { limit: self.limit });
        }
        Ok(())
    }

    /// Some work is under way, which is in vain if the query fails.
    pub(super) fn note_begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Whether some work is, or was, under way.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Some samples are damaged and left out.
    pub(super) fn note_damage(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether damaged samples were left out.
    pub(super) fn met_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Makes the other threads stop: the query has failed.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// The query goes on after all, in another way.
    pub(super) fn resume(&self) {
        self.abandoned.store(false, Ordering::Relaxed);
    }
}

/// Calls [`Watch::check`] every few blocks.
pub(super) struct Pace<'a> {
    watch: &'a Watch<'a>,
    blocks: u32,
}

impl<'a> Pace<'a> {
    pub(super) fn new(watch: &'a Watch<'a>) -> Self {
        Self { watch, blocks: 0 }
    }

    /// To be called for every block.
    pub(super) fn step(&mut self) -> Result<(), QueryError> {
        self.blocks = self.blocks.wrapping_add(1);
        if self.blocks % BLOCKS_PER_CHECK == 1 { self.watch.check() } else { Ok(()) }
    }
}
