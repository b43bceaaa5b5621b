//! Durability `power`: each call waits for the disk, as a synced put into bare RocksDB does.

use std::time::Instant;

use telemetry_core::AdmittedSample;
use telemetry_store::{Durability, RecordBatch};

use super::Plan;
use super::data::{BATCH, Fleet, HOSTS, STEPS, time_of};
use super::site::Site;
use crate::chart::{Chart, Goal, Unit};

/// Bytes of a bare put: about a log row of one sample.
const ROW_BYTES: usize = 32;
/// Rounds in which both take turns: the disk's mood changes.
const ROUNDS: usize = 4;

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    for (writers, calls) in [(1, 400), (16, 300), (64, 200)] {
        let calls = (calls / plan.divide.max(1)).max(20);
        let site = Site::open(time_of(STEPS), |options| options.durability = Durability::Power)?;
        let folder = tempfile::tempdir()?;
        let bare = rocksdb::DB::open_default(folder.path())?;
        let mut fleet = Fleet::of_all_shapes(HOSTS);
        site.append(fleet.next(BATCH)?)?;
        let (mut ours, mut theirs) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let parts: Vec<Vec<AdmittedSample>> =
                (0..writers).map(|_| fleet.next(calls)).collect::<anyhow::Result<_>>()?;
            theirs += time(&parts, |sample| {
                let mut options = rocksdb::WriteOptions::default();
                options.set_sync(true);
                let key = sample.timestamp().nanos().to_be_bytes();
                Ok(bare.put_opt(key, [7; ROW_BYTES], &options)?)
            })?;
            ours += time(&parts, |sample| {
                let batch = RecordBatch { samples: vec![sample.clone()], ..RecordBatch::default() };
                site.store.append(&batch)?;
                Ok(())
            })?;
        }
        let total = (ROUNDS * writers * calls) as f64;
        chart.row(
            &format!("durability power, {writers} writers, beside bare synced puts"),
            theirs / ours,
            Unit::Ratio,
            format!("{:.0} /s beside {:.0} /s", total / ours, total / theirs),
            Goal::AtLeast(0.9),
        );
    }
    Ok(())
}

/// Seconds until all parts are written, each by a thread of its own.
fn time(
    parts: &[Vec<AdmittedSample>],
    write: impl Fn(&AdmittedSample) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> =
            parts.iter().map(|part| scope.spawn(move || part.iter().try_for_each(write))).collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
    })?;
    Ok(start.elapsed().as_secs_f64())
}
