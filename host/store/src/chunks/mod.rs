//! Sealed chunks: their rows, reading them in arrival order, scanning them with the head, and merging them.
//!
//! Samples of one series and time keep their order of arrival: among chunks by sealed sequence number, then by place, and
//! the head comes last.

mod cache;
mod covered;
mod fold;
mod head_run;
mod kept;
mod known;
mod locate;
mod row;
mod scan;
mod series_scan;
mod show;

pub(crate) use cache::ChunkCache;
pub(crate) use fold::{
    Generations, SMALL_CHUNK, SeriesChunk, Thoroughness, encode_sorted, fold_series, series_chunks,
    series_with_chunks, taken_generation,
};
pub(crate) use locate::{sealed_at, sealed_sample};
pub(crate) use row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, check_row, chunk_at};
pub use scan::ScanStats;
