//! Definitions that are kept for being found by number.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use super::definition::Definition;

/// Definitions kept for being found by number, at most: those of a large query.
const CACHED_DEFINITIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);
/// What a definition takes that is kept for being found by number, beside its text, about, in bytes.
const DEFINITION_BYTES: u64 = 160;

/// Definitions that are kept for being found by number, the latest used ones, within a limit of memory.
pub(super) struct RecentDefinitions {
    latest: LruCache<u32, Arc<Definition>>,
    bytes: u64,
    limit: u64,
}

impl RecentDefinitions {
    /// None yet; they may take so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { latest: LruCache::new(CACHED_DEFINITIONS), bytes: 0, limit }
    }

    /// Memory that they take, about, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The definition of a number, which is the latest used one then.
    pub(super) fn get(&mut self, id: u32) -> Option<&Arc<Definition>> {
        self.latest.get(&id)
    }

    /// Keeps a definition; the ones used longest ago make room.
    pub(super) fn put(&mut self, id: u32, definition: Arc<Definition>) {
        self.bytes = self.bytes.saturating_add(size_of_definition(&definition));
        if let Some((_, before)) = self.latest.push(id, definition) {
            self.bytes = self.bytes.saturating_sub(size_of_definition(&before));
        }
        while self.bytes > self.limit
            && let Some((_, oldest)) = self.latest.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(size_of_definition(&oldest));
        }
    }
}

fn size_of_definition(definition: &Definition) -> u64 {
    DEFINITION_BYTES.saturating_add(definition.key.context.as_str().len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::{Context, SeriesKey};

    fn definition(host: &str) -> Arc<Definition> {
        let key = SeriesKey { name: "cpu".into(), context: Context::from_labels([("host", host)]) };
        Arc::new(Definition { key, overflow: false })
    }

    #[test]
    fn the_latest_used_ones_are_kept_within_the_limit() {
        let mut recent = RecentDefinitions::new(3 * size_of_definition(&definition("a")));
        for id in 1..=3 {
            recent.put(id, definition("a"));
        }
        recent.put(2, definition("b"));
        assert!(recent.get(1).is_some());
        recent.put(4, definition("c"));
        let kept = [1, 2, 3, 4].map(|id| recent.get(id).is_some());
        assert_eq!(kept, [true, true, false, true]);
        assert_eq!(recent.bytes(), 3 * size_of_definition(&definition("a")));
        recent.put(5, definition(&"long".repeat(500)));
        assert_eq!(recent.bytes(), 0, "it is larger than all may be");
    }
}
