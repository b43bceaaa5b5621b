//! Functions of plugins: order, batching, names, failures.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use telemetry_core::aggregation::{
    Accumulator, AggregateValue, Aggregation, AggregationError, AggregationSource, SampleRun,
};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};
use telemetry_core::{ErrorCode, Timestamp};

use super::memory::MemoryReader;
use crate::aggregation::AggregationRegistry;
use crate::aggregation::memory::Bounds;
use crate::query::{MetricQuery, QueryError};

/// Answers every sample it saw, in the order it saw them: the group's own history.
pub(super) struct Trail {
    pub(super) mergeable: bool,
    pub(super) calls: AtomicUsize,
    pub(super) failure: Option<FailureReason>,
    pub(super) parameters: Mutex<Map<String, Value>>,
}

impl Trail {
    pub(super) fn new() -> Self {
        Self { mergeable: false, calls: AtomicUsize::new(0), failure: None, parameters: Mutex::default() }
    }

    pub(super) fn fail(&self) -> Result<(), AggregationError> {
        match &self.failure {
            None => Ok(()),
            Some(reason) => Err(PluginFailure { plugin: "trail".to_owned(), reason: reason.clone() }.into()),
        }
    }
}

/// Shared, so that its source can hand it out.
pub(super) struct Shared(pub(super) Arc<Trail>);

struct TrailStates {
    trail: Arc<Trail>,
    groups: Vec<Vec<(i64, f64)>>,
}

impl Aggregation for Shared {
    fn name(&self) -> &str {
        "trail"
    }
    fn mergeable(&self) -> bool {
        self.0.mergeable
    }
    fn needs_timestamps(&self) -> bool {
        true
    }
    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        if matches!(self.0.failure, Some(FailureReason::Config(_))) {
            self.0.fail()?;
        }
        Ok(Box::new(TrailStates { trail: Arc::clone(&self.0), groups: Vec::new() }))
    }
}

impl Accumulator for TrailStates {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        self.trail.calls.fetch_add(1, Ordering::Relaxed);
        self.trail.fail()?;
        for run in runs {
            let group = run.group as usize;
            assert!(group <= self.groups.len(), "groups open one after the other");
            assert_eq!(run.timestamps.len(), run.values.len());
            if group == self.groups.len() {
                self.groups.push(Vec::new());
            }
            self.groups[group].extend(run.timestamps.iter().copied().zip(run.values.iter().copied()));
        }
        Ok(())
    }
    fn merge(&mut self, _saved: &SavedState, _group_map: &[u32]) -> Result<(), AggregationError> {
        panic!("never merged")
    }
    fn save(&mut self) -> Result<SavedState, AggregationError> {
        panic!("never saved")
    }
    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        Ok(self.groups.iter().map(|samples| AggregateValue::Json(Box::new(json!(samples)))).collect())
    }
}

impl AggregationSource for Shared {
    fn names(&self) -> Vec<String> {
        vec!["trail".to_owned(), "mean".to_owned()]
    }
    fn find(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
        if !name.eq_ignore_ascii_case("trail") {
            return None;
        }
        if parameters.contains_key("bad") {
            let reason = Some("it has no parameter bad".to_owned());
            return Some(Err(AggregationError::Unsupported { name: name.to_owned(), reason }));
        }
        *self.0.parameters.lock().unwrap() = parameters.clone();
        Some(Ok(Arc::new(Shared(Arc::clone(&self.0)))))
    }
}

pub(super) fn registry(trail: Trail) -> (AggregationRegistry, Arc<Trail>) {
    let trail = Arc::new(trail);
    let source: Arc<dyn AggregationSource> = Arc::new(Shared(Arc::clone(&trail)));
    (AggregationRegistry::new([source]), trail)
}

fn holding(merged_samples: usize) -> Bounds {
    Bounds { merged_samples, ..Bounds::default() }
}

/// The histories of `cpu`, of its groups and of its points, by time, then series, then arrival.
fn histories(reader: &MemoryReader, step: i64) -> Value {
    let mut all: Vec<(i64, usize, String, f64)> = Vec::new();
    for (place, (key, samples)) in reader.series.iter().enumerate() {
        let host = key.context.label("host").unwrap_or_default();
        all.extend(samples.iter().map(|(time, value)| (*time, place, host.clone(), value.as_f64().unwrap())));
    }
    all.sort_by_key(|(time, place, _, _)| (*time, *place));
    let show = |samples: &[&(i64, usize, String, f64)]| -> Value {
        samples.iter().map(|(time, _, _, value)| json!([time, value])).collect()
    };
    let mut hosts: Vec<_> = all.iter().map(|sample| sample.2.clone()).collect();
    hosts.sort();
    hosts.dedup();
    let groups: Vec<Value> = hosts
        .iter()
        .map(|host| {
            let mine: Vec<_> = all.iter().filter(|sample| sample.2 == *host).collect();
            let points: Vec<_> =
                mine.chunk_by(|a, b| a.0.div_euclid(step) == b.0.div_euclid(step)).map(show).collect();
            json!([show(&mine), points])
        })
        .collect();
    json!([show(&all.iter().collect::<Vec<_>>()), groups])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_group_sees_its_series_merged_by_time(
        series in proptest::collection::vec(
            (prop_oneof![Just("a"), Just("b")], proptest::collection::vec((0..200i64, 0..9i32), 1..60)), 1..6),
        block in 1usize..10,
        mergeable in any::<bool>(),
        held in 60usize..100,
    ) {
        let mut reader = MemoryReader { block, ..MemoryReader::default() };
        for (host, samples) in series {
            let samples: Vec<_> = samples.into_iter().map(|(time, value)| (time as f64, f64::from(value))).collect();
            reader = reader.with("cpu", &[("host", host)], &samples);
        }
        let (registry, _) = registry(Trail { mergeable, ..Trail::new() });
        let step = 20_000_000_000;
        let query = MetricQuery::default()
            .aggregate("trail").group_by(["host"]).step(Duration::from_secs(20));
        let answer = super::engine().with_bounds(holding(held)).run(&query, &reader, &registry, None).unwrap();
        let metric = &answer.metrics["cpu"];
        let json = |value: &AggregateValue| match value {
            AggregateValue::Json(value) => (**value).clone(),
            other => panic!("{other:?}"),
        };
        let groups: Vec<Value> = metric.groups.iter().flatten().map(|group| {
            let points: Vec<_> = group.points.iter().flatten().map(|point| json(&point.tally.value)).collect();
            json!([json(&group.tally.value), points])
        }).collect();
        prop_assert_eq!(json!([json(&metric.tally.value), groups]), histories(&reader, step));
    }
}

#[test]
fn too_many_samples_of_one_instant_are_a_limit() {
    let reader = MemoryReader::new().with("cpu", &[("host", "a")], &[(1.0, 1.0); 30]).with(
        "cpu",
        &[("host", "b")],
        &[(1.0, 1.0); 30],
    );
    let (registry, _) = registry(Trail::new());
    let query = MetricQuery::default().aggregate("trail");
    let engine = super::engine().with_bounds(holding(50));
    let error = engine.run(&query, &reader, &registry, None).unwrap_err();
    assert!(matches!(error, QueryError::TooLarge { what: "samples of one instant", .. }), "{error}");
}

#[test]
fn small_blocks_cross_together() {
    let mut reader = MemoryReader { block: 10, ..MemoryReader::default() };
    let samples: Vec<_> = (0..100).map(|n| (f64::from(n), 1.0)).collect();
    for host in 0..50 {
        reader = reader.with("cpu", &[("host", &format!("{host:02}"))], &samples);
    }
    let (registry, trail) = registry(Trail::new());
    super::engine().run(&MetricQuery::default().aggregate("trail"), &reader, &registry, None).unwrap();
    // 5,000 samples in 500 blocks.
    assert!(trail.calls.load(Ordering::Relaxed) <= 2);
}

#[test]
fn names_and_parameters() {
    let (registry, trail) = registry(Trail::new());
    let reader = MemoryReader::new().with("cpu", &[], &[(1.0, 2.0)]);
    let run =
        |text: &str| super::engine().run(&MetricQuery::default().aggregate(text), &reader, &registry, None);
    let answer = run("TRAIL(q=0.5, unit=ms)").unwrap();
    assert_eq!(answer.metrics["cpu"].aggregation, "trail(q=0.5, unit=ms)");
    assert_eq!(*trail.parameters.lock().unwrap(), *json!({"q": 0.5, "unit": "ms"}).as_object().unwrap());
    // Built-in names come first, whatever a plugin calls its own; each name is listed once.
    assert_eq!(run("mean").unwrap().metrics["cpu"].aggregation, "MEAN");
    assert_eq!(registry.names().len(), 15);
    for (text, message) in [
        ("MEDIAN", "Unsupported aggregation method: MEDIAN"),
        ("MEAN(q=1)", "Unsupported aggregation method: MEAN (it takes no parameters)"),
        ("trail(bad=1)", "Unsupported aggregation method: trail (it has no parameter bad)"),
    ] {
        let error = run(text).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (ErrorCode::InvalidAggregation, message));
        let supported = error.details()["supported"].as_array().unwrap().clone();
        assert!(supported.contains(&json!("P99")) && supported.contains(&json!("trail")), "{supported:?}");
    }
    assert_eq!(run("mean(").unwrap_err().code(), ErrorCode::InvalidAggregation);
    // What is asked for one metric is looked up even if that metric has no samples.
    let query = MetricQuery::default().aggregate_metric("absent", "MEDIAN");
    let error = super::engine().run(&query, &reader, &registry, None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidAggregation);
}

#[test]
fn failures_of_plugins_have_their_codes() {
    let reader = MemoryReader::new().with("cpu", &[], &[(1.0, 2.0)]);
    let run = |failure: FailureReason| {
        let (registry, _) = registry(Trail { failure: Some(failure), ..Trail::new() });
        let query = MetricQuery::default().aggregate("trail").between(Timestamp::EPOCH, Timestamp::MAX);
        super::engine().run(&query, &reader, &registry, None).unwrap_err()
    };
    let trap = run(FailureReason::Trap("unreachable".to_owned()));
    assert_eq!(trap.code(), ErrorCode::PluginFailure);
    assert_eq!(trap.details()["plugin"], "trail");
    assert_eq!(trap.details()["reason"], "trap");
    let config = run(FailureReason::Config("q must be below 1".to_owned()));
    assert_eq!(config.code(), ErrorCode::InvalidAggregation);
    assert_eq!(config.details()["reason"], "q must be below 1");
}
