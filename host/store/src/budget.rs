//! How the store's memory is shared out, in parts of `memory_bytes`.
//!
//! | share | of 16 | what for |
//! |---|---|---|
//! | write buffers | 4 | RocksDB's memtables |
//! | block cache | 3 | blocks of tables, with their indexes and filters |
//! | chunk cache | 1 | headers and decoded samples of chunks, kept for the next query |
//! | heads | 4 | samples that are not in chunks yet |
//! | index | 4 | active series, posting lists and definitions |
//!
//! Active series cannot be let go of while samples come. Where they take more than the index's share, heads and then the block
//! cache make room, down to a sixteenth and a thirty-second of the whole: sealing comes earlier, reading is slower, nothing fails.

/// Parts of the whole.
const PARTS: u64 = 16;
const WRITE_BUFFERS: u64 = 4;
const BLOCK_CACHE: u64 = 3;
const CHUNK_CACHE: u64 = 1;
const HEADS: u64 = 4;
const INDEX: u64 = 4;
/// Of the index's share, what definitions that are kept for being found by number may take.
const DEFINITIONS_OF_INDEX: u64 = 8;

/// The memory of one store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryBudget(u64);

impl MemoryBudget {
    /// A budget of so many bytes in all.
    pub(crate) const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The whole.
    pub(crate) const fn total(self) -> u64 {
        self.0
    }

    const fn parts(self, count: u64) -> u64 {
        (self.0 / PARTS).saturating_mul(count)
    }

    /// RocksDB's write buffers.
    pub(crate) const fn write_buffers(self) -> u64 {
        self.parts(WRITE_BUFFERS)
    }

    /// Headers and decoded samples of chunks.
    pub(crate) const fn chunk_cache(self) -> u64 {
        self.parts(CHUNK_CACHE)
    }

    /// The index's own share.
    pub(crate) const fn index(self) -> u64 {
        self.parts(INDEX)
    }

    /// Of the index, definitions that are kept for being found by number.
    pub(crate) const fn definitions(self) -> u64 {
        self.index() / DEFINITIONS_OF_INDEX
    }

    /// Of the index, posting lists that can be read again, beside what else the index takes.
    pub(crate) fn postings(self, others: u64) -> u64 {
        self.index().saturating_sub(others).max(self.index() / DEFINITIONS_OF_INDEX)
    }

    /// The heads' share beside an index of so many bytes.
    pub(crate) fn heads(self, index: u64) -> u64 {
        self.parts(HEADS).saturating_sub(self.excess(index)).max(self.parts(1))
    }

    /// The block cache's share beside an index of so many bytes.
    pub(crate) fn block_cache(self, index: u64) -> u64 {
        let beyond_heads = self.excess(index).saturating_sub(self.parts(HEADS - 1));
        self.parts(BLOCK_CACHE).saturating_sub(beyond_heads).max(self.parts(1) / 2)
    }

    /// By how much an index is larger than its share.
    const fn excess(self, index: u64) -> u64 {
        index.saturating_sub(self.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_shares_are_the_whole() {
        let budget = MemoryBudget::of(256 * MIB);
        let shares = [
            budget.write_buffers(),
            budget.block_cache(0),
            budget.chunk_cache(),
            budget.heads(0),
            budget.index(),
        ];
        assert_eq!(shares.iter().sum::<u64>(), budget.total());
        assert_eq!(budget.heads(0), 64 * MIB);
    }

    #[test]
    fn a_large_index_takes_from_heads_and_then_from_the_cache() {
        let budget = MemoryBudget::of(256 * MIB);
        let check = |index: u64, heads: u64, cache: u64| {
            assert_eq!(
                (budget.heads(index * MIB), budget.block_cache(index * MIB)),
                (heads * MIB, cache * MIB)
            );
        };
        check(64, 64, 48);
        check(80, 48, 48);
        check(112, 16, 48);
        check(122, 16, 38);
        check(1000, 16, 8);
        assert!(budget.postings(1000 * MIB) > 0);
        assert_eq!(MemoryBudget::of(0).heads(5), 0);
    }
}
