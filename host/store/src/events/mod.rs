//! Events: their rows, the indexes by type, source and given id, and reading them back by id, by key and in pages.
//!
//! Invariant: an event's row and all its index rows are written in one batch, in the one partition that holds its time.

mod check;
mod claims;
mod cursor;
mod event_row;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod index;
mod lookup;
mod mend;
mod names;
mod query;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use check::check_row;
pub use claims::IdClaim;
pub(crate) use claims::{Claims, known};
pub(crate) use index::{EventIndex, push_row};
pub(crate) use mend::{each_key, mend};
pub(crate) use rows::EventKey;
