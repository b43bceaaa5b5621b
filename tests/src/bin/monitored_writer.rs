//! Records samples into a monitored host until it is killed: the child of the tests of durable monitors.
//!
//! `monitored_writer CONFIG FIRST`: CONFIG is a file with the host's configuration as JSON. Batch `n`, from FIRST on, are ten
//! samples of the metrics `tally0` to `tally2`. A line is written only after a batch is stored.

use std::io::Write;

use bridge_telemetry::{Config, Host, MetricDraft};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, config, first] = arguments.as_slice() else {
        return Err("usage: monitored_writer CONFIG FIRST".into());
    };
    let config = serde_json::from_str(&std::fs::read_to_string(config)?)?;
    let host = Host::open(Config::from_value(config)?)?;
    let first: i64 = first.parse()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "open")?;
    out.flush()?;
    for batch in first.. {
        let samples = (0..10).map(|row| {
            let number = batch.saturating_mul(10).saturating_add(row);
            // Scattered, so that alerts come and go.
            let value = number.wrapping_mul(2_654_435_761).rem_euclid(1_000_003);
            MetricDraft::new(format!("tally{}", number.rem_euclid(3)), value)
        });
        for outcome in host.record_metrics(samples.collect()) {
            outcome?;
        }
        writeln!(out, "{batch}")?;
        out.flush()?;
    }
    Ok(())
}
