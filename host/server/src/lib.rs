//! HTTP and JSON over the host (spec §8).
//!
//! Invariant: the body is always an envelope, also of refusals that happen before a handler runs; nothing is served on
//! another address than loopback, nothing to a foreign Host header.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

mod answer;
mod body;
mod call_fault;
mod connection;
mod fence;
mod openapi;
mod refusals;
mod routes;
mod server;

pub use openapi::openapi_document;
pub use server::{INSTANCE_HEADER, Server, ServerError};
