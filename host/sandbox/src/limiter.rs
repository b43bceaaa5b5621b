//! Counts and limits the memory of one instance: all its linear memories together with what the host keeps for it, and all its tables.
//!
//! A refused growth is an ordinary answer to the guest; it is remembered, so that a guest that gives up because of it
//! fails by the limit's name.

use std::sync::Arc;

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use wasmtime::ResourceLimiter;

use crate::meters::Meters;

/// The limiter of one store.
#[derive(Debug)]
pub(crate) struct InstanceLimiter {
    meters: Arc<Meters>,
    memory_limit: usize,
    memory: usize,
    table_elements: usize,
    last_growth: usize,
    refused: Option<Refusal>,
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    Memory,
    Tables,
}

impl InstanceLimiter {
    pub(crate) fn new(meters: Arc<Meters>, memory_limit: usize) -> Self {
        Self { meters, memory_limit, memory: 0, table_elements: 0, last_growth: 0, refused: None }
    }

    /// Bytes of all linear memories, and of what the host keeps for the instance.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether the host might have so many bytes more for this instance. That it might not is not remembered.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.memory.saturating_add(bytes) <= self.memory_limit
    }

    /// The host wants so many bytes more for this instance: whether it may have them.
    pub(crate) fn host_grows(&mut self, bytes: usize) -> bool {
        if !self.has_room(bytes) {
            self.refused = Some(Refusal::Memory);
            return false;
        }
        self.memory = self.memory.saturating_add(bytes);
        self.meters.memory_grew(bytes);
        true
    }

    /// The host gave back so many bytes of those.
    pub(crate) fn host_shrank(&mut self, bytes: usize) {
        self.memory = self.memory.saturating_sub(bytes);
        self.meters.memory_shrank(bytes);
    }

    /// Forgets refusals: a new call begins.
    pub(crate) fn begin(&mut self) {
        self.refused = None;
    }

    /// The limit at which growth was refused since the call began.
    pub(crate) fn refusal(&self) -> Option<FailureReason> {
        Some(match self.refused? {
            Refusal::Memory => {
                FailureReason::Limit { what: "bytes of memory", limit: self.memory_limit as u64 }
            }
            Refusal::Tables => {
                FailureReason::Limit { what: "table elements", limit: limits::MAX_TABLE_ELEMENTS as u64 }
            }
        })
    }
}

impl ResourceLimiter for InstanceLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let memory = self.memory.saturating_add(growth);
        if memory > self.memory_limit {
            self.refused = Some(Refusal::Memory);
            return Ok(false);
        }
        self.memory = memory;
        self.last_growth = growth;
        self.meters.memory_grew(growth);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.last_growth);
        self.memory = self.memory.saturating_sub(growth);
        self.meters.memory_shrank(growth);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let elements = self.table_elements.saturating_add(desired.saturating_sub(current));
        if elements > limits::MAX_TABLE_ELEMENTS {
            self.refused = Some(Refusal::Tables);
            return Ok(false);
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::MAX_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        limits::MAX_CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        limits::MAX_CORE_INSTANCES
    }
}

impl Drop for InstanceLimiter {
    fn drop(&mut self) {
        self.meters.memory_shrank(self.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_together() {
        let meters = Arc::new(Meters::default());
        let mut limiter = InstanceLimiter::new(Arc::clone(&meters), 100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(matches!(limiter.refusal(), Some(FailureReason::Limit { limit: 100, .. })));
        limiter.begin();
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(limiter.refusal().is_none());
        assert_eq!(meters.memory_bytes(), 100);
        drop(limiter);
        assert_eq!(meters.memory_bytes(), 0);
    }

    #[test]
    fn what_the_host_keeps_counts_too() {
        let meters = Arc::new(Meters::default());
        let mut limiter = InstanceLimiter::new(Arc::clone(&meters), 100);
        assert!(limiter.host_grows(60));
        assert!(limiter.has_room(40) && !limiter.has_room(41));
        assert!(limiter.refusal().is_none(), "who only asks is refused nothing");
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        limiter.begin();
        assert!(!limiter.host_grows(60));
        assert!(limiter.refusal().is_some());
        assert_eq!((limiter.memory(), meters.memory_bytes()), (60, 60));
        limiter.host_shrank(60);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert_eq!((limiter.memory(), meters.memory_bytes()), (60, 60));
    }

    #[test]
    fn a_growth_that_failed_is_not_counted() {
        let mut limiter = InstanceLimiter::new(Arc::new(Meters::default()), 100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("no room")).unwrap();
        assert_eq!(limiter.memory(), 0);
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert!(limiter.refusal().is_none(), "its own maximum is no limit of ours");
    }
}
