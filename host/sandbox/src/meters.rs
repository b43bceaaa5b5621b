//! What a plugin did, counted: cheap atomics on the way of every call, locks only where something went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

/// All counts of one plugin, shared by the instances of all its versions.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    calls: AtomicU64,
    nanos: AtomicU64,
    fuel: AtomicU64,
    /// Of them waited for the host's imports: most calls wait for none, and leave it alone.
    waited_nanos: AtomicU64,
    batches: AtomicU64,
    rows: AtomicU64,
    largest_batch: AtomicU64,
    memory: AtomicU64,
    instances: AtomicU64,
    restarts: AtomicU64,
    http_requests: AtomicU64,
    http_failed: AtomicU64,
    signal_keys_replaced: AtomicU64,
    signal_labels_cut: AtomicU64,
    /// By the rule that was broken.
    http_refused: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<Failures>,
    /// Failures of the kind of those in quarantine, which a door counts. Apart from the others: records come past it.
    turned_away: Arc<AtomicU64>,
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Failures {
    by_kind: BTreeMap<&'static str, u64>,
    last: Option<String>,
}

#[derive(Debug, Default)]
struct Counters {
    values: BTreeMap<String, f64>,
    dropped: u64,
}

/// A copy of the counts at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) calls: u64,
    pub(crate) time_used: Duration,
    pub(crate) fuel_used: u64,
    pub(crate) own_time: Duration,
    pub(crate) batches: u64,
    pub(crate) rows: u64,
    pub(crate) largest_batch: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) instances: u64,
    pub(crate) restarts: u64,
    pub(crate) http_requests: u64,
    pub(crate) http_failed: u64,
    pub(crate) http_refused: BTreeMap<&'static str, u64>,
    pub(crate) signal_keys_replaced: u64,
    pub(crate) signal_labels_cut: u64,
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) last_failure: Option<String>,
    pub(crate) counters: BTreeMap<String, f64>,
    pub(crate) counters_dropped: u64,
}

impl Meters {
    /// A call entered the plugin and took this long, of which it waited for the host's imports.
    pub(crate) fn called(&self, took: Duration, waited: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos(took), Ordering::Relaxed);
        if !waited.is_zero() {
            self.waited_nanos.fetch_add(nanos(waited.min(took)), Ordering::Relaxed);
        }
    }

    /// A call is about to show this many records, samples or alerts.
    pub(crate) fn batch(&self, rows: usize) {
        let rows = rows as u64;
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        // Looking is cheaper than writing, and a batch is seldom larger than all before.
        if rows > self.largest_batch.load(Ordering::Relaxed) {
            self.largest_batch.fetch_max(rows, Ordering::Relaxed);
        }
    }

    pub(crate) fn burnt(&self, fuel: u64) {
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, reason: &FailureReason) {
        let mut failures = self.failures.lock();
        *failures.by_kind.entry(reason.kind()).or_default() += 1;
        failures.last = Some(reason.to_string());
    }

    /// A call was not made at all; why the plugin got there is remembered already.
    pub(crate) fn refused(&self, reason: &FailureReason) {
        *self.failures.lock().by_kind.entry(reason.kind()).or_default() += 1;
    }

    /// What counts the calls that are not made because a version is left alone for a while.
    pub(crate) fn turned_away(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.turned_away)
    }

    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn instance_began(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn instance_ended(&self) {
        self.instances.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn memory_grew(&self, bytes: usize) {
        self.memory.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn memory_shrank(&self, bytes: usize) {
        self.memory.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    pub(crate) fn http_sent(&self) {
        self.http_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn http_failed(&self) {
        self.http_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn http_refused(&self, rule: &'static str) {
        *self.http_refused.lock().entry(rule).or_default() += 1;
    }

    /// Signals of a call had so many keys and labels over their limits: mostly none, and then nothing is written.
    pub(crate) fn signals_cut(&self, keys_replaced: u64, labels_cut: u64) {
        if keys_replaced > 0 {
            self.signal_keys_replaced.fetch_add(keys_replaced, Ordering::Relaxed);
        }
        if labels_cut > 0 {
            self.signal_labels_cut.fetch_add(labels_cut, Ordering::Relaxed);
        }
    }

    /// Adds to a counter of the plugin's own.
    pub(crate) fn add(&self, name: &str, delta: u64) {
        #[allow(
            clippy::cast_precision_loss,
            reason = "counters are shown as numbers; beyond 2^53 a unit is nothing"
        )]
        self.counters.lock().with(name, |value| *value += delta as f64);
    }

    /// Sets a gauge of the plugin's own; a value that is no number is dropped.
    pub(crate) fn set(&self, name: &str, new: f64) {
        let mut counters = self.counters.lock();
        if new.is_finite() {
            counters.with(name, |value| *value = new);
        } else {
            counters.dropped += 1;
        }
    }

    pub(crate) fn read(&self) -> Reading {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (mut failures, last_failure) = {
            let failures = self.failures.lock();
            (failures.by_kind.clone(), failures.last.clone())
        };
        let turned_away = get(&self.turned_away);
        if turned_away > 0 {
            let kind = FailureReason::Quarantined { retry_in: Duration::ZERO }.kind();
            *failures.entry(kind).or_default() += turned_away;
        }
        let counters = self.counters.lock();
        // Read first, so that what another thread adds meanwhile never makes it the larger one.
        let waited = Duration::from_nanos(get(&self.waited_nanos));
        let time_used = Duration::from_nanos(get(&self.nanos));
        Reading {
            calls: get(&self.calls),
            fuel_used: self.fuel.load(Ordering::Relaxed),
            time_used,
            own_time: time_used.saturating_sub(waited),
            batches: get(&self.batches),
            rows: get(&self.rows),
            largest_batch: get(&self.largest_batch),
            memory_bytes: get(&self.memory),
            instances: get(&self.instances),
            restarts: get(&self.restarts),
            http_requests: get(&self.http_requests),
            http_failed: get(&self.http_failed),
            http_refused: self.http_refused.lock().clone(),
            signal_keys_replaced: get(&self.signal_keys_replaced),
            signal_labels_cut: get(&self.signal_labels_cut),
            failures,
            last_failure,
            counters: counters.values.clone(),
            counters_dropped: counters.dropped,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Counters {
    fn with(&mut self, name: &str, change: impl FnOnce(&mut f64)) {
        if let Some(value) = self.values.get_mut(name) {
            change(value);
        } else if self.values.len() < limits::MAX_PLUGIN_COUNTERS
            && telemetry_core::admission::checked_name(name).is_ok()
        {
            change(self.values.entry(name.to_owned()).or_default());
        } else {
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_counter_names_is_cut() {
        let meters = Meters::default();
        for n in 0..1000 {
            meters.add(&format!("c{n}"), 2);
        }
        meters.add("c0", 1);
        meters.set("", 1.0);
        meters.set("c1", f64::NAN);
        let reading = meters.read();
        assert_eq!(reading.counters.len(), limits::MAX_PLUGIN_COUNTERS);
        assert_eq!(reading.counters["c0"], 3.0);
        assert_eq!(reading.counters["c1"], 2.0);
        assert_eq!(reading.counters_dropped, 1000 - limits::MAX_PLUGIN_COUNTERS as u64 + 2);
    }
}
