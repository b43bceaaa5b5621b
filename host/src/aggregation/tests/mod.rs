//! The engine against a reader in memory: every answer is compared with one worked out naively from the contract's words.

mod contract;
mod faults;
mod few;
mod kept;
pub(super) mod meeting;
mod memory;
mod oracle;
mod overload;
mod plugins;
mod properties;
mod real_store;
mod sharing;

use std::sync::Arc;

use telemetry_core::{ManualClock, Timestamp};

use super::{AggregationRegistry, Engine, MetricsAnswer};
use crate::query::{MetricQuery, QueryError};
use memory::MemoryReader;

fn engine() -> Engine {
    Engine::new(Arc::new(ManualClock::at(Timestamp::EPOCH))).with_threads(1)
}

fn answer(reader: &MemoryReader, query: &MetricQuery) -> Result<MetricsAnswer, QueryError> {
    engine().run(query, reader, &AggregationRegistry::default(), None)
}

/// An answer as its JSON text.
fn json(reader: &MemoryReader, query: &MetricQuery) -> String {
    serde_json::to_string_pretty(&answer(reader, query).unwrap()).unwrap()
}
