//! Real series: those of the Numenta Anomaly Benchmark, moved so that all begin at one midnight, on ten hosts: what a table takes
//! by itself must not weigh more than it does in a store of usual size. Each host has the days of a series in an order of its
//! own: compression must not find the same day twice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::time::NANOS_PER_DAY;
use telemetry_core::{AdmittedSample, Context, MetricDraft, MetricValue, Timestamp};

use super::data::{BATCH, first_time, host_name};
use super::site::Site;

const PACKED: &[u8] = include_bytes!("../../data/nab.csv.zst");
/// Largest size that the unpacked file may have.
const MOST_BYTES: usize = 16 << 20;

/// Hosts that have all series, with the same values, but not on the same days.
const HOSTS: usize = 10;
/// The highest compression level that `pco` knows.
const HIGHEST_EFFORT: usize = 12;
/// By how many days a host is ahead of the one before it.
const DAYS_AHEAD: i64 = 1;

type Row = (Timestamp, MetricValue);

/// The series by name, as they are.
fn series() -> anyhow::Result<BTreeMap<String, Vec<Row>>> {
    let text = String::from_utf8(zstd::bulk::decompress(PACKED, MOST_BYTES)?)?;
    let mut series: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(',');
        let (Some(name), Some(time), Some(value)) = (fields.next(), fields.next(), fields.next()) else {
            anyhow::bail!("{line}");
        };
        let time =
            Timestamp::parse(&format!("{}Z", time.replace(' ', "T"))).with_context(|| line.to_owned())?;
        let value = match value.parse::<i64>() {
            Ok(whole) => MetricValue::Integer(whole),
            Err(_) => MetricValue::Float(value.parse().with_context(|| line.to_owned())?),
        };
        series.entry(name.to_owned()).or_default().push((time, value));
    }
    Ok(series)
}

/// Bytes that a value of the series takes in the smallest chunks which `pco` makes, at its highest effort, with all values of a
/// series in one, as floats or as whole units of their last decimal: what is left when times, headers and the index cost nothing.
pub(super) fn floor() -> anyhow::Result<f64> {
    let config = pco::ChunkConfig::default().with_compression_level(HIGHEST_EFFORT);
    let (mut bytes, mut values) = (0, 0);
    for rows in series()?.values() {
        let floats: Vec<f64> = rows.iter().filter_map(|(_, value)| value.as_f64()).collect();
        let mut smallest = pco::standalone::simple_compress(&floats, &config)?.len();
        for scale in [1.0, 10.0, 100.0, 1000.0] {
            let units: Vec<i64> = floats.iter().map(|value| (value * scale).round() as i64).collect();
            if units.iter().zip(&floats).all(|(units, value)| *units as f64 / scale == *value) {
                smallest = smallest.min(pco::standalone::simple_compress(&units, &config)?.len());
                break;
            }
        }
        bytes += smallest;
        values += floats.len();
    }
    Ok(bytes as f64 / values as f64)
}

/// A store with what fits of them, or of those in one folder, into a retention of so many days, and how many samples that is.
pub(super) fn store(days: u32, folder: Option<&str>) -> anyhow::Result<(Site, usize)> {
    // The last days stay free: closing the partitions takes time.
    let most = i64::from(days - 3) * NANOS_PER_DAY;
    let mut series = series()?;
    series.retain(|name, _| folder.is_none_or(|folder| name.starts_with(folder)));
    let (mut first, mut samples) = (Vec::new(), Vec::new());
    for (host, (file, rows)) in (0..HOSTS).flat_map(|host| series.iter().map(move |one| (host, one))) {
        let ahead = DAYS_AHEAD * host as i64 * NANOS_PER_DAY;
        let host = host_name(host);
        let (folder, name) = file.split_once('/').unwrap_or(("", file));
        let context = Context::from_labels([("set", folder), ("file", name), ("hostname", host.as_str())]);
        let midnight = rows.first().map_or(first_time(), |(time, _)| time.floor_to(NANOS_PER_DAY));
        let kept = || {
            rows.iter()
                .map(|(time, value)| (time.nanos() - midnight.nanos(), value))
                .filter(|row| row.0 < most)
        };
        let days = kept().next_back().map_or(1, |(since, _)| since / NANOS_PER_DAY + 1);
        let mut moved: Vec<_> =
            kept().map(|(since, value)| ((since + ahead) % (days * NANOS_PER_DAY), value)).collect();
        moved.sort_by_key(|(since, _)| *since);
        for (place, (since, value)) in moved.into_iter().enumerate() {
            let time = Timestamp::from_nanos(first_time().nanos() + since);
            let place = if place == 0 { &mut first } else { &mut samples };
            place.push(sample(&context, time, value.clone())?);
        }
    }
    samples.sort_by_key(AdmittedSample::timestamp);
    let end = samples.last().map_or(first_time(), AdmittedSample::timestamp);
    let site = Site::open(end, |options| {
        options.metrics_retention = Duration::from_secs(u64::from(days) * 86_400);
    })?;
    // All series begin host by host, so that equal ones do not lie side by side, where compression would find them.
    site.append(first.clone())?;
    for batch in samples.chunks(BATCH) {
        site.append(batch.to_vec())?;
    }
    Ok((site, first.len() + samples.len()))
}

fn sample(context: &Context, time: Timestamp, value: MetricValue) -> anyhow::Result<AdmittedSample> {
    let times = AcceptedTimes { now: time, oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let draft = MetricDraft::new("value", value).with_context(context.clone()).at(time);
    admit_sample(draft, &times).map_err(|refused| anyhow::anyhow!("{}", refused.error))
}
