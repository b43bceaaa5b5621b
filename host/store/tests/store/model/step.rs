//! What may happen to a store.

use proptest::prelude::*;
use telemetry_core::MetricValue;

pub const NANOS: i64 = 1_000_000_000;
/// Metrics: the sums of the first are exact in any order, the second has every kind of value.
pub const METRICS: [&str; 2] = ["whole", "bits"];
pub const HOSTS: [&str; 3] = ["a", "b", "c"];
pub const ZONES: [Option<&str>; 3] = [None, Some("x"), Some("y")];
pub const TYPES: [&str; 3] = ["COMMAND", "ERROR", "é"];
pub const SOURCES: [&str; 2] = ["module 1", "module 2"];
pub const KEYS: [&str; 3] = ["a", "bb", "ccc"];

/// A sample: its series, and its time in seconds from now.
#[derive(Clone, Debug)]
pub struct SampleStep {
    pub metric: usize,
    pub host: usize,
    pub zone: usize,
    pub seconds: i64,
    pub value: MetricValue,
}

/// An event, with a given id or not.
#[derive(Clone, Debug)]
pub struct EventStep {
    pub event_type: usize,
    pub source: usize,
    pub seconds: i64,
    pub given: Option<u8>,
    pub size: usize,
}

/// What a monitor's checkpoint changes.
#[derive(Clone, Debug)]
pub struct CheckpointStep {
    /// How much of what it has not read it reads, in percent.
    pub reads: u64,
    /// Keys with new values, or none.
    pub writes: Vec<(usize, Option<Vec<u8>>)>,
    /// Alerts: raised (true) or gone.
    pub alerts: Vec<(u8, bool)>,
    /// Deliveries to enqueue, by alert and time in seconds.
    pub deliveries: Vec<(u8, i64)>,
    /// How many due deliveries are settled.
    pub settled: usize,
}

#[derive(Clone, Debug)]
pub enum Step {
    Append(Vec<SampleStep>, Vec<EventStep>),
    Tick,
    Seal,
    /// So many minutes pass, and the store looks after itself.
    Wait(u32),
    /// A day and an hour pass: yesterday gets its final form, the oldest day may expire.
    Midnight,
    /// The wall clock jumps so many seconds, the store looks after itself, and the clock is set right.
    Jump(i64),
    Checkpoint(CheckpointStep),
    Reopen,
    /// Abandoned as it is, without closing: what the files hold is opened.
    Crash,
    /// Backed up, and gone on with what was restored.
    Restore,
}

fn whole() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        5 => (-1000_i64..1000).prop_map(|value| MetricValue::Float(value as f64)),
        4 => (-1000_i64..1000).prop_map(MetricValue::Integer),
        1 => "[xyz]{0,3}".prop_map(|text| MetricValue::Text(text.into())),
    ]
}

fn bits() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        3 => any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(MetricValue::Float),
        2 => (-100_000_i64..100_000).prop_map(|value| MetricValue::Float(value as f64 / 100.0)),
        1 => prop::sample::select(vec![-0.0, 0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX]).prop_map(MetricValue::Float),
        2 => any::<i64>().prop_map(MetricValue::Integer),
        1 => ((1_i64 << 53) - 2..(1 << 53) + 3).prop_map(MetricValue::Integer),
        2 => ".{0,20}".prop_map(|text| MetricValue::Text(text.into())),
    ]
}

/// Few distinct seconds, so that equal times are common; some late up to a day, some ahead.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -40_i64..1, 1 => -86_400_i64..0, 1 => 0_i64..1800]
}

fn sample() -> impl Strategy<Value = SampleStep> {
    let series = (0..METRICS.len(), 0..HOSTS.len(), 0..ZONES.len());
    (series, seconds(), whole(), bits()).prop_map(|((metric, host, zone), seconds, whole, bits)| SampleStep {
        metric,
        host,
        zone,
        seconds,
        value: if metric == 0 { whole } else { bits },
    })
}

fn event() -> impl Strategy<Value = EventStep> {
    let given = prop_oneof![2 => Just(None), 1 => (0_u8..6).prop_map(Some)];
    (0..TYPES.len(), 0..SOURCES.len(), seconds(), given, 0_usize..60).prop_map(
        |(event_type, source, seconds, given, size)| EventStep { event_type, source, seconds, given, size },
    )
}

fn checkpoint() -> impl Strategy<Value = CheckpointStep> {
    let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..40));
    (
        0_u64..=100,
        prop::collection::vec((0..KEYS.len(), value), 0..4),
        prop::collection::vec((0_u8..4, prop::bool::weighted(0.7)), 0..3),
        prop::collection::vec((0_u8..4, -100_i64..100), 0..3),
        0_usize..3,
    )
        .prop_map(|(reads, writes, alerts, deliveries, settled)| CheckpointStep {
            reads,
            writes,
            alerts,
            deliveries,
            settled,
        })
}

pub fn step() -> impl Strategy<Value = Step> {
    let jumps = [3600, -3600, 7200, -7200, 86_400 * 365, -86_400 * 365];
    let records = (prop::collection::vec(sample(), 0..70), prop::collection::vec(event(), 0..8));
    prop_oneof![
        12 => records.prop_map(|(samples, events)| Step::Append(samples, events)),
        1 => Just(Step::Tick),
        4 => Just(Step::Seal),
        3 => (1_u32..100).prop_map(Step::Wait),
        2 => Just(Step::Midnight),
        1 => prop::sample::select(jumps.to_vec()).prop_map(Step::Jump),
        3 => checkpoint().prop_map(Step::Checkpoint),
        2 => Just(Step::Reopen),
        2 => Just(Step::Crash),
        1 => Just(Step::Restore),
    ]
}
