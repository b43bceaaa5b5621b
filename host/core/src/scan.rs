//! How samples of many series are read: in blocks, or by the digests of blocks.

use crate::aggregation::{KeptState, KeptStates, SeriesDigest};

/// What a scan may show instead of samples, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Whether a block of samples may be shown as its digest, of a chunk or of a rollup's bucket.
    pub digests: bool,
    /// The length in nanoseconds of buckets, aligned to the epoch, whose edges no digest may cross.
    pub bucket: Option<i64>,
    /// Whether the blocks of each series come by time and then by arrival. Blocks of several series mix, but of what they have
    /// of one instant that of the series with the lower number comes first. Otherwise blocks come in any order, but of two
    /// samples of one series and instant the one that arrived first still comes first.
    pub ordered: bool,
    /// Kept states that may be shown instead of the samples of whole buckets, where there are some. For scans without digests
    /// and order.
    pub states: Option<KeptStates>,
}

/// Some samples of one series within the asked range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScanBlock<'a> {
    /// Numeric samples within one bucket, known by their digest alone. In an ordered scan nothing else of the series lies within
    /// its time.
    Digest(&'a SeriesDigest),
    /// Numeric samples within one bucket, known by a kept state alone.
    State(&'a KeptState),
    /// Numeric samples by time and then by arrival, integers as the nearest `f64`; times and values are equally many.
    Samples {
        /// Nanoseconds since the epoch.
        timestamps: &'a [i64],
        /// One value per time.
        values: &'a [f64],
    },
    /// Text samples, by time.
    Text {
        /// Nanoseconds since the epoch.
        timestamps: &'a [i64],
    },
}
