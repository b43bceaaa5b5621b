//! The plugins' own figures as samples: what each costs can be queried, charted and watched like anything else.
//!
//! Invariant: bounded by the number of plugins, whatever they do; recorded past validators and at fixed times, so that being
//! recorded and watched never leads to more being recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry_core::{Context, MetricDraft, MetricValue, limits};
use telemetry_sandbox::{PluginKind, PluginStatus};

use super::lag::Lags;
use super::loaded::{LivePlugins, LoadedPlugins};
use crate::recording::Recorder;
use crate::watch::Watch;

/// The label `source` of these samples.
const SOURCE: &str = "plugin_runtime";

/// Records the figures.
pub(crate) struct RuntimeMetrics {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) live: Arc<LivePlugins>,
    pub(crate) watch: Arc<Watch>,
}

impl RuntimeMetrics {
    /// Records the figures as they are now; answers how many samples that were. What is refused is counted like any other
    /// refusal.
    pub(crate) fn record(&self) -> usize {
        let lags = Lags::of(&self.watch);
        let samples = self.live.read(|live| runtime_metrics(live, &lags));
        let stored = self.recorder.record_own_metrics(samples);
        stored.iter().filter(|outcome| outcome.is_ok()).count()
    }
}

/// One sample of each figure of each plugin; totals are since the host was opened.
fn runtime_metrics(loaded: &LoadedPlugins, lags: &Lags) -> Vec<MetricDraft> {
    let mut samples = Vec::new();
    let counters_each = limits::MAX_RECORDED_PLUGIN_COUNTERS / loaded.running().count().max(1);
    for plugin in loaded.running() {
        let reloads = loaded
            .history
            .get(plugin.name())
            .map_or(0, |history| history.reloads.saturating_add(history.rollbacks));
        let status = plugin.status();
        let mut figures = Figures { plugin: plugin.name(), kind: plugin.info().kind, samples: &mut samples };
        figures.costs(&status, lags.of_plugin(plugin), reloads);
        figures.failures(&status.failures_by_kind);
        figures.counters(&status.counters, counters_each);
    }
    samples
}

/// The figures of one plugin.
struct Figures<'a> {
    plugin: &'a str,
    kind: PluginKind,
    samples: &'a mut Vec<MetricDraft>,
}

impl Figures<'_> {
    fn add(&mut self, metric: &str, value: impl Into<MetricValue>) {
        self.add_labelled(metric, None, value);
    }

    fn add_labelled(&mut self, metric: &str, label: Option<(&str, &str)>, value: impl Into<MetricValue>) {
        let labels = [("source", SOURCE), ("plugin", self.plugin), ("kind", self.kind.as_str())];
        let context = Context::from_labels(labels.into_iter().chain(label));
        self.samples.push(MetricDraft::new(metric, value).with_context(context));
    }

    /// What it costs, and how it does.
    fn costs(&mut self, status: &PluginStatus, lag: Option<u64>, reloads: u64) {
        self.add("plugin_calls_total", whole(status.calls));
        self.add("plugin_failures_total", whole(status.failures));
        self.add("plugin_restarts_total", whole(status.restarts));
        self.add("plugin_reloads_total", whole(reloads));
        self.add("plugin_rows_total", whole(status.rows));
        self.add("plugin_batches_total", whole(status.batches));
        self.add("plugin_batch_rows_max", whole(status.largest_batch));
        self.add("plugin_memory_bytes", whole(status.memory_bytes));
        self.add("plugin_instances", whole(status.instances));
        self.add("plugin_log_dropped_total", whole(status.log_dropped));
        self.add("plugin_counters_dropped_total", whole(status.counters_dropped));
        self.add("plugin_active", i64::from(status.state.is_active()));
        if let Some(lag) = lag {
            self.add("plugin_lag_records", whole(lag));
        }
        if self.kind == PluginKind::Monitor {
            self.add("plugin_signal_keys_replaced_total", whole(status.signal_keys_replaced));
            self.add("plugin_signal_labels_cut_total", whole(status.signal_labels_cut));
        }
        if self.kind == PluginKind::Sink {
            self.add("plugin_http_requests_total", whole(status.http_requests));
            self.add("plugin_http_failed_total", whole(status.http_failed));
            self.add("plugin_http_refused_total", whole(status.http_refused));
        }
        self.add("plugin_cpu_seconds_total", status.cpu_time.as_secs_f64());
        self.add("plugin_time_seconds_total", status.time_used.as_secs_f64());
        if status.batches > 0 {
            #[allow(clippy::cast_precision_loss, reason = "a mean for people")]
            self.add("plugin_batch_rows", status.rows as f64 / status.batches as f64);
        }
    }

    /// Its failures by their reason, as far as there were any; a metric of its own, so that sums of `plugin_failures_total` stay
    /// what they are.
    fn failures(&mut self, by_kind: &BTreeMap<&'static str, u64>) {
        for (reason, count) in by_kind {
            self.add_labelled("plugin_failures_by_reason_total", Some(("reason", *reason)), whole(*count));
        }
    }

    /// What it counts and measures itself, the first ones by name where there are more than there is room for.
    fn counters(&mut self, counters: &BTreeMap<String, f64>, room: usize) {
        for (counter, value) in counters.iter().take(room) {
            self.add_labelled("plugin_counter", Some(("counter", counter.as_str())), *value);
        }
        if !counters.is_empty() {
            self.add("plugin_counters_left_out", whole(counters.len().saturating_sub(room) as u64));
        }
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_beyond_a_plugins_share_are_left_out_and_counted() {
        let counters: BTreeMap<String, f64> =
            [("b", 2.0), ("a", 1.5), ("c", 3.0)].map(|(name, value)| (name.to_owned(), value)).into();
        let mut samples = Vec::new();
        let mut figures = Figures { plugin: "redact", kind: PluginKind::Validator, samples: &mut samples };
        figures.counters(&counters, 2);
        figures.counters(&BTreeMap::new(), 2);
        let shown: Vec<String> = samples
            .iter()
            .map(|sample| format!("{}{} {}", sample.name, sample.context.as_str(), sample.value))
            .collect();
        let others = r#""kind":"validator","plugin":"redact","source":"plugin_runtime""#;
        assert_eq!(
            shown,
            [
                format!(r#"plugin_counter{{"counter":"a",{others}}} 1.5"#),
                format!(r#"plugin_counter{{"counter":"b",{others}}} 2.0"#),
                format!(r#"plugin_counters_left_out{{{others}}} 1"#),
            ]
        );
    }
}
