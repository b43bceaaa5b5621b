//! Gives the records of a replay to the plugin: in batches as a host would, with ticks between them.
#![allow(clippy::indexing_slicing, reason = "a JSON object that is made here takes any key")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::ReplayedRecord;
use serde_json::{Value, json};
use telemetry_core::extension::{Monitor, PluginFailure, RowIssue, SavedState, Validator};
use telemetry_core::{EventBatch, EventRow, ManualClock, SampleBatch, Subscription, Timestamp, limits};
use telemetry_sandbox::{Plugin, PluginKind};

use super::{ReplayError, ReplayReport};
use crate::run::{KeyValues, failure, signal};

/// Rows that are shown at once.
const BATCH_ROWS: usize = 1_000;

/// The plugin and what it was shown so far.
pub(super) struct Feed {
    receiver: Receiver,
    clock: Arc<ManualClock>,
    key_values: Arc<KeyValues>,
    batch: Batch,
    tick: Option<Duration>,
    next_tick: Option<Timestamp>,
    sequence: u64,
    report: ReplayReport,
}

enum Receiver {
    Monitor {
        monitor: Box<dyn Monitor>,
        /// The state before the batch that is shown.
        good: Option<SavedState>,
    },
    Validator(Arc<dyn Validator>),
}

/// Rows that are not shown yet.
enum Batch {
    None,
    Events(EventBatch, Vec<Value>),
    Samples(SampleBatch, BTreeMap<(String, String), u32>),
}

impl Feed {
    pub(super) fn of(
        plugin: &Plugin,
        clock: Arc<ManualClock>,
        key_values: Arc<KeyValues>,
    ) -> Result<Self, ReplayError> {
        let receiver = match (plugin.monitor(None), plugin.validator()) {
            (Some(monitor), _) => Receiver::Monitor { monitor: monitor?, good: None },
            (None, Some(validator)) => Receiver::Validator(validator),
            (None, None) => return Err(ReplayError::Kind(plugin.info().kind)),
        };
        let mut feed = Self {
            receiver,
            clock,
            key_values,
            batch: Batch::None,
            tick: None,
            next_tick: None,
            sequence: 1,
            report: ReplayReport::default(),
        };
        feed.tick = feed.subscription().tick.filter(|_| plugin.info().kind == PluginKind::Monitor);
        Ok(feed)
    }

    pub(super) fn subscription(&self) -> Subscription {
        match &self.receiver {
            Receiver::Monitor { monitor, .. } => monitor.subscription().clone(),
            Receiver::Validator(validator) => validator.subscription().clone(),
        }
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &ReplayedRecord<'_>) -> ControlFlow<()> {
        let now = record.timestamp();
        self.report.first.get_or_insert(now);
        self.report.last = Some(now);
        self.tick_until(now);
        let fits = match (&self.batch, record) {
            (Batch::Events(batch, _), ReplayedRecord::Event(_)) => batch.len() < BATCH_ROWS,
            (Batch::Samples(batch, _), ReplayedRecord::Sample { .. }) => batch.len() < BATCH_ROWS,
            _ => false,
        };
        if !fits {
            self.show();
            self.batch = match record {
                ReplayedRecord::Event(_) => Batch::Events(EventBatch::starting_at(self.sequence), Vec::new()),
                ReplayedRecord::Sample { .. } => {
                    Batch::Samples(SampleBatch::starting_at(self.sequence), BTreeMap::new())
                }
            };
        }
        self.sequence += 1;
        self.push(record);
        ControlFlow::Continue(())
    }

    fn push(&mut self, record: &ReplayedRecord<'_>) {
        match (&mut self.batch, record) {
            (Batch::Events(batch, ids), ReplayedRecord::Event(event)) => {
                let id = event.event_id.to_string();
                batch.push(EventRow {
                    timestamp: event.timestamp.nanos(),
                    id: &id,
                    event_type: &event.event_type,
                    source: &event.source,
                    data: event.data.as_str(),
                    extra: event.extra.as_str(),
                });
                ids.push(json!({"event_id": id, "event_type": &*event.event_type, "source": &*event.source}));
                self.report.events += 1;
            }
            (Batch::Samples(batch, known), ReplayedRecord::Sample { series, timestamp, value }) => {
                let key = (series.name.to_string(), series.context.as_str().to_owned());
                let number =
                    *known.entry(key).or_insert_with_key(|(name, context)| batch.add_series(name, context));
                batch.push(number, timestamp.nanos(), *value);
                self.report.samples += 1;
            }
            _ => {}
        }
    }

    /// Gives the ticks that are due before `now`; the first one is due a period after the first record.
    fn tick_until(&mut self, now: Timestamp) {
        let Some(period) = self.tick else { return };
        let Some(mut due) = self.next_tick else {
            self.next_tick = Some(now.plus(period));
            return;
        };
        while due <= now {
            self.show();
            self.report.ticks += 1;
            self.clock.jump_to(due);
            let answer = match &mut self.receiver {
                Receiver::Monitor { monitor, .. } => monitor.tick(due),
                Receiver::Validator(_) => Ok(Vec::new()),
            };
            let answer = answer.map(|signals| signals.iter().map(signal).collect());
            self.note(due, answer);
            due = due.plus(period);
        }
        self.next_tick = Some(due);
    }

    /// Shows the rows that were gathered.
    fn show(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Batch::None);
        let now = match &batch {
            Batch::None => return,
            Batch::Events(batch, _) => batch.timestamps().last().copied(),
            Batch::Samples(batch, _) => batch.timestamps().last().copied(),
        };
        let now = Timestamp::from_nanos(now.unwrap_or_default());
        self.clock.jump_to(now);
        let answer = match (&mut self.receiver, &batch) {
            (Receiver::Monitor { monitor, .. }, Batch::Events(batch, _)) => signals(monitor.on_events(batch)),
            (Receiver::Monitor { monitor, .. }, Batch::Samples(batch, _)) => {
                signals(monitor.on_samples(batch))
            }
            (Receiver::Validator(validator), Batch::Events(batch, ids)) => {
                validator.validate_events(batch).map(|verdict| {
                    let record = |row: u32| ids.get(row as usize).cloned().unwrap_or_default();
                    issues(&verdict.issues, batch.timestamps(), record)
                })
            }
            (Receiver::Validator(validator), Batch::Samples(batch, _)) => {
                validator.validate_samples(batch).map(|verdict| {
                    let record = |row: u32| match batch.row(row as usize) {
                        Some(row) => json!({"metric_name": row.name, "context": row.context}),
                        None => Value::Null,
                    };
                    issues(&verdict.issues, batch.timestamps(), record)
                })
            }
            (_, Batch::None) => Ok(Vec::new()),
        };
        self.note(now, answer);
    }

    /// Keeps what was found; after a failure a monitor goes on from its last good state.
    fn note(&mut self, now: Timestamp, answer: Result<Vec<Value>, PluginFailure>) {
        let failed = match answer {
            Ok(found) => {
                for finding in found {
                    if self.report.findings.len() < limits::MAX_REPLAY_FINDINGS {
                        self.report.findings.push(finding);
                    } else {
                        self.report.findings_left_out += 1;
                    }
                }
                None
            }
            Err(error) => Some(error),
        };
        let outcome = match (&mut self.receiver, failed) {
            (Receiver::Monitor { monitor, good }, None) => monitor.checkpoint().map(|checkpoint| {
                self.key_values.commit(monitor.name(), &checkpoint.writes);
                monitor.committed();
                *good = checkpoint.state;
            }),
            (Receiver::Monitor { monitor, good }, Some(error)) => {
                self.report.failures.push(failed_at(now, &error));
                // Waits after failures are a host's; here only the clock has to go on.
                self.clock.advance(limits::MAX_PLUGIN_QUARANTINE);
                monitor.restart(good.clone())
            }
            (Receiver::Validator(_), None) => Ok(()),
            (Receiver::Validator(_), Some(error)) => {
                self.clock.advance(limits::MAX_PLUGIN_QUARANTINE);
                Err(error)
            }
        };
        if let Err(error) = outcome {
            self.report.failures.push(failed_at(now, &error));
        }
    }

    /// Shows what is left, and the ticks up to the end of the range.
    pub(super) fn finish(mut self, end: Option<Timestamp>) -> ReplayReport {
        self.show();
        if let (Some(end), Some(_)) = (end, self.report.last) {
            self.tick_until(end);
        }
        self.report
    }
}

fn signals(answer: Result<Vec<telemetry_core::Signal>, PluginFailure>) -> Result<Vec<Value>, PluginFailure> {
    answer.map(|signals| signals.iter().map(signal).collect())
}

fn issues(issues: &[RowIssue], timestamps: &[i64], record: impl Fn(u32) -> Value) -> Vec<Value> {
    let document = |issue: &RowIssue| {
        let timestamp = timestamps.get(issue.row as usize).copied().map(Timestamp::from_nanos);
        json!({
            "timestamp": timestamp, "record": record(issue.row), "reject": issue.reject, "code": issue.code,
            "path": issue.path, "message": issue.message,
        })
    };
    issues.iter().map(document).collect()
}

fn failed_at(now: Timestamp, error: &PluginFailure) -> Value {
    let mut document = failure(error);
    document["timestamp"] = json!(now);
    document
}
