//! MEAN over one million samples of one series, against decoding one JSON row per sample.

use std::time::Duration;

use bridge_telemetry::MetricQuery;
use serde_json::json;
use telemetry_core::{Clock, MetricDraft, SystemClock};

use crate::Scale;
use crate::measure::Runs;
use crate::peer::JsonRows;
use crate::recording::plain_host;
use crate::table::Report;

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = plain_host(folder.path())?;
    let mut rows = JsonRows::open(&folder.path().join("rows"))?;
    let count = scale.records(1_000_000);
    let start = SystemClock::default().now().floor_to_millis().minus(Duration::from_secs(count as u64));
    for first in (0..count).step_by(1000) {
        let value = |number: usize| (number % 997) as f64 / 8.0;
        let drafts = (first..first + 1000)
            .map(|n| MetricDraft::new("measured", value(n)).at(start.plus(Duration::from_secs(n as u64))));
        for outcome in host.record_metrics(drafts.collect()) {
            outcome?;
        }
        if first < count / 10 {
            let batch: Vec<_> =
                (first..first + 1000).map(|n| json!({"data": {"metric_value": value(n)}})).collect();
            rows.put_all(first as i64, &batch)?;
        }
    }
    let query = MetricQuery::of(["measured"]);
    let mean = Runs::of(scale.repeat() * 5, 1, || {
        let answer = host.get_metrics(&query)?.to_json();
        let counted = answer.pointer("/metrics/measured/sample_count").and_then(serde_json::Value::as_u64);
        anyhow::ensure!(counted == Some(count as u64), "{answer}");
        Ok(())
    })?;
    // A tenth of the rows, timed per row and scaled up by the number of operations.
    let scanned = Runs::of(scale.repeat(), 1, || {
        for _ in 0..10 {
            anyhow::ensure!(rows.mean()?.is_finite());
        }
        Ok(())
    })?;
    report.time(
        "MEAN over 1 M samples of one series",
        &mean,
        "≤ 15 ms",
        Some(("JSON rows scanned", &scanned)),
    );
    let query = MetricQuery::of(["measured"]).aggregate("P99");
    let quantile = Runs::of(scale.repeat(), 1, || {
        host.get_metrics(&query)?;
        Ok(())
    })?;
    report.time("P99 (exact) over the same", &quantile, "", None);
    Ok(())
}
