//! Every limit of the host, named and justified in one place.
//!
//! A limit that an operator may change is the default of a configuration key; the rest are fixed.

mod alerting;
mod components;
mod configuration;
mod logging;
mod packages;
mod plugins;
mod queries;
mod records;
mod storage;

pub use alerting::*;
pub use components::*;
pub use configuration::*;
pub use logging::*;
pub use packages::*;
pub use plugins::*;
pub use queries::*;
pub use records::*;
pub use storage::*;
