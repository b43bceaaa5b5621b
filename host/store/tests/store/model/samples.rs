//! Samples by series, range, label and id.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::json;
use telemetry_core::{LabelFilter, MetricSelection, ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::{SeriesRef, StoredRecord};

use super::step::{HOSTS, METRICS, ZONES};
use super::world::{Sample, World, context};

const BUCKETS: [Option<i64>; 4] = [None, Some(3_600_000_000_000), Some(300_000_000_000), Some(7_000_000_000)];

pub fn check(world: &World, ranges: &[TimeRange]) {
    let series = world.fixture.store.select_series(&MetricSelection::default(), TimeRange::ALL).unwrap();
    let live: BTreeSet<_> = world.samples().map(|sample| sample.series).collect();
    let found: BTreeSet<_> = series.iter().map(place_of).collect();
    assert_eq!((series.len(), &found), (live.len(), &live));
    for range in ranges {
        for digests in [false, true] {
            for ordered in [false, true] {
                for bucket in BUCKETS {
                    check_scan(
                        world,
                        &series,
                        *range,
                        ScanOptions { digests, bucket, ordered, states: None },
                    );
                }
            }
        }
        check_selection(world, *range);
    }
    check_ids(world);
}

/// Which of the steps' series it is.
fn place_of(series: &SeriesRef) -> (usize, usize, usize) {
    let label = |key: &str| series.key.context.label(key);
    let metric = METRICS.iter().position(|name| **name == *series.key.name).unwrap();
    let host = HOSTS.iter().position(|host| label("host").as_deref() == Some(*host)).unwrap();
    let zone = ZONES.iter().position(|zone| label("zone").as_deref() == *zone).unwrap();
    assert_eq!(series.key.context, context(host, zone));
    (metric, host, zone)
}

#[derive(Default)]
struct Seen {
    numbers: Vec<(i64, u64)>,
    texts: Vec<i64>,
    count: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
}

impl Seen {
    fn extremes(&mut self, min: f64, max: f64) {
        self.min = Some(self.min.map_or(min, |before| before.min(min)));
        self.max = Some(self.max.map_or(max, |before| before.max(max)));
    }

    fn see(&mut self, block: ScanBlock<'_>, range: TimeRange, options: ScanOptions) {
        match block {
            ScanBlock::State(_) => panic!("nobody asked for states"),
            ScanBlock::Digest(digest) => {
                assert!(options.digests && digest.count > 0);
                assert!(range.contains(digest.first_time) && range.contains(digest.last_time));
                if let Some(step) = options.bucket {
                    assert_eq!(digest.first_time.floor_to(step), digest.last_time.floor_to(step));
                }
                self.count += digest.count;
                self.sum += digest.sum;
                self.extremes(digest.min, digest.max);
            }
            ScanBlock::Samples { timestamps, values } => {
                self.count += values.len() as u64;
                for (time, value) in timestamps.iter().zip(values) {
                    self.sum += value;
                    self.extremes(*value, *value);
                    self.numbers.push((*time, value.to_bits()));
                }
            }
            ScanBlock::Text { timestamps } => self.texts.extend_from_slice(timestamps),
        }
    }
}

fn check_scan(world: &World, series: &[SeriesRef], range: TimeRange, options: ScanOptions) {
    let ids: Vec<u32> = series.iter().map(|series| series.id).collect();
    let mut seen: Vec<Seen> = ids.iter().map(|_| Seen::default()).collect();
    let visit = &mut |place: usize, block: ScanBlock<'_>| {
        seen[place].see(block, range, options);
        ControlFlow::Continue(())
    };
    assert_eq!(world.fixture.store.scan(&ids, range, options, visit).unwrap().damaged, 0);
    let mut of_series: BTreeMap<(usize, usize, usize), Vec<&Sample>> = BTreeMap::new();
    for sample in world.samples().filter(|sample| range.contains(Timestamp::from_nanos(sample.time))) {
        of_series.entry(sample.series).or_default().push(sample);
    }
    for (series, mut seen) in series.iter().zip(seen) {
        let place = place_of(series);
        let told = format!("{place:?} {range:?} {options:?}");
        let samples = of_series.remove(&place).unwrap_or_default();
        let numbers = || samples.iter().filter_map(|sample| Some((sample.time, sample.value.as_f64()?)));
        let mut texts: Vec<i64> = samples
            .iter()
            .filter(|sample| sample.value.as_f64().is_none())
            .map(|sample| sample.time)
            .collect();
        texts.sort_unstable();
        seen.texts.sort_unstable();
        assert_eq!(seen.texts, texts, "{told}");
        assert_eq!(seen.count, numbers().count() as u64, "{told}");
        let fold = |pick: fn(f64, f64) -> f64| numbers().map(|pair| pair.1).reduce(pick);
        assert_eq!((seen.min, seen.max), (fold(f64::min), fold(f64::max)), "{told}");
        if place.0 == 0 {
            assert_eq!(seen.sum, numbers().map(|pair| pair.1).sum::<f64>(), "{told}");
        }
        if !options.digests {
            // By time, then by arrival, bit for bit; without order, equal times still come as they arrived.
            let mut wanted: Vec<(i64, u64)> =
                numbers().map(|(time, value)| (time, value.to_bits())).collect();
            wanted.sort_by_key(|pair| pair.0);
            if !options.ordered {
                seen.numbers.sort_by_key(|pair| pair.0);
            }
            assert_eq!(seen.numbers, wanted, "{told}");
        }
    }
    assert!(of_series.is_empty());
}

/// Filters of every form, alone and together.
fn check_selection(world: &World, range: TimeRange) {
    let filters = [
        vec![("host", json!("a"))],
        vec![("host", json!({"not": "a"}))],
        vec![("host", json!(["a", "c", "nobody"])), ("zone", json!("x"))],
        vec![("zone", json!({"regex": "x|z"}))],
        vec![("zone", json!({"not": {"regex": "x"}})), ("host", json!({"regex": "[ab]"}))],
        vec![("nothing", json!({"not": "x"}))],
        vec![("nothing", json!("x"))],
    ];
    let names = [None, Some(vec!["whole".to_owned()]), Some(vec!["bits".to_owned(), "nothing".to_owned()])];
    for filters in &filters {
        let filters: Vec<_> =
            filters.iter().map(|(key, filter)| LabelFilter::parse(key, filter).unwrap()).collect();
        for names in &names {
            let selection = MetricSelection { names: names.clone(), filters: filters.clone() };
            let found = world.fixture.store.select_series(&selection, range).unwrap();
            let found: BTreeSet<_> = found.iter().map(place_of).collect();
            let wanted = |within: TimeRange| -> BTreeSet<_> {
                let within =
                    world.samples().filter(|sample| within.contains(Timestamp::from_nanos(sample.time)));
                within.map(|sample| sample.series).filter(|place| fits(&selection, *place)).collect()
            };
            // Whole days are looked through: those of the range, and perhaps others.
            assert!(wanted(range).is_subset(&found), "{selection:?} {range:?}");
            assert!(found.is_subset(&wanted(TimeRange::ALL)), "{selection:?} {range:?}");
        }
    }
}

fn fits(selection: &MetricSelection, (metric, host, zone): (usize, usize, usize)) -> bool {
    let named = selection.names.as_ref().is_none_or(|names| names.iter().any(|name| name == METRICS[metric]));
    named
        && selection.filters.iter().all(|filter| {
            filter.matches(match filter.key.as_str() {
                "host" => Some(HOSTS[host]),
                "zone" => ZONES[zone],
                _ => None,
            })
        })
}

/// By its id, each sample is what it was, and what expired is not there.
fn check_ids(world: &World) {
    for sample in &world.all_samples {
        let found = match world.fixture.store.find(sample.id).unwrap() {
            Some(StoredRecord::Sample(found)) => Some(found),
            Some(other) => panic!("{other:?}"),
            None => None,
        };
        assert_eq!(found.is_none(), sample.expired, "{sample:?}");
        let Some(found) = found else { continue };
        // The text of a float tells 0.0 from −0.0.
        assert_eq!(format!("{:?}", found.value), format!("{:?}", sample.value));
        assert_eq!((found.timestamp.nanos(), found.event_id), (sample.time, sample.id));
        assert_eq!(*found.series.name, *METRICS[sample.series.0]);
        assert_eq!(found.series.context, context(sample.series.1, sample.series.2));
    }
}
