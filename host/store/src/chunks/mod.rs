//! Sealed chunks: their rows, reading them in arrival order, scanning them with the head, and merging them.
//!
//! Samples of one series and time keep their order of arrival: among chunks by sealed sequence number, then by place, and
//! the head comes last.

mod cache;
mod covered;
mod cuts;
mod fold;
mod generations;
mod head_run;
mod kept;
mod known;
mod locate;
mod merged;
mod row;
mod scan;
mod series_scan;
mod show;
mod weave;

pub(crate) use cache::ChunkCache;
pub(crate) use cuts::cuts_between;
#[cfg(test)]
pub(crate) use fold::fold_series;
pub(crate) use fold::{
    SMALL_CHUNK, SeriesChunk, Thoroughness, encode_sorted, fold_chunks, series_chunks, series_with_chunks,
};
pub(crate) use generations::{Generations, taken_generation};
pub(crate) use locate::{SealedAt, sealed_at, sealed_sample};
pub(crate) use row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, check_row, chunk_at};
pub use scan::ScanStats;
