//! The sandbox with real components: the shipped plugins, and guests that attack it. One binary, a module per behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod aggregation;
mod cache;
mod compiling;
mod contract;
mod fixture;
mod flood;
mod fuzz;
mod http;
mod http_bypass;
mod judging;
mod load;
mod logging;
mod monitor;
mod repeatable;
mod shipped;
mod sink;
mod supervision;
mod surroundings;
mod validator;
mod zoo;
