//! Checks of the tree itself, run as tests: the design's rules that no compiler sees.
//!
//! A module per rule. Each takes text or paths and returns findings, so that it is tested with bad input too;
//! `tests/tree.rs` applies them to this checkout. Nothing of the host is linked here.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

pub mod dependency;
pub mod feature;
pub mod finding;
pub mod layout;
pub mod length;
pub mod lexer;
pub mod manifest;
pub mod marker;
pub mod mention;
pub mod naming;
pub mod tree;
pub mod wit;
