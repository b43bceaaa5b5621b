//! How far sealing has come, and cutting the log where neither replay nor a reader needs it any more.
//!
//! Invariant: the log is never cut above the watermark; a slow reader loses records only when the log is at its limit.

use std::sync::atomic::Ordering;

use rocksdb::WriteBatch;

use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, LOG, META};
use crate::head::Sealing;
use crate::log::record::{self, LogRecord};
use crate::meta::{PROGRESS_KEY, Progress, SealNote};

/// Records by which the log is cut at least: each cut leaves a mark that reads pass until compaction removes it.
const MIN_CUT: u64 = 10_000;
/// The log's share of a store with a size limit: a slow reader must not push stored data out.
const LOG_SHARE: u64 = 4;

impl Engine {
    /// Notes how far sealing has come, and cuts the log.
    pub(crate) fn advance(&self, sealing: &mut Sealing) -> Result<(), StoreError> {
        let watermark = self.find_watermark();
        let trimmed = self.trimmed.load(Ordering::Acquire);
        let cut = self.find_cut(watermark, trimmed)?;
        if watermark == self.watermark.load(Ordering::Acquire) && cut == trimmed {
            return Ok(());
        }
        let meta = self.database.family(META)?;
        let mut batch = WriteBatch::new();
        let progress = self.progress(watermark, cut);
        batch.put_cf(&meta, PROGRESS_KEY, progress.encode());
        let done: Vec<u64> = sealing
            .notes
            .iter()
            .take_while(|(_, sequence)| *sequence <= watermark)
            .map(|(number, _)| *number)
            .collect();
        for number in &done {
            batch.delete_cf(&meta, SealNote::key(*number));
        }
        if cut > trimmed {
            // Before the rows go, so that a reader who misses them knows why.
            self.trimmed.store(cut, Ordering::Release);
            let after = record::key(cut.saturating_add(1));
            batch.delete_range_cf(&self.database.family(LOG)?, record::key(0), after);
        }
        self.database.commit(batch, Promise::Derived)?;
        self.watermark.store(watermark, Ordering::Release);
        sealing.notes.drain(..done.len());
        if cut > trimmed {
            self.log_size.forget(cut);
            // Files go at once, whereas the commits that make them needless may still be lost with the power.
            self.database.sync()?;
            self.drop_log_files(cut)?;
        }
        Ok(())
    }

    /// Notes how far the store has come, and its counts.
    pub(crate) fn note_progress(&self) -> Result<(), StoreError> {
        let progress =
            self.progress(self.watermark.load(Ordering::Acquire), self.trimmed.load(Ordering::Acquire));
        let mut batch = WriteBatch::new();
        batch.put_cf(&self.database.family(META)?, PROGRESS_KEY, progress.encode());
        self.database.commit(batch, Promise::Derived)
    }

    /// Everything up to here is in chunks, or was never a sample.
    fn find_watermark(&self) -> u64 {
        // Before the heads: what is put into one later has a higher number than all that is published now.
        let published = self.ledger.published();
        self.open_heads.first().map_or(published, |first| published.min(first.saturating_sub(1)))
    }

    /// The progress row. Counts and the number they go up to belong together.
    fn progress(&self, watermark: u64, trimmed: u64) -> Progress {
        self.ledger.standing_still(|published| {
            let partitions = Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class));
            let counts =
                partitions.map(|partition| (partition.class, partition.start, partition.records())).collect();
            Progress { watermark, trimmed, counted: published, counts }
        })
    }

    /// Bytes at which the log is cut, whoever has not read it.
    pub(crate) fn log_limit(&self) -> u64 {
        let share = self.options.max_bytes.map_or(u64::MAX, |limit| limit / LOG_SHARE);
        self.options.max_log_bytes.min(share)
    }

    /// The last record that can go. Rows are never cut in two.
    fn find_cut(&self, watermark: u64, trimmed: u64) -> Result<u64, StoreError> {
        let readers = self.cursors()?;
        let slowest = readers.iter().map(|(_, next)| next.saturating_sub(1)).min().unwrap_or(u64::MAX);
        let forced = self.log_size.cut_for(self.log_limit()).unwrap_or(0).min(watermark);
        let wanted = slowest.min(watermark);
        if forced > wanted.max(trimmed) {
            let late = readers.iter().filter(|(_, next)| *next <= forced).map(|(name, _)| name.as_str());
            let names = late.collect::<Vec<_>>().join(", ");
            self.database
                .reports()
                .add(format!("the log is at its limit: records were cut that {names} did not read"));
        }
        let wanted = wanted.max(forced);
        if wanted < trimmed.saturating_add(MIN_CUT) && forced <= trimmed {
            return Ok(trimmed);
        }
        Ok(self.row_end_before(wanted)?.max(trimmed))
    }

    /// The last record of the last row that ends at or before `sequence`.
    fn row_end_before(&self, sequence: u64) -> Result<u64, StoreError> {
        let log = self.database.family(LOG)?;
        let mut rows = self.database.rows(&log, Vec::new(), record::key(u64::MAX).to_vec());
        rows.seek_back(&record::key(sequence));
        rows.check("the log")?;
        let Some((key, value)) = rows.row() else { return Ok(sequence) };
        let first = record::sequence_of(key)?;
        match LogRecord::decode(value) {
            Ok(row) if first.saturating_add(row.len()) > sequence.saturating_add(1) => {
                Ok(first.saturating_sub(1))
            }
            _ => Ok(sequence),
        }
    }

    /// Frees whole files at once instead of waiting for compaction.
    fn drop_log_files(&self, cut: u64) -> Result<(), StoreError> {
        let log = self.database.family(LOG)?;
        self.database
            .rocks()
            .delete_file_in_range_cf(&log, record::key(0), record::key(cut))
            .map_err(StoreError::read("the log's files"))
    }
}
