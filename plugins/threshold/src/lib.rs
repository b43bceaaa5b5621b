//! Shipped monitor `threshold`: fires while a metric's samples are beyond a threshold, each series by itself.
//!
//! A rule fires once all samples of a series have been beyond the threshold for at least `for`, and resolves at the first one
//! that is not beyond `clear`: what lies between the two changes nothing, so that a value at the edge does not flap. A series
//! that goes quiet resolves after `stale_after`. Samples older than the last one of their series are left aside. That one may be
//! of a clock that is ahead: at each tick what lies beyond the next one is taken for that, so that others are left aside for seconds.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bridge_telemetry_plugin::{
    Monitor, Period, Plugin, Result, SampleBatch, SavedState, Series, Signal, Subscription, Timestamp,
    counters, export_monitor, include_schema, json, number,
};
use rule::{Config, Rule};
use serde::{Deserialize, Serialize};

/// How often quiet series are looked for.
const TICK: Period = Period::from_seconds(10);
/// A firing series is signalled again at most this often: its alert's value and time stay fresh, and checkpoints stay rare.
const REFRESH_NANOS: i64 = 60 * 1_000_000_000;
/// The number of the format of the saved state.
const STATE_VERSION: u32 = 1;

struct Threshold {
    rules: Vec<Rule>,
    stale_nanos: i64,
    max_series: usize,
    /// By the alert's key. Series within their limits need no state.
    beyond: BTreeMap<String, Beyond>,
}

/// A series that is beyond its threshold.
#[derive(Serialize, Deserialize)]
struct Beyond {
    rule: String,
    metric: String,
    context_json: String,
    since: Timestamp,
    newest: Timestamp,
    /// When it was last signalled; `None` while it waits for the rule's `for`.
    signalled: Option<Timestamp>,
}

impl Beyond {
    /// No time of it is later than this.
    fn end_by(&mut self, latest: Timestamp) {
        self.since = self.since.min(latest);
        self.newest = self.newest.min(latest);
        self.signalled = self.signalled.map(|at| at.min(latest));
    }
}

impl Plugin for Threshold {
    const NAME: &'static str = "threshold";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let (stale_nanos, max_series) = (config.stale_after.as_nanos(), config.max_series);
        Ok(Self { rules: rule::checked(config.rules)?, stale_nanos, max_series, beyond: BTreeMap::new() })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        SavedState::new(STATE_VERSION, &self.beyond).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.beyond = saved.read_version(STATE_VERSION)?;
        Ok(())
    }
}

impl Monitor for Threshold {
    fn subscribe(&self) -> Subscription {
        let subscription = Subscription::none().metrics(self.rules.iter().map(|rule| rule.metric.clone()));
        // Each tick stands in the log: none where there is nothing to look for.
        if self.rules.is_empty() { subscription } else { subscription.tick(TICK.as_duration()) }
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        let Self { rules, beyond, max_series, .. } = self;
        let watching = |series: Series<'_>| {
            let rules = rules.iter().filter(|rule| rule.watches(series.name()));
            rules.map(|rule| (rule, key(rule, series))).collect()
        };
        let watched: Vec<Vec<(&Rule, String)>> = batch.series().map(watching).collect();
        let mut signals = Vec::new();
        let mut ignored = 0;
        for sample in batch.samples() {
            let Some(value) = sample.value() else { continue };
            for (rule, key) in watched.get(sample.series().number() as usize).into_iter().flatten() {
                let seen = Seen { rule, series: sample.series(), timestamp: sample.timestamp(), value };
                signals.extend(seen.judge(key, beyond, *max_series, &mut ignored));
            }
        }
        if ignored > 0 {
            counters::add("series_ignored", ignored);
        }
        Ok(signals)
    }

    fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>> {
        let next = now.saturating_add(TICK.as_nanos());
        let (rules, stale) = (&self.rules, now.saturating_sub(self.stale_nanos));
        let rule_of = |series: &Beyond| rules.iter().find(|rule| rule.name == series.rule);
        let mut over = Vec::new();
        for (key, series) in &mut self.beyond {
            series.end_by(next);
            if series.newest < stale || rule_of(series).is_none() {
                over.push(key.clone());
            }
        }
        let mut signals = Vec::new();
        for key in over {
            // As a sample's are: a second way to take them out of the map is a kilobyte of the component.
            let Some(series) = self.beyond.remove(&*key) else { continue };
            if series.signalled.is_some() {
                let rule = rule_of(&series);
                let why = if rule.is_some() { "no samples any more" } else { "no longer watched" };
                let signal = Signal::resolved(key, now, format!("{}: {why}", series.metric));
                signals.push(label(signal, rule, &series));
            }
        }
        Ok(signals)
    }
}

/// The alert's identity: rule, metric and context.
fn key(rule: &Rule, series: Series<'_>) -> String {
    format!("{}: {}{}", rule.name, series.name(), series.context_json())
}

/// A sample under a rule that watches it.
struct Seen<'a> {
    rule: &'a Rule,
    series: Series<'a>,
    timestamp: Timestamp,
    value: f64,
}

impl Seen<'_> {
    fn judge(
        &self,
        key: &str,
        beyond: &mut BTreeMap<String, Beyond>,
        max_series: usize,
        ignored: &mut u64,
    ) -> Option<Signal> {
        let (rule, now, value) = (self.rule, self.timestamp, self.value);
        let Some(state) = beyond.get_mut(key) else {
            if !rule.is_beyond(value) {
                return None;
            }
            if beyond.len() >= max_series {
                *ignored += 1;
                return None;
            }
            let state = beyond.entry(key.to_owned()).or_insert(self.begin());
            return self.fire(key, state);
        };
        if now < state.newest {
            return None;
        }
        state.newest = now;
        let ends = if state.signalled.is_some() { rule.is_clear(value) } else { !rule.is_beyond(value) };
        if !ends {
            return self.fire(key, state);
        }
        let state = beyond.remove(key)?;
        state.signalled?;
        let summary = self.summary("no longer ", rule.clear());
        Some(label(Signal::resolved(key, now, summary).value(value), Some(rule), &state))
    }

    fn begin(&self) -> Beyond {
        Beyond {
            rule: self.rule.name.clone(),
            metric: self.series.name().to_owned(),
            context_json: self.series.context_json().to_owned(),
            since: self.timestamp,
            newest: self.timestamp,
            signalled: None,
        }
    }

    /// A signal when it has held for long enough, and then once in a while.
    fn fire(&self, key: &str, state: &mut Beyond) -> Option<Signal> {
        let (rule, now, value) = (self.rule, self.timestamp, self.value);
        let (wait, from) =
            state.signalled.map_or((rule.hold.as_nanos(), state.since), |at| (REFRESH_NANOS, at));
        if now.saturating_sub(from) < wait {
            return None;
        }
        state.signalled = Some(now);
        let summary = self.summary("", rule.threshold);
        Some(label(Signal::firing(key, now, summary).value(value), Some(rule), state))
    }

    /// The value beside a limit, for a person.
    fn summary(&self, no_longer: &str, limit: f64) -> String {
        let (metric, comparison) = (self.series.name(), self.rule.comparison.as_str());
        format!("{metric} is {}, {no_longer}{comparison} {}", number::text(self.value), number::text(limit))
    }
}

fn label(signal: Signal, rule: Option<&Rule>, series: &Beyond) -> Signal {
    let signal = signal.labels(json::texts(&series.context_json).unwrap_or_default());
    let signal = signal.label("metric", &series.metric).label("rule", &series.rule);
    match rule {
        Some(rule) => signal.severity(rule.severity).labels(&rule.labels),
        None => signal,
    }
}

export_monitor!(Threshold);
