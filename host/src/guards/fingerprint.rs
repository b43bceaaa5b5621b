//! The content of an event as 64 bits.

use std::hash::{BuildHasher, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Makes fingerprints. The seed is random, so that nobody can craft content that is taken for another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprints {
    seed: u64,
}

impl Fingerprints {
    /// With a seed of its own.
    pub(super) fn random() -> Self {
        Self { seed: std::collections::hash_map::RandomState::new().hash_one(0_u8) }
    }

    /// Of the parts in order. Each part's fingerprint seeds the next one, so that `("ab", "c")` is not `("a", "bc")`.
    pub(super) fn of<const N: usize>(self, parts: [&str; N]) -> u64 {
        parts.into_iter().fold(self.seed, |seed, part| xxh3_64_with_seed(part.as_bytes(), seed))
    }
}

/// Hashes what is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys are `u64`; anything else still gets a valid, if poor, hash.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let prints = Fingerprints { seed: 1 };
        assert_eq!(prints.of(["ab", "c"]), prints.of(["ab", "c"]));
        assert_ne!(prints.of(["ab", "c"]), prints.of(["a", "bc"]));
        assert_ne!(prints.of(["", "a"]), prints.of(["a", ""]));
        assert_ne!(prints.of(["a"]), Fingerprints { seed: 2 }.of(["a"]));
    }
}
