//! Runs records through the validators in configured order, each seeing the rewrites of those before, in batches of limited size,
//! which validators that see the same rows share. Each batch is judged whatever becomes of the others.

mod events;
mod packed;
mod samples;
#[cfg(test)]
mod tests;
mod verdicts;
mod wanted;

use std::sync::Arc;

use telemetry_core::extension::{Door, PluginFailure, Validator};
use telemetry_core::{
    AdmittedEvent, AdmittedSample, Clock, ErrorCode, EventBatch, SampleBatch, Subscription,
};

use self::events::{event_batch, first_batch};
use self::packed::PackedBatches;
use self::samples::SamplePart;
use self::verdicts::{apply_to_events, apply_to_samples};
use self::wanted::{WantedRows, numbered};
use super::counters::Counters;
use super::error::RecordError;
use super::round::{Admitted, Round};
use crate::faults::Faults;

/// What happens to records that a validator could not judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// They are refused with PLUGIN_FAILURE.
    #[default]
    Reject,
    /// They pass, counted.
    Accept,
}

/// A validator with its policy.
#[derive(Clone)]
pub(crate) struct ValidatorEntry {
    pub(crate) validator: Arc<dyn Validator>,
    pub(crate) on_failure: OnFailure,
}

/// All validators in configured order.
#[derive(Clone, Default)]
pub(crate) struct ValidatorChain {
    links: Vec<Link>,
    /// What they want, each once.
    subscriptions: Vec<Subscription>,
    /// The validators that want samples.
    of_samples: usize,
}

/// A validator's place in the chain: all that a record must know of one that is not asked.
#[derive(Clone)]
struct Link {
    entry: ValidatorEntry,
    /// Where records pass unjudged while it is shut.
    door: Option<Arc<Door>>,
    /// The number of its subscription.
    subscription: usize,
}

impl ValidatorChain {
    pub(crate) fn new(entries: Vec<ValidatorEntry>) -> Self {
        let wants_samples = |entry: &&ValidatorEntry| entry.validator.subscription().wants_samples();
        let of_samples = entries.iter().filter(wants_samples).count();
        let mut subscriptions = Vec::new();
        let link = |entry: ValidatorEntry| {
            let door = (entry.on_failure == OnFailure::Accept).then(|| entry.validator.door()).flatten();
            let subscription = numbered(&mut subscriptions, entry.validator.subscription());
            Link { entry, door, subscription }
        };
        let links = entries.into_iter().map(link).collect();
        Self { links, subscriptions, of_samples }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub(super) fn judge_events(&self, round: &mut Round<AdmittedEvent>, judging: &Judging<'_>) {
        let mut failures = Failures::new(judging);
        let all = rows_where(round, 0..round.records.len(), |_| true);
        let mut rest = all.as_slice();
        // All validators judge some of the events before any judges the others, so that those are packed for all of them.
        while !rest.is_empty() {
            let (rows, after) = first_batch(rest, &round.records);
            let mut packed = PackedBatches::default();
            let mut wanted = WantedRows::of(self.subscriptions.len());
            for link in &self.links {
                let Some(subscription) = self.subscriptions.get(link.subscription) else { continue };
                let wanted_rows = wanted.by(link.subscription, || {
                    rows_where(round, rows.iter().copied(), |event| {
                        subscription.wants_event(event.event_type(), event.source())
                    })
                });
                if !wanted_rows.is_empty() && !link.is_passed_by(wanted_rows.len(), judging) {
                    let refused = link.entry.judge_events(wanted_rows, &mut packed, round, &mut failures);
                    if refused {
                        wanted.forget();
                    }
                }
            }
            rest = after;
        }
    }

    pub(super) fn judge_samples(&self, round: &mut Round<AdmittedSample>, judging: &Judging<'_>) {
        if self.of_samples == 0 {
            return;
        }
        let rows = rows_where(round, 0..round.records.len(), |sample| {
            self.subscriptions.iter().any(|subscription| subscription.wants_metric(&sample.series().name))
        });
        let mut packed = PackedBatches::default();
        self.judge_samples_in_parts(&self.links, &rows, &mut packed, round, &mut Failures::new(judging));
    }

    /// Has `links` judge samples that one of them wants: all judge the first part before any judges the second.
    fn judge_samples_in_parts(
        &self,
        links: &[Link],
        rows: &[usize],
        packed: &mut PackedBatches<SampleBatch>,
        round: &mut Round<AdmittedSample>,
        failures: &mut Failures<'_>,
    ) {
        let mut rest = rows;
        while !rest.is_empty() {
            let (part, after) = SamplePart::first(rest, &round.records);
            let mut wanted = WantedRows::of(self.subscriptions.len());
            let mut left = links;
            while let [link, others @ ..] = left {
                left = others;
                let Some(subscription) = self.subscriptions.get(link.subscription) else { continue };
                if !subscription.wants_samples() {
                    continue;
                }
                // The only one that wants any wants all that came to its part, and nobody before it refused any.
                let wanted_rows = match self.of_samples {
                    1 => part.rows(),
                    _ => wanted.by(link.subscription, || {
                        rows_where(round, part.rows().iter().copied(), |sample| {
                            subscription.wants_metric(&sample.series().name)
                        })
                    }),
                };
                if wanted_rows.is_empty() || link.is_passed_by(wanted_rows.len(), failures.judging) {
                    continue;
                }
                let change = link.entry.judge_samples(&part, wanted_rows, packed, round, failures);
                if change == Change::Refused {
                    wanted.forget();
                }
                if change == Change::Rewritten && left.iter().any(|link| self.wants_samples(link)) {
                    // Those that are left see other series, which may also be too large for one batch.
                    self.judge_samples_in_parts(left, part.rows(), packed, round, failures);
                    break;
                }
            }
            // Nobody sees these rows again.
            *packed = PackedBatches::default();
            rest = after;
        }
    }

    fn wants_samples(&self, link: &Link) -> bool {
        self.subscriptions.get(link.subscription).is_some_and(Subscription::wants_samples)
    }
}

/// What became of the records that a validator judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// Some were refused.
    Refused,
    /// Series were rewritten, whose records may also have been refused: the part is no more what it was.
    Rewritten,
}

impl Link {
    /// Whether so many records pass unjudged, since the validator is known to refuse to be called. They are counted.
    fn is_passed_by(&self, records: usize, judging: &Judging<'_>) -> bool {
        let Some(door) = self.door.as_ref().filter(|door| door.is_shut(|| judging.clock.monotonic())) else {
            return false;
        };
        door.turn_away();
        Counters::add(&judging.counters.unvalidated, records);
        true
    }
}

impl ValidatorEntry {
    /// Judges events; the answer is whether any was refused.
    fn judge_events(
        &self,
        wanted: &[usize],
        packed: &mut PackedBatches<EventBatch>,
        round: &mut Round<AdmittedEvent>,
        failures: &mut Failures<'_>,
    ) -> bool {
        let mut rest = wanted;
        let mut changed = false;
        // One batch, unless validators before it made the events larger.
        while !rest.is_empty() {
            let (rows, after) = first_batch(rest, &round.records);
            let batch = packed.of(rows, || event_batch(rows, &round.records));
            match self.validator.validate_events(batch) {
                Ok(verdict) => {
                    let rows = apply_to_events(self.validator.name(), rows, verdict, round);
                    changed |= !rows.is_empty();
                    packed.forget(&rows);
                }
                Err(failure) => {
                    let rows = self.apply_failure(&failure, rows, round, failures);
                    changed |= !rows.is_empty();
                    packed.forget(rows);
                }
            }
            rest = after;
        }
        changed
    }

    /// Judges samples of a part.
    fn judge_samples(
        &self,
        part: &SamplePart<'_>,
        rows: &[usize],
        packed: &mut PackedBatches<SampleBatch>,
        round: &mut Round<AdmittedSample>,
        failures: &mut Failures<'_>,
    ) -> Change {
        let batch = packed.of(rows, || part.batch(rows, &round.records));
        let (changed, rewritten) = match self.validator.validate_samples(batch) {
            Ok(verdict) => {
                let rewritten = !verdict.rewrites.is_empty();
                let changed = apply_to_samples(self.validator.name(), rows, batch, verdict, round);
                packed.forget(&changed);
                (!changed.is_empty(), rewritten)
            }
            Err(failure) => {
                let refused = self.apply_failure(&failure, rows, round, failures);
                packed.forget(refused);
                (!refused.is_empty(), false)
            }
        };
        match (rewritten, changed) {
            (true, _) => Change::Rewritten,
            (false, true) => Change::Refused,
            (false, false) => Change::None,
        }
    }

    /// The answer is the rows that are refused for it.
    fn apply_failure<'r, T: Admitted>(
        &self,
        failure: &PluginFailure,
        rows: &'r [usize],
        round: &mut Round<T>,
        failures: &mut Failures<'_>,
    ) -> &'r [usize] {
        if self.on_failure == OnFailure::Accept {
            Counters::add(&failures.judging.counters.unvalidated, rows.len());
            return &[];
        }
        failures.report(failure);
        for &row in rows {
            if let Some(note) = round.notes.get_mut(row) {
                note.refusal = Some(RecordError::Plugin(failure.clone()));
            }
        }
        rows
    }
}

/// The host's parts that judging needs.
pub(super) struct Judging<'a> {
    pub(super) counters: &'a Counters,
    pub(super) faults: &'a Faults,
    pub(super) clock: &'a dyn Clock,
}

/// What validators failed at in one call: one fault each, in however many batches its records are judged.
struct Failures<'a> {
    judging: &'a Judging<'a>,
    /// The validators that failed.
    reported: Vec<String>,
}

impl<'a> Failures<'a> {
    fn new(judging: &'a Judging<'a>) -> Self {
        Self { judging, reported: Vec::new() }
    }

    fn report(&mut self, failure: &PluginFailure) {
        if !self.reported.contains(&failure.plugin) {
            self.reported.push(failure.plugin.clone());
            self.judging.faults.report(ErrorCode::PluginFailure, failure);
        }
    }
}

/// Those of `rows` whose records are still on their way and wanted.
fn rows_where<T>(
    round: &Round<T>,
    rows: impl Iterator<Item = usize>,
    wanted: impl Fn(&T) -> bool,
) -> Vec<usize> {
    let is_wanted = |&row: &usize| {
        let on_its_way = round.notes.get(row).is_some_and(|note| note.refusal.is_none());
        on_its_way && round.records.get(row).is_some_and(&wanted)
    };
    rows.filter(is_wanted).collect()
}
