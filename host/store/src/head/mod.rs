//! The head: samples that are in the log but not in a chunk yet, per active series, and the order in which records
//! become visible.

mod ledger;
mod open;
mod published;
mod registry;
mod seal;
mod series;
mod vacancy;

pub(crate) use ledger::{Departure, Ledger, RecordCounts};
pub(crate) use open::OpenHeads;
pub(crate) use registry::{ActiveSeries, NumberHasher, Registry, Resolved, SeriesIds, SeriesLimits};
pub(crate) use seal::{FULL_HEAD, HARD_HEAD, Sealing};
pub(crate) use series::{HeadSamples, Series, SeriesHead};
pub(crate) use vacancy::Vacancy;
