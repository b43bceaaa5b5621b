//! The trial run: a new version is shown recent records before it is let in, and all that it does is forgotten.
//!
//! Invariant: a trial has ports of its own that lead nowhere, nobody sees what it raises, and a sink is never asked to deliver.

mod functions;

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_core::aggregation::{AggregationError, AggregationSpec};
use telemetry_core::extension::{Monitor, PluginFailure, SavedState, Validator};
use telemetry_core::{Clock, limits};
use telemetry_sandbox::{LoadError, Plugin, PluginKind, PreparedPlugin};
use telemetry_store::{LogBody, LogEntry, Store, StoreError};

use functions::Columns;

use super::error::not_of_kind;
use crate::config::RollupConfig;
use crate::monitors::{join, select_events, select_samples};
use crate::priority::giving_way;

/// What a new version did in its trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrialSummary {
    /// Recent records that it was shown.
    pub records: u64,
    /// Records that it objected to, as a validator.
    pub objections: u64,
    /// Signals that it raised, as a monitor.
    pub signals: u64,
    /// Aggregate functions that were tried.
    pub functions: u64,
    /// Aggregate functions that need parameters, of which no rollup names any, and so could not be tried.
    pub functions_left_out: u64,
}

/// A new version failed its trial.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialFailure {
    /// It does not start, or not from the state of the version before.
    #[error("it does not start")]
    Start(#[source] LoadError),
    /// It failed on a recent record.
    #[error("it failed on recent records")]
    Records(#[source] PluginFailure),
    /// It cannot save its state, or not start from what it saved.
    #[error("it cannot go on from its own state")]
    OwnState(#[source] PluginFailure),
    /// One of its aggregate functions failed on recent samples.
    #[error("its function {function} failed on recent samples")]
    Function {
        /// The function.
        function: String,
        /// Why.
        #[source]
        source: AggregationError,
    },
    /// The recent records cannot be read.
    #[error("the recent records cannot be read")]
    Store(#[source] StoreError),
    /// There was no thread for it.
    #[error("no thread can be started for it")]
    Thread(#[source] std::io::Error),
}

/// What a trial is made of.
pub(super) struct Trial<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) name: &'a str,
    /// The configured rollups: they name parameters of functions that may need some.
    pub(super) rollups: &'a [RollupConfig],
}

impl Trial<'_> {
    /// Tries a version with the state that it would be given. Recording goes before it.
    pub(super) fn run(
        &self,
        prepared: &PreparedPlugin,
        restored: Option<SavedState>,
    ) -> Result<TrialSummary, TrialFailure> {
        let again = restored.clone();
        let (tried, share) =
            giving_way("plugin-trial", || self.tried(prepared, restored)).map_err(TrialFailure::Thread)?;
        match tried {
            // Its time is that of the clock: that others had the processors is no fault of its own.
            Err(_) if share.was_starved() => self.tried(prepared, again),
            tried => tried,
        }
    }

    fn tried(
        &self,
        prepared: &PreparedPlugin,
        restored: Option<SavedState>,
    ) -> Result<TrialSummary, TrialFailure> {
        let plugin = prepared.trial(restored).map_err(TrialFailure::Start)?;
        let mut summary = TrialSummary::default();
        match prepared.kind() {
            PluginKind::Validator => self.validator(&plugin, &mut summary)?,
            PluginKind::Aggregator => self.aggregator(&plugin, &mut summary)?,
            PluginKind::Monitor => self.monitor(&plugin, &mut summary)?,
            // It started; delivering is not tried.
            PluginKind::Sink => {}
        }
        Ok(summary)
    }

    /// The last records, in order, as batches.
    fn recent(&self) -> Result<Vec<LogEntry>, TrialFailure> {
        let last = self.store.last_sequence();
        let first = last.saturating_sub(limits::TRIAL_RECORDS).saturating_add(1);
        let records = usize::try_from(limits::TRIAL_RECORDS).unwrap_or(usize::MAX);
        self.store.read_log(first, records).map(join).map_err(TrialFailure::Store)
    }

    /// Shows recent records until there are no more or the time is over.
    fn show(
        &self,
        plugin: &Plugin,
        mut each: impl FnMut(&LogEntry) -> Result<u64, PluginFailure>,
    ) -> Result<u64, TrialFailure> {
        let (begun, mut records) = (Instant::now(), 0_u64);
        for entry in self.recent()? {
            if begun.elapsed() >= limits::TRIAL_TIME {
                break;
            }
            let left_untold = plugin.left_untold();
            match each(&entry) {
                Ok(shown) => records = records.saturating_add(shown),
                // The host had no time left for slow records of others: it has seen enough.
                Err(_) if plugin.left_untold() > left_untold => break,
                Err(failure) => return Err(TrialFailure::Records(failure)),
            }
        }
        Ok(records)
    }

    fn validator(&self, plugin: &Plugin, summary: &mut TrialSummary) -> Result<(), TrialFailure> {
        let validator = plugin
            .validator()
            .ok_or_else(|| TrialFailure::Records(not_of_kind(self.name, PluginKind::Validator)))?;
        let mut objections = 0_usize;
        summary.records = self.show(plugin, |entry| judge(&*validator, entry, &mut objections))?;
        summary.objections = objections as u64;
        Ok(())
    }

    fn monitor(&self, plugin: &Plugin, summary: &mut TrialSummary) -> Result<(), TrialFailure> {
        let cursor = self.store.load_cursor(self.name).map_err(TrialFailure::Store)?;
        let state = cursor.and_then(|cursor| cursor.state);
        let started =
            plugin.monitor(state).unwrap_or_else(|| Err(not_of_kind(self.name, PluginKind::Monitor)));
        let mut monitor = started.map_err(|failure| TrialFailure::Start(failure.into()))?;
        let mut signals = 0_usize;
        summary.records = self.show(plugin, |entry| watch(&mut *monitor, entry, &mut signals))?;
        if monitor.subscription().tick.is_some() {
            let raised = monitor.tick(self.clock.now()).map_err(TrialFailure::Records)?;
            signals = signals.saturating_add(raised.len());
        }
        summary.signals = signals as u64;
        let saved = monitor.checkpoint().map_err(TrialFailure::OwnState)?;
        monitor.restart(saved.state).map_err(TrialFailure::OwnState)
    }

    fn aggregator(&self, plugin: &Plugin, summary: &mut TrialSummary) -> Result<(), TrialFailure> {
        let Some(offered) = plugin.aggregations() else {
            return Err(TrialFailure::Records(not_of_kind(self.name, PluginKind::Aggregator)));
        };
        let recent = self.recent()?;
        let batches = recent.iter().filter_map(|entry| match &entry.body {
            LogBody::Samples(batch) => Some(batch),
            _ => None,
        });
        let mut columns = Columns::of(batches);
        summary.records = columns.len() as u64;
        if columns.is_empty() {
            columns = Columns::made_up(self.clock.now().nanos());
        }
        let begun = Instant::now();
        let is_over = || begun.elapsed() >= limits::TRIAL_TIME;
        functions::try_each(&*offered, |name| self.parameters(name), &columns, is_over, summary)
    }

    /// What a function is tried with: no parameters, and those with which its states are kept.
    fn parameters(&self, function: &str) -> Vec<Map<String, Value>> {
        let kept = self.rollups.iter().filter_map(|rollup| AggregationSpec::parse(&rollup.aggregation).ok());
        let kept = kept.filter(|spec| spec.name.eq_ignore_ascii_case(function)).map(|spec| spec.parameters);
        std::iter::once(Map::new()).chain(kept.filter(|parameters| !parameters.is_empty())).collect()
    }
}

fn judge(validator: &dyn Validator, entry: &LogEntry, objections: &mut usize) -> Result<u64, PluginFailure> {
    let (subscription, records) = (validator.subscription(), entry_len(entry));
    match &entry.body {
        LogBody::Events(batch) => {
            let Some(selected) = select_events(subscription, batch) else { return Ok(0) };
            let mut selected = selected.into_owned();
            // What is validated has no place in the log yet.
            selected.first_sequence = 0;
            let verdict = validator.validate_events(&selected)?;
            *objections += verdict.issues.iter().filter(|issue| issue.reject).count();
        }
        LogBody::Samples(batch) => {
            let Some(selected) = select_samples(subscription, batch) else { return Ok(0) };
            let mut selected = selected.into_owned();
            selected.first_sequence = 0;
            let verdict = validator.validate_samples(&selected)?;
            *objections += verdict.issues.iter().filter(|issue| issue.reject).count();
        }
        _ => return Ok(0),
    }
    Ok(records)
}

fn watch(monitor: &mut dyn Monitor, entry: &LogEntry, signals: &mut usize) -> Result<u64, PluginFailure> {
    let raised = match &entry.body {
        LogBody::Events(batch) => match select_events(monitor.subscription(), batch) {
            Some(selected) => monitor.on_events(&selected)?,
            None => return Ok(0),
        },
        LogBody::Samples(batch) => match select_samples(monitor.subscription(), batch) {
            Some(selected) => monitor.on_samples(&selected)?,
            None => return Ok(0),
        },
        _ => return Ok(0),
    };
    *signals = signals.saturating_add(raised.len());
    Ok(entry_len(entry))
}

fn entry_len(entry: &LogEntry) -> u64 {
    entry.next_sequence.saturating_sub(entry.first_sequence)
}
