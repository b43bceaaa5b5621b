//! What a batch of samples costs on its way to a monitor that does nothing with it.

use bridge_telemetry_tests as artifact;
use telemetry_core::batch::SampleBatch;

use super::Plan;
use super::contest::contest;
use super::laboratory::Laboratory;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::thread_time;
use crate::table::seconds;

/// Calls of a round.
const CALLS: usize = 1_000;

fn batch(samples: usize) -> SampleBatch {
    let mut batch = SampleBatch::starting_at(1);
    let series = samples.min(100);
    for number in 0..series {
        let context = format!(r#"{{"command_type":"INJECT_TASK","host":"host-{number}"}}"#);
        batch.add_series("command_processing_time_ms", &context);
    }
    for number in 0..samples {
        let series = u32::try_from(number % series).unwrap_or(0);
        batch.push(series, 1_772_000_000_000_000_000 + number as i64, (number % 997) as f64 / 8.0);
    }
    batch
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let plugin = laboratory.load(artifact::guest("idle-monitor")?)?;
    let mut monitor = plugin.monitor(None).ok_or_else(|| anyhow::anyhow!("idle-monitor is no monitor"))??;
    for (samples, goal) in [(1_000, Goal::AtMost(5e-9)), (1, Goal::None)] {
        let batch = batch(samples);
        let times = contest(
            plan.rounds,
            CALLS * samples,
            thread_time,
            &mut [&mut || {
                for _ in 0..CALLS {
                    anyhow::ensure!(monitor.on_samples(&batch)?.is_empty());
                }
                Ok(())
            }],
        )?;
        let each = times.median(0);
        chart.row(
            &format!("monitor, {samples} samples a call: the crossing of a sample"),
            each,
            Unit::Nanoseconds,
            format!("a call {}", seconds(each * samples as f64)),
            goal,
        );
    }
    Ok(())
}
