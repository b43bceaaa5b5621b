//! Queries: what callers ask about metrics and events, typed and in their JSON and query-string forms.
//!
//! Invariant: a query that came through [`MetricQuery::check`] holds no unbounded list, no reversed range and no empty step.

mod error;
mod event_request;
mod from_store;
mod metric_query;
mod metric_request;
mod time;

pub use error::{QueryError, ReadError};
pub use event_request::{event_query_from_json, event_query_from_pairs};
pub use metric_query::{AggregationChoice, MetricQuery};
pub use metric_request::metric_query_from_json;
