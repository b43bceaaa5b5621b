//! Series: what they are called, in which partitions they are active, and which of them a query means.
//!
//! Every partition defines the series that are active in it, so that nothing outlives its partition. Postings (which series have
//! a metric's name, which have a label's value) are kept in memory for the partitions in use, and as rows for those that are not.
//! Invariant: definitions are the truth; postings can be made again from them at any time.

mod believed;
mod check;
mod checkpoint;
mod definition;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod index;
mod load;
mod mend;
mod partition_index;
mod posting;
mod recent;
mod rows;
mod select;
#[cfg(test)]
mod tests;

pub(crate) use check::check_row;
pub use definition::SeriesRef;
pub(crate) use index::{SeriesIndex, Uncommitted};
pub(crate) use load::count;
pub(crate) use mend::mend;
