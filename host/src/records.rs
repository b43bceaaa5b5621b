//! All stored records of a range, oldest first, as a plugin would have seen them: for replays.
//!
//! The store keeps events by time and samples by series. A stretch of time is read at once and sorted; its length follows from how
//! much is in it, so that the memory is bounded however dense the records are.

use std::ops::ControlFlow;
use std::sync::Arc;

use telemetry_core::extension::QueryPort;
use telemetry_core::time::NANOS_PER_SECOND;
use telemetry_core::{
    EventOrder, EventQuery, MetricSelection, ScanBlock, ScanOptions, SeriesKey, StoredEvent, Subscription,
    TimeRange, Timestamp, limits,
};

use crate::host::Host;
use crate::plugins::LateQueryPort;
use crate::query::QueryError;

/// The stretch that is read first.
const FIRST_STRETCH: i64 = 60 * NANOS_PER_SECOND;
/// The longest stretch that is read at once.
const LONGEST_STRETCH: i64 = 24 * 3600 * NANOS_PER_SECOND;

/// A stored record.
#[derive(Debug)]
pub enum ReplayedRecord<'a> {
    /// An event.
    Event(&'a StoredEvent),
    /// A sample; text has the value NaN, as plugins see it.
    Sample {
        /// Its series.
        series: &'a SeriesKey,
        /// When it was measured.
        timestamp: Timestamp,
        /// The value.
        value: f64,
    },
}

impl ReplayedRecord<'_> {
    /// The record's time.
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.timestamp,
            Self::Sample { timestamp, .. } => *timestamp,
        }
    }
}

/// A sample of a stretch, by its series' place.
type Row = (i64, usize, f64);
/// Series, and rows of them.
type Rows = (Vec<SeriesKey>, Vec<Row>);

impl Host {
    /// Shows `visit` the records within `range` that `subscription` names, by time; of one instant events come before samples,
    /// and samples by their series' names. `visit` ends it with a break.
    pub fn read_records(
        &self,
        range: TimeRange,
        subscription: &Subscription,
        visit: &mut dyn FnMut(ReplayedRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), QueryError> {
        let oldest = self.services.store.oldest_kept(telemetry_store::Class::Events);
        let oldest = oldest.min(self.services.store.oldest_kept(telemetry_store::Class::Metrics));
        let last = range.last().min(self.clock.now().plus(limits::MAX_AHEAD)).nanos();
        let mut from = range.first().max(oldest).nanos();
        let mut stretch = FIRST_STRETCH;
        while from <= last {
            let to = from.saturating_add(stretch - 1).min(last);
            let part =
                TimeRange { start: Some(Timestamp::from_nanos(from)), end: Some(Timestamp::from_nanos(to)) };
            let Some((series, rows)) = self.samples_of(part, subscription)? else {
                // Too many: the same start with a shorter stretch.
                stretch = (stretch / 2).max(1);
                continue;
            };
            let few = rows.len() < limits::MAX_REPLAY_ROWS / 4;
            if self.show(part, subscription, &series, rows, visit)?.is_break() {
                return Ok(());
            }
            if few {
                stretch = stretch.saturating_mul(2).min(LONGEST_STRETCH);
            }
            from = to.saturating_add(1);
        }
        Ok(())
    }

    /// Answers the queries of plugins that run outside of this host, as of the time they are asked for.
    pub fn query_port(&self) -> Arc<dyn QueryPort> {
        let port = Arc::new(LateQueryPort::default());
        port.connect(&self.services);
        port
    }

    /// The samples of a stretch by time; `None` when there are more than are kept at once and the stretch can be shorter.
    fn samples_of(&self, part: TimeRange, subscription: &Subscription) -> Result<Option<Rows>, QueryError> {
        if !subscription.wants_samples() {
            return Ok(Some((Vec::new(), Vec::new())));
        }
        let store = &self.services.store;
        let mut found = store.select_series(&MetricSelection::default(), part)?;
        found.retain(|series| subscription.wants_metric(&series.key.name));
        found.sort_by(|one, other| {
            (&one.key.name, one.key.context.as_str()).cmp(&(&other.key.name, other.key.context.as_str()))
        });
        let ids: Vec<u32> = found.iter().map(|series| series.id).collect();
        let keys: Vec<SeriesKey> = found.into_iter().map(|series| series.key).collect();
        let shortest = part.first() == part.last();
        let mut rows: Vec<Row> = Vec::new();
        let mut too_many = false;
        store.scan(
            &ids,
            part,
            ScanOptions { ordered: true, ..ScanOptions::default() },
            &mut |index, block| {
                match block {
                    ScanBlock::Samples { timestamps, values } => {
                        rows.extend(
                            timestamps.iter().zip(values).map(|(time, value)| (*time, index, *value)),
                        );
                    }
                    ScanBlock::Text { timestamps } => {
                        rows.extend(timestamps.iter().map(|time| (*time, index, f64::NAN)));
                    }
                    ScanBlock::Digest(_) | ScanBlock::State(_) => {}
                }
                too_many = rows.len() > limits::MAX_REPLAY_ROWS && !shortest;
                if too_many { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )?;
        if too_many {
            return Ok(None);
        }
        // Stable: samples of one series and instant stay in the order of their arrival.
        rows.sort_by_key(|(time, index, _)| (*time, *index));
        Ok(Some((keys, rows)))
    }

    /// Shows events and samples of a stretch, merged.
    fn show(
        &self,
        part: TimeRange,
        subscription: &Subscription,
        series: &[SeriesKey],
        rows: Vec<Row>,
        visit: &mut dyn FnMut(ReplayedRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let mut rows = rows.into_iter().peekable();
        let mut until = |limit: Option<i64>, visit: &mut dyn FnMut(ReplayedRecord<'_>) -> ControlFlow<()>| {
            while let Some((time, index, value)) =
                rows.next_if(|(time, _, _)| limit.is_none_or(|limit| *time < limit))
            {
                let Some(series) = series.get(index) else { continue };
                let timestamp = Timestamp::from_nanos(time);
                if visit(ReplayedRecord::Sample { series, timestamp, value }).is_break() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        let mut cursor = None;
        while subscription.wants_events() {
            let query = EventQuery {
                range: part,
                limit: Some(limits::MAX_EVENT_PAGE),
                order: EventOrder::OldestFirst,
                cursor,
                ..EventQuery::default()
            };
            let page = self.services.store.query_events(&query)?;
            for event in &page.events {
                if until(Some(event.timestamp.nanos()), visit).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                let wanted = subscription.wants_event(&event.event_type, &event.source);
                if wanted && visit(ReplayedRecord::Event(event)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(until(None, visit))
    }
}
