//! What can go wrong, one enum per boundary: opening a store, and using it.
//!
//! Invariant: an error of a write says whether the store still accepts writes; a failed write stored nothing.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use telemetry_core::Timestamp;

use crate::families::Class;

/// Open files with which a store always has enough: RocksDB's tables (see `tuning`), its logs, and what surrounds them.
const STORE_FILES: u32 = 1024;

/// What RocksDB itself said. Opaque, so that no other crate depends on RocksDB.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct EngineError(#[from] pub(crate) rocksdb::Error);

impl EngineError {
    /// Whether something on the disk is not what was written.
    pub(crate) fn is_damage(&self) -> bool {
        self.0.kind() == rocksdb::ErrorKind::Corruption
    }
}

/// A stored value that cannot be used: its checksum, version or structure is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is damaged: {reason}")]
pub struct Damage {
    /// What kind of row, such as "chunk".
    pub what: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Damage {
    pub(crate) fn new(what: &'static str, reason: impl Into<String>) -> Self {
        Self { what, reason: reason.into() }
    }
}

/// Why a store could not be opened, with the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error(
        "the store in {} is open elsewhere; stop the other host, or let this command talk to it, or choose another directory",
        directory.display()
    )]
    Locked {
        /// The store's directory.
        directory: PathBuf,
    },
    /// The directory cannot be read or written.
    #[error(
        "no permission for {}; give this user read and write access to it, or choose another directory",
        path.display()
    )]
    Permission {
        /// What could not be accessed.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A newer release wrote this store.
    #[error(
        "the store in {} has format {found}, this release knows formats up to {known}; use a newer release",
        directory.display()
    )]
    NewerFormat {
        /// The store's directory.
        directory: PathBuf,
        /// The store's format.
        found: u32,
        /// The newest format this release knows.
        known: u32,
    },
    /// Files are damaged so far that the store cannot serve.
    #[error("the store in {} is damaged; repair it (`bridge-telemetry store repair`), restore a backup, or move the directory away to start anew", directory.display())]
    Corrupt {
        /// The store's directory.
        directory: PathBuf,
        /// What is damaged.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// This process, or the system, has as many files open as it may.
    #[error(
        "the store in {} could not be opened: too many files are open; raise the limit of open files (`ulimit -n`, or LimitNOFILE of a service) to {STORE_FILES} or more and try again",
        directory.display()
    )]
    TooManyFiles {
        /// The store's directory.
        directory: PathBuf,
        /// What could not be opened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk, or the user's share of it, is full.
    #[error("the store in {} could not be opened: the disk is full; free some space and try again", directory.display())]
    NoRoom {
        /// The store's directory.
        directory: PathBuf,
        /// What could not be written.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file system or RocksDB failed otherwise.
    #[error("the store in {} could not be opened; mend the cause below and try again", directory.display())]
    Failed {
        /// The store's directory.
        directory: PathBuf,
        /// What failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// A failure that is no damage, by what it needs to be mended.
    pub(crate) fn of_failure(directory: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let directory = directory.to_owned();
        match scarcity(&*source) {
            Some(Scarcity::Files) => Self::TooManyFiles { directory, source },
            Some(Scarcity::Room) => Self::NoRoom { directory, source },
            None => Self::Failed { directory, source },
        }
    }
}

/// What a system has too little of.
#[derive(Clone, Copy)]
enum Scarcity {
    Files,
    Room,
}

/// What the system had too little of, according to an error or one of its causes.
fn scarcity(error: &(dyn std::error::Error + 'static)) -> Option<Scarcity> {
    let kinds = [
        (Errno::MFILE, Scarcity::Files),
        (Errno::NFILE, Scarcity::Files),
        (Errno::NOSPC, Scarcity::Room),
        (Errno::DQUOT, Scarcity::Room),
    ];
    let mut next = Some(error);
    while let Some(error) = next {
        let found = if let Some(EngineError(engine)) = error.downcast_ref() {
            // RocksDB keeps of an errno only its words, the system's own.
            let text = engine.to_string();
            kinds.iter().find(|(errno, _)| text.contains(words_of(*errno).as_str()))
        } else {
            let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
            kinds.iter().find(|(errno, _)| Some(errno.raw_os_error()) == number)
        };
        if let Some((_, scarcity)) = found {
            return Some(*scarcity);
        }
        next = error.source();
    }
    None
}

/// What the system says for an errno; `io::Error` adds its number.
fn words_of(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Why the store could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A write failed; nothing of it was stored. The store accepts no more writes until it is reopened.
    #[error("the store could not write; writing stops until the store is reopened")]
    Write {
        /// What RocksDB said.
        #[source]
        source: EngineError,
    },
    /// An earlier write failed, so that what is durable is no longer certain.
    #[error("the store stopped writing until it is reopened, because an earlier write failed: {reason}")]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The disk is nearly full. Reads go on; writes resume by themselves when there is room.
    #[error(
        "the disk is nearly full: {free} bytes are free, {floor} are kept free; free some space or lower retention"
    )]
    DiskFull {
        /// Free bytes.
        free: u64,
        /// Bytes that are kept free.
        floor: u64,
    },
    /// The store is at its size limit and holds nothing old enough to go. Reads go on; writes resume by themselves.
    #[error(
        "the store uses {used} of {limit} bytes and holds no older partition to drop; raise storage_config.max_bytes"
    )]
    Full {
        /// Bytes in use.
        used: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The record's time lies in a partition that was dropped.
    #[error("the time {timestamp} is older than what is kept of {class}, which begins at {oldest}")]
    Expired {
        /// The class of record.
        class: Class,
        /// The record's time.
        timestamp: Timestamp,
        /// The oldest time that is kept.
        oldest: Timestamp,
    },
    /// The records' times are spread over more partitions than a store may have.
    #[error("the time {timestamp} would open one more partition than the {limit} that {class} may have")]
    TooManyPartitions {
        /// The class of record.
        class: Class,
        /// The record's time.
        timestamp: Timestamp,
        /// Most partitions of a class.
        limit: usize,
    },
    /// Something could not be read.
    #[error("the store could not read {what}")]
    Read {
        /// What was read.
        what: &'static str,
        /// What RocksDB said.
        #[source]
        source: EngineError,
    },
    /// A partition could not be read; the others can.
    #[error(
        "partition {partition} cannot be read; leave its days out of what is asked, or restore it from a backup"
    )]
    Partition {
        /// Its name: the class and its first day.
        partition: String,
        /// What could not be read.
        #[source]
        source: Box<StoreError>,
    },
    /// A row that is needed is damaged.
    #[error("a stored row cannot be used")]
    Damaged(#[from] Damage),
    /// A page's cursor is not one that this store gave out for this query.
    #[error("the cursor cannot be used: {reason}")]
    BadCursor {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A plugin's key-value space would grow beyond what it may hold; nothing of the write was stored.
    #[error("plugin \"{plugin}\" would keep {used} bytes in its key-value space, {limit} are the most")]
    PluginQuota {
        /// The plugin.
        plugin: String,
        /// What it would keep, in bytes.
        used: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A value to be stored is larger than its row can hold.
    #[error("{what} is {size} bytes, a row holds at most {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl StoreError {
    /// Whether a write was refused or failed for the store's own reasons: nothing was stored, the record was not at fault.
    pub fn is_write_failure(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Poisoned { .. } | Self::DiskFull { .. } | Self::Full { .. })
    }

    /// Whether something on the disk is not what was written.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Read { source, .. } | Self::Write { source } => source.is_damage(),
            Self::Partition { source, .. } => source.is_damage(),
            _ => false,
        }
    }

    /// Whether something could not be read, for whatever reason: what lies elsewhere may still serve.
    pub(crate) fn is_unread(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Read { .. } => true,
            Self::Partition { source, .. } => source.is_unread(),
            _ => false,
        }
    }

    /// Whether writes fail until the store is reopened.
    pub fn poisoned(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Poisoned { .. })
    }

    /// This error with the partition in which it was met, where something could not be read.
    pub(crate) fn in_partition(self, partition: &str) -> Self {
        match self {
            Self::Read { .. } | Self::Damaged(_) => {
                Self::Partition { partition: partition.to_owned(), source: Box::new(self) }
            }
            other => other,
        }
    }

    pub(crate) fn read(what: &'static str) -> impl FnOnce(rocksdb::Error) -> StoreError {
        move |source| Self::Read { what, source: EngineError(source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failing_disk_keeps_from_being_read_is_no_damage() {
        let nowhere = tempfile::tempdir().unwrap();
        let failed = rocksdb::DB::list_cf(&rocksdb::Options::default(), nowhere.path()).unwrap_err();
        assert!(failed.kind() == rocksdb::ErrorKind::IOError, "{failed}");
        let read = StoreError::Read { what: "a row", source: EngineError(failed.clone()) };
        assert!(read.is_unread() && !read.is_damage());
        assert!(read.in_partition("m.20260310").is_unread());
        assert!(StoreError::Damaged(Damage::new("chunk", "it is a test")).is_unread());
        // After these no other series is tried.
        assert!(!StoreError::Write { source: EngineError(failed) }.is_unread());
        assert!(!StoreError::Poisoned { reason: String::new() }.is_unread());
    }
}
