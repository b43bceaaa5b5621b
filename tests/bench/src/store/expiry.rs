//! Retention under load: a day of thirty expires while two writers and two readers go on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use telemetry_core::{AdmittedSample, MetricSelection, ScanBlock, ScanOptions, TimeRange, Timestamp};

use super::Plan;
use super::data::{BATCH, Fleet, METRICS, time_of};
use super::site::Site;
use crate::chart::{Chart, Goal, Unit};

/// Days that are kept, as the default retention of metrics says.
const DAYS: usize = 30;
/// Steps of ten seconds in a day.
const DAY_STEPS: usize = 8_640;
/// Hosts with ten series each: a day has 1.7 million samples.
const HOSTS: usize = 20;
/// Midnights that pass, at each of which a day expires.
const ROUNDS: usize = 5;
/// How long latencies are taken before a midnight and from it on.
const WINDOW: Duration = Duration::from_secs(2);
/// Pause of every thread between two calls: the machine is busy, not overloaded.
const PAUSE: Duration = Duration::from_millis(1);
/// Threads of each kind.
const THREADS: usize = 2;
const MINUTES: u64 = 60;

/// Seconds that calls took.
#[derive(Default)]
struct Latencies {
    writes: Vec<f64>,
    reads: Vec<f64>,
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let hosts = (HOSTS / plan.divide.max(1)).max(1);
    let site = fill(hosts)?;
    let series = site.store.select_series(&MetricSelection::default(), TimeRange::ALL)?;
    let series: Vec<u32> = series.into_iter().map(|series| series.id).collect();
    let mut fleets: Vec<Fleet> = (0..THREADS).map(|_| Fleet::of_all_shapes(hosts)).collect();
    let (mut before, mut during) = (Latencies::default(), Latencies::default());
    let mut expiring = Vec::new();
    for round in 0..ROUNDS {
        // Ten minutes before a midnight; what is written belongs to the day that ends.
        let now = time_of((DAYS + round) * DAY_STEPS + DAY_STEPS - 60);
        let (latencies, took) = window(&site, &mut fleets, now, &series)?;
        anyhow::ensure!(took.is_none(), "only at midnight");
        before.add(latencies);
        site.pass(Duration::from_secs(20 * MINUTES));
        let (latencies, took) = window(&site, &mut fleets, now.plus(WINDOW * 2), &series)?;
        during.add(latencies);
        expiring.extend(took);
        // Until the next evening; the day before is brought into its final form meanwhile.
        site.pass(Duration::from_secs((24 * 60 - 20) * MINUTES));
        for _ in 0..3 {
            anyhow::ensure!(site.store.maintain()?.expired_partitions.is_empty(), "only at midnight");
        }
    }
    anyhow::ensure!(expiring.len() == ROUNDS, "a day expired at each midnight: {expiring:?}");
    let slowest = expiring.iter().copied().fold(0.0, f64::max);
    let rows = [
        ("writers", &mut before.writes, &mut during.writes),
        ("readers", &mut before.reads, &mut during.reads),
    ];
    for (who, before, during) in rows {
        let (calm, busy) = (p99(before), p99(during));
        let worst = during.last().copied().unwrap_or_default();
        let show = crate::table::seconds;
        chart.row(
            &format!("p99 of two {who} while a day of {DAYS} expires, beside without"),
            busy / calm,
            Unit::Ratio,
            format!(
                "{} beside {}, {} calls, longest {}, expiring took up to {}",
                show(busy),
                show(calm),
                during.len(),
                show(worst),
                show(slowest)
            ),
            Goal::AtMost(1.5),
        );
    }
    Ok(())
}

/// A store with thirty days in their final form, in the evening of the day after.
fn fill(hosts: usize) -> anyhow::Result<Site> {
    let site = Site::open(time_of(0), |_| {})?;
    let mut fleet = Fleet::of_all_shapes(hosts);
    for _ in 0..DAYS {
        let mut left = DAY_STEPS * hosts * METRICS;
        while left > 0 {
            let batch = fleet.next(left.min(BATCH))?;
            left -= batch.len();
            site.append(batch)?;
        }
        site.store.seal()?;
        site.pass(Duration::from_secs(24 * 60 * MINUTES));
        site.store.maintain()?;
    }
    site.pass(Duration::from_secs((24 * 60 - 10) * MINUTES));
    for _ in 0..3 {
        site.store.maintain()?;
    }
    Ok(site)
}

/// Lets writers and readers run, and a round of upkeep soon after they began, as there is one every few seconds in a host. What is
/// due expires in it; answers the seconds that such a round took.
fn window(
    site: &Site,
    fleets: &mut [Fleet],
    now: Timestamp,
    series: &[u32],
) -> anyhow::Result<(Latencies, Option<f64>)> {
    // The clock went on by much at once, so that every head would be due in the round of upkeep.
    site.store.seal()?;
    let over = AtomicBool::new(false);
    let over = &over;
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            fleets.iter_mut().map(|fleet| scope.spawn(move || write(site, fleet, now, over))).collect();
        let readers: Vec<_> =
            (0..THREADS).map(|first| scope.spawn(move || read(site, series, first, now, over))).collect();
        std::thread::sleep(WINDOW / 20);
        let start = Instant::now();
        let upkeep = site.store.maintain();
        let took = start.elapsed().as_secs_f64();
        std::thread::sleep(WINDOW);
        over.store(true, Ordering::Relaxed);
        let mut found = Latencies::default();
        for writer in writers {
            found.writes.extend(writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??);
        }
        for reader in readers {
            found.reads.extend(reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??);
        }
        Ok((found, (!upkeep?.expired_partitions.is_empty()).then_some(took)))
    })
}

/// Writes a sample of every series, again and again.
fn write(site: &Site, fleet: &mut Fleet, now: Timestamp, over: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    for call in 0_u32.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let batch: Vec<AdmittedSample> = fleet.row_at(now.plus(PAUSE * call))?;
        let start = Instant::now();
        site.append(batch)?;
        took.push(start.elapsed().as_secs_f64());
        std::thread::sleep(PAUSE);
    }
    Ok(took)
}

/// Counts ten days of one series after the other. There is all that was filled in, whatever writers add.
fn read(
    site: &Site,
    series: &[u32],
    first: usize,
    now: Timestamp,
    over: &AtomicBool,
) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    let from = now.minus(Duration::from_secs(10 * 24 * 60 * MINUTES));
    let range = TimeRange::between(from, now);
    let filled = (0..DAYS * DAY_STEPS).rev().take_while(|step| time_of(*step) >= from).count() as u64;
    let options = ScanOptions { digests: true, ..ScanOptions::default() };
    for id in series.iter().cycle().skip(first * series.len() / THREADS) {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let mut count = 0;
        let start = Instant::now();
        site.store.scan(&[*id], range, options, &mut |_, block| {
            count += match block {
                ScanBlock::Digest(digest) => digest.count,
                ScanBlock::State(kept) => kept.count,
                ScanBlock::Samples { timestamps, .. } | ScanBlock::Text { timestamps } => {
                    timestamps.len() as u64
                }
            };
            ControlFlow::Continue(())
        })?;
        took.push(start.elapsed().as_secs_f64());
        anyhow::ensure!(count >= filled, "{filled} samples were filled in, {count} are there");
        std::thread::sleep(PAUSE);
    }
    Ok(took)
}

impl Latencies {
    fn add(&mut self, other: Self) {
        self.writes.extend(other.writes);
        self.reads.extend(other.reads);
    }
}

/// The 99th percentile; sorts.
fn p99(latencies: &mut [f64]) -> f64 {
    latencies.sort_by(f64::total_cmp);
    let place = (latencies.len() * 99 / 100).min(latencies.len().saturating_sub(1));
    latencies.get(place).copied().unwrap_or_default()
}
