//! The log as the rest of the host sees it: its state, and the one place where records are written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_core::time::NANOS_PER_SECOND;
use telemetry_core::{Clock, Timestamp};
use uuid::{ContextV7, Uuid};

use super::console::ConsoleCopy;
use super::file::LogFile;
use super::payload::Payload;
use super::record::LogRecord;
use crate::config::LogLevel;

/// The source of the log's own records.
const SOURCE: &str = "Bridge_Telemetry";

/// One log. Cloning shares it; the default is no log at all.
#[derive(Clone, Default)]
pub struct LogHandle {
    log: Option<Arc<Log>>,
}

/// What the log did since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogStats {
    /// Records in the file.
    pub written: u64,
    /// Records that could not be written.
    pub dropped: u64,
    /// Rotations.
    pub rotations: u64,
    /// Failures of any kind: of writing, rotating, syncing, and of the console copy.
    pub failures: u64,
    /// The last failure, in words.
    pub last_failure: Option<String>,
    /// Whether the latest record could not be written.
    pub failing: bool,
}

impl LogHandle {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log: Some(log) }
    }

    /// What the log did so far.
    pub fn stats(&self) -> LogStats {
        self.log.as_deref().map(Log::stats).unwrap_or_default()
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.log.as_deref()?.path.as_deref()
    }

    /// Hands what is written to the disk.
    pub fn flush(&self) {
        if let Some(log) = &self.log {
            log.sync();
        }
    }
}

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogHandle").field("path", &self.path()).finish()
    }
}

/// Writes records to file and console.
pub(super) struct Log {
    path: Option<PathBuf>,
    file: Option<Mutex<LogFile>>,
    console: Option<ConsoleCopy>,
    clock: Arc<dyn Clock>,
    ids: std::sync::Mutex<ContextV7>,
    written: AtomicU64,
    dropped: AtomicU64,
    /// Of `dropped`, those that the log does not tell about yet. Changed under the file's lock.
    untold: AtomicU64,
    failures: AtomicU64,
    last_failure: Mutex<Option<String>>,
}

impl Log {
    pub(super) fn new(
        file: Option<(PathBuf, LogFile)>,
        console: Option<ConsoleCopy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (path, file) = file.unzip();
        Self {
            path,
            file: file.map(Mutex::new),
            console,
            clock,
            ids: std::sync::Mutex::new(ContextV7::new()),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_failure: Mutex::new(None),
        }
    }

    /// Writes a record; what fails is counted.
    pub(super) fn write(&self, record: &LogRecord) {
        let timestamp = self.clock.now().floor_to_millis();
        let line = record.line(self.id(timestamp), timestamp);
        if let Some(file) = &self.file {
            self.write_file(&mut file.lock(), &line, timestamp);
        }
        if let Some(console) = &self.console
            && let Err(error) = console.write(record, timestamp)
        {
            self.fail(&format!("the console copy could not be written: {error}"));
        }
    }

    fn write_file(&self, file: &mut LogFile, line: &str, timestamp: Timestamp) {
        let now = self.clock.monotonic();
        let outcome = self.tell_loss(file, timestamp).and_then(|()| file.write_line(line.as_bytes(), now));
        if let Some(fault) = file.rotation_fault.take() {
            self.fail(&format!("the log could not be rotated: {fault}"));
        }
        match outcome {
            Ok(()) => {
                self.written.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.untold.fetch_add(1, Ordering::Relaxed);
                self.fail(&format!("the log could not be written: {error}"));
            }
        }
    }

    /// Says how many records were lost before the next one is written.
    fn tell_loss(&self, file: &mut LogFile, timestamp: Timestamp) -> std::io::Result<()> {
        let untold = self.untold.load(Ordering::Relaxed);
        if untold == 0 {
            return Ok(());
        }
        let record = LogRecord {
            level: LogLevel::Warning,
            source: SOURCE.to_owned(),
            status: "WARNING".to_owned(),
            message: "Records were lost because the log could not be written.".to_owned(),
            payload: Payload::of_fields(&Map::from_iter([("dropped".to_owned(), Value::from(untold))])),
            error: None,
        };
        file.write_line(record.line(self.id(timestamp), timestamp).as_bytes(), self.clock.monotonic())?;
        self.written.fetch_add(1, Ordering::Relaxed);
        self.untold.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) {
        if let Some(file) = &self.file
            && let Err(error) = file.lock().sync()
        {
            self.fail(&format!("the log could not be synced: {error}"));
        }
    }

    fn fail(&self, failure: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.last_failure.lock() = Some(failure.to_owned());
    }

    fn stats(&self) -> LogStats {
        LogStats {
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            rotations: self.file.as_ref().map_or(0, |file| file.lock().rotations),
            failures: self.failures.load(Ordering::Relaxed),
            last_failure: self.last_failure.lock().clone(),
            failing: self.untold.load(Ordering::Relaxed) > 0,
        }
    }

    fn id(&self, timestamp: Timestamp) -> Uuid {
        let seconds = u64::try_from(timestamp.nanos().div_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        let nanos = u32::try_from(timestamp.nanos().rem_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.ids, seconds, nanos))
    }
}
