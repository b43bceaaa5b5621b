//! The plugins' own figures as samples: what each costs can be queried, charted and watched like anything else.
//!
//! Invariant: bounded by the number of plugins, whatever they do; recorded past validators and at fixed times, so that being
//! recorded and watched never leads to more being recorded.

use std::sync::Arc;

use telemetry_core::{Context, MetricDraft};
use telemetry_sandbox::{Plugin, PluginKind, PluginStatus};

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
    for plugin in loaded.running() {
        let lag = lags.of_plugin(plugin);
        let reloads = loaded
            .history
            .get(plugin.name())
            .map_or(0, |history| history.reloads.saturating_add(history.rollbacks));
        sample(plugin, lag, reloads, &mut samples);
    }
    samples
}

fn sample(plugin: &Plugin, lag: Option<u64>, reloads: u64, samples: &mut Vec<MetricDraft>) {
    let kind = plugin.info().kind;
    let context =
        Context::from_labels([("source", SOURCE), ("plugin", plugin.name()), ("kind", kind.as_str())]);
    let status: PluginStatus = plugin.status();
    let mut whole = |name: &str, value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        samples.push(MetricDraft::new(name, value).with_context(context.clone()));
    };
    whole("plugin_calls_total", status.calls);
    whole("plugin_failures_total", status.failures);
    whole("plugin_restarts_total", status.restarts);
    whole("plugin_reloads_total", reloads);
    whole("plugin_rows_total", status.rows);
    whole("plugin_batches_total", status.batches);
    whole("plugin_batch_rows_max", status.largest_batch);
    whole("plugin_memory_bytes", status.memory_bytes);
    whole("plugin_instances", status.instances);
    whole("plugin_log_dropped_total", status.log_dropped);
    whole("plugin_active", u64::from(status.state.is_active()));
    if let Some(lag) = lag {
        whole("plugin_lag_records", lag);
    }
    if kind == PluginKind::Sink {
        whole("plugin_http_requests_total", status.http_requests);
        whole("plugin_http_failed_total", status.http_failed);
        whole("plugin_http_refused_total", status.http_refused);
    }
    let mut real = |name: &str, value: f64| {
        samples.push(MetricDraft::new(name, value).with_context(context.clone()));
    };
    real("plugin_cpu_seconds_total", status.cpu_time.as_secs_f64());
    real("plugin_time_seconds_total", status.time_used.as_secs_f64());
    if status.batches > 0 {
        #[allow(clippy::cast_precision_loss, reason = "a mean for people")]
        real("plugin_batch_rows", status.rows as f64 / status.batches as f64);
    }
}
