//! Events in pages.

use std::sync::Arc;

use telemetry_core::{EventOrder, EventPage, EventQuery, StoredEvent, limits};

use super::cursor;
use super::index::EventIndex;
use super::names::{Found, UNNUMBERED};
use super::rows::{self, EventKey, Kind};
use super::walk::{Span, Walk};
use crate::database::{Database, Family};
use crate::error::StoreError;
use crate::families::Partition;

/// A page that is being filled.
struct Page {
    events: Vec<StoredEvent>,
    limit: usize,
    bytes: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= limits::MAX_EVENT_PAGE_BYTES
    }

    fn push(&mut self, event: StoredEvent) {
        let size = event.data.as_str().len().saturating_add(event.extra.as_str().len());
        self.bytes = self.bytes.saturating_add(size);
        self.events.push(event);
    }

    fn behind(self) -> EventPage {
        let last =
            self.events.last().map(|event| EventKey { timestamp: event.timestamp, sequence: event.sequence });
        EventPage { next_cursor: last.map(cursor::encode), events: self.events }
    }
}

impl EventIndex {
    /// The page of events that `query` asks for.
    pub(crate) fn query(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
        query: &EventQuery,
    ) -> Result<EventPage, StoreError> {
        let limit = query.limit.unwrap_or(limits::DEFAULT_EVENT_PAGE).min(limits::MAX_EVENT_PAGE);
        let mut page = Page { events: Vec::new(), limit, bytes: 0 };
        let (Some(span), true) = (span(query)?, limit > 0) else { return Ok(EventPage::default()) };
        let mut partitions: Vec<_> =
            partitions.iter().filter(|partition| partition.meets(&query.range)).collect();
        partitions.sort_by_key(|partition| partition.start);
        if query.order == EventOrder::NewestFirst {
            partitions.reverse();
        }
        for partition in partitions {
            let Some(family) = database.find_family(&partition.family) else { continue };
            let filled = self.fill(database, partition, &family, query, span, &mut page);
            if !filled.map_err(|error| error.in_partition(&partition.family))? {
                return Ok(page.behind());
            }
        }
        Ok(EventPage { events: page.events, next_cursor: None })
    }

    /// Adds a partition's events to the page; false when there is one more than fits.
    fn fill(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        query: &EventQuery,
        span: Span,
        page: &mut Page,
    ) -> Result<bool, StoreError> {
        let Some(prefixes) = self.prefixes(database, partition, family, query)? else { return Ok(true) };
        let whole_rows = prefixes.is_empty();
        let prefixes = if whole_rows { vec![rows::event_prefix()] } else { prefixes };
        let backward = query.order == EventOrder::NewestFirst;
        let mut walk = Walk::new(database, family, prefixes, span, backward);
        while let Some(place) = walk.next()? {
            let key = EventKey::at(place);
            let event = match walk.value() {
                Some(value) if whole_rows => self.restore(database, partition, family, key, value).map(Some),
                _ => self.read(database, partition, key),
            };
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => continue,
                Err(StoreError::Damaged(damage)) => {
                    database
                        .reports()
                        .add(format!("partition {}: event {}: {damage}", partition.family, key.sequence));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !fits(query, &event) {
                continue;
            }
            if page.is_full() {
                return Ok(false);
            }
            page.push(event);
        }
        Ok(true)
    }

    /// The index lists that hold what is asked for, none when all events are; `None` when the partition has no such event.
    fn prefixes(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        query: &EventQuery,
    ) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let wanted = [(Kind::Type, query.event_type.as_deref()), (Kind::Source, query.source.as_deref())];
        self.with_names(database, partition, family, |names| {
            let mut prefixes = Vec::new();
            for (kind, text) in wanted {
                let Some(text) = text else { continue };
                match names.find(kind, text) {
                    Found::Number(number) => prefixes.push(rows::index_prefix(kind, number)),
                    Found::Unnumbered => prefixes.push(rows::index_prefix(kind, UNNUMBERED)),
                    Found::Nowhere => return None,
                }
            }
            Some(prefixes)
        })
    }
}

/// The places that the range and the cursor leave; `None` when they leave none.
fn span(query: &EventQuery) -> Result<Option<Span>, StoreError> {
    let mut first = EventKey { timestamp: query.range.first(), sequence: u64::MIN }.place();
    let mut last = EventKey { timestamp: query.range.last(), sequence: u64::MAX }.place();
    if let Some(text) = &query.cursor {
        let place = u128::from_be_bytes(cursor::decode(text)?.place());
        let beside = match query.order {
            EventOrder::NewestFirst => place.checked_sub(1),
            EventOrder::OldestFirst => place.checked_add(1),
        };
        let Some(beside) = beside.map(u128::to_be_bytes) else { return Ok(None) };
        match query.order {
            EventOrder::NewestFirst => last = last.min(beside),
            EventOrder::OldestFirst => first = first.max(beside),
        }
    }
    Ok((first <= last).then_some(Span { first, last }))
}

/// Whether an event is what was asked for: events without a numbered name share their index list with others.
fn fits(query: &EventQuery, event: &StoredEvent) -> bool {
    query.event_type.as_deref().is_none_or(|wanted| wanted == &*event.event_type)
        && query.source.as_deref().is_none_or(|wanted| wanted == &*event.source)
}
