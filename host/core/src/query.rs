//! What is asked of the store: which series over which range, and which events.

use serde::{Deserialize, Serialize};

use crate::event::StoredEvent;
use crate::filter::LabelFilter;
use crate::time::Timestamp;

/// A range of time, both ends inclusive, either open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant; open when absent.
    pub start: Option<Timestamp>,
    /// The last instant; open when absent.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// All time.
    pub const ALL: TimeRange = TimeRange { start: None, end: None };

    /// From `start` to `end`, both inclusive.
    pub const fn between(start: Timestamp, end: Timestamp) -> Self {
        Self { start: Some(start), end: Some(end) }
    }

    /// The first instant, the earliest there is when open.
    pub fn first(&self) -> Timestamp {
        self.start.unwrap_or(Timestamp::MIN)
    }

    /// The last instant, the latest there is when open.
    pub fn last(&self) -> Timestamp {
        self.end.unwrap_or(Timestamp::MAX)
    }

    /// Whether `timestamp` lies within.
    pub fn contains(&self, timestamp: Timestamp) -> bool {
        self.first() <= timestamp && timestamp <= self.last()
    }

    /// Whether the start is after the end.
    pub fn is_reversed(&self) -> bool {
        self.first() > self.last()
    }
}

/// Which series are meant.
#[derive(Clone, Debug, Default)]
pub struct MetricSelection {
    /// Metric names; all when absent.
    pub names: Option<Vec<String>>,
    /// All must match.
    pub filters: Vec<LabelFilter>,
}

/// The order of a page of events, by time and then by arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    /// Latest first.
    #[default]
    NewestFirst,
    /// Earliest first.
    OldestFirst,
}

/// A query for events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventQuery {
    /// Only this type.
    pub event_type: Option<String>,
    /// Only this source.
    pub source: Option<String>,
    /// Only within this range.
    pub range: TimeRange,
    /// Events of a page; [`crate::limits::DEFAULT_EVENT_PAGE`] when absent, at most [`crate::limits::MAX_EVENT_PAGE`].
    pub limit: Option<usize>,
    /// The order of the pages.
    pub order: EventOrder,
    /// Where the page before ended: [`EventPage::next_cursor`].
    pub cursor: Option<String>,
}

/// One page of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EventPage {
    /// The events in the asked order.
    pub events: Vec<StoredEvent>,
    /// Give it back to get the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
