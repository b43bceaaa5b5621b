//! Room on the disk: writes are refused before the file system is full, and while the store is over its size limit.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::StoreError;
use crate::options::{Location, StoreOptions};

/// Bytes written between two looks at the file system within one maintenance interval.
const LOOK_EVERY_BYTES: u64 = 16 << 20;

/// Measures of the store's size while as much is written as it may hold: each may let it grow by so much beyond the limit.
const MEASURES_PER_LIMIT: u64 = 64;

/// Free and total bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes that this user may still write.
    pub(crate) free: u64,
    /// Size of the file system.
    pub(crate) total: u64,
}

/// Asks for the room left; `None` when it is not limited or cannot be told.
type Probe = Box<dyn Fn() -> Option<Room> + Send + Sync>;

/// Watches the room left.
pub(crate) struct Space {
    probe: Probe,
    floor: u64,
    refusal: Mutex<Option<Refusal>>,
    unlooked: AtomicU64,
    /// Bytes written after which the store's own size is measured anew, where it is limited.
    measure_every: Option<u64>,
    unmeasured: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Disk { free: u64 },
    Limit { used: u64, limit: u64 },
}

impl Space {
    /// Watches the file system of the store.
    pub(crate) fn new(options: &StoreOptions) -> Self {
        let probe: Probe = match &options.location {
            Location::Memory => Box::new(|| None),
            Location::Directory(path) => {
                let path = path.clone();
                Box::new(move || room_at(&path))
            }
        };
        let measure_every = options.max_bytes.map(|limit| limit / MEASURES_PER_LIMIT);
        Self { measure_every, ..Self::watching(probe, options.min_free_bytes) }
    }

    fn watching(probe: Probe, floor: u64) -> Self {
        Self {
            probe,
            floor,
            refusal: Mutex::new(None),
            unlooked: AtomicU64::new(0),
            measure_every: None,
            unmeasured: AtomicU64::new(0),
        }
    }

    /// Fails while there is no room for a write.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match *self.refusal.lock() {
            None => Ok(()),
            Some(Refusal::Disk { free }) => Err(StoreError::DiskFull { free, floor: self.floor }),
            Some(Refusal::Limit { used, limit }) => Err(StoreError::Full { used, limit }),
        }
    }

    /// Looks at the file system.
    pub(crate) fn look(&self) {
        self.unlooked.store(0, Ordering::Relaxed);
        let room = (self.probe)();
        let mut refusal = self.refusal.lock();
        match room {
            Some(room) if room.free < self.floor => {
                if !matches!(*refusal, Some(Refusal::Disk { .. })) {
                    tracing::error!(
                        free = room.free,
                        floor = self.floor,
                        "the disk is nearly full; writes are refused"
                    );
                }
                *refusal = Some(Refusal::Disk { free: room.free });
            }
            _ => {
                if matches!(*refusal, Some(Refusal::Disk { .. })) {
                    tracing::info!("there is room on the disk again; writes are accepted");
                    *refusal = None;
                }
            }
        }
    }

    /// Notes whether the store is over its size limit with nothing left to drop.
    pub(crate) fn set_over_limit(&self, over: Option<(u64, u64)>) {
        let mut refusal = self.refusal.lock();
        match (*refusal, over) {
            (Some(Refusal::Disk { .. }), _) => {}
            (_, Some((used, limit))) => *refusal = Some(Refusal::Limit { used, limit }),
            (_, None) => *refusal = None,
        }
    }

    /// Notes bytes written; looks again after many.
    pub(crate) fn wrote(&self, bytes: u64) {
        if self.unlooked.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) >= LOOK_EVERY_BYTES {
            self.look();
        }
        self.unmeasured.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether so much was written that the store's size must be measured; true for one caller.
    pub(crate) fn takes_measure(&self) -> bool {
        let Some(every) = self.measure_every else { return false };
        let unmeasured = self.unmeasured.load(Ordering::Relaxed);
        unmeasured >= every
            && self.unmeasured.compare_exchange(unmeasured, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The room left.
    pub(crate) fn room(&self) -> Option<Room> {
        (self.probe)()
    }
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space")
            .field("floor", &self.floor)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

fn room_at(path: &Path) -> Option<Room> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(Room {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn refuses_below_the_floor_and_resumes_by_itself() {
        let free = Arc::new(AtomicU64::new(500));
        let probe = Arc::clone(&free);
        let space = Space::watching(
            Box::new(move || Some(Room { free: probe.load(Ordering::Relaxed), total: 1000 })),
            100,
        );
        space.look();
        assert!(space.check().is_ok());
        free.store(99, Ordering::Relaxed);
        space.wrote(1);
        assert!(space.check().is_ok(), "not looked yet");
        space.wrote(LOOK_EVERY_BYTES);
        let error = space.check().unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { free: 99, floor: 100 }));
        assert!(error.is_write_failure() && !error.poisoned());
        free.store(100, Ordering::Relaxed);
        space.look();
        assert!(space.check().is_ok());
    }

    #[test]
    fn the_size_limit_refuses_until_it_is_lifted() {
        let space = Space::watching(Box::new(|| None), 0);
        space.set_over_limit(Some((11, 10)));
        space.look();
        assert!(matches!(space.check(), Err(StoreError::Full { used: 11, limit: 10 })));
        space.set_over_limit(None);
        assert!(space.check().is_ok());
    }

    #[test]
    fn a_real_file_system_has_room() {
        let room = room_at(&std::env::temp_dir()).unwrap();
        assert!(room.total >= room.free && room.total > 0);
    }
}
