//! The `tracing` layer that turns events into records.

use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::handle::Log;
use crate::config::LogLevel;

/// Writes every event that reaches it to one log.
pub(super) struct LogLayer {
    log: Arc<Log>,
    least: LogLevel,
}

/// What a span says about the events within it. Kept once for a span, however many logs there are.
struct SpanFields(Fields);

impl LogLayer {
    pub(super) fn new(log: Arc<Log>, least: LogLevel) -> Self {
        Self { log, least }
    }
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Visited before the lock: a `Debug` of a field may itself log.
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(SpanFields(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        let mut extensions = span.extensions_mut();
        if let Some(SpanFields(earlier)) = extensions.get_mut() {
            fields.inherit(earlier);
        }
        extensions.replace(SpanFields(fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(level) = fields.level(*event.metadata().level()).filter(|level| *level >= self.least) else {
            return;
        };
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(outer)) = span.extensions().get() {
                fields.inherit(outer);
            }
        }
        self.log.write(&fields.into_record(level, event.metadata()));
    }
}
