//! The generated samples: hosts with ten metrics each, ten labels, a sample of each every ten seconds.

use std::sync::Arc;
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{AdmittedSample, Context, MetricDraft, MetricValue, Timestamp};

use super::shapes::{Shape, Source, Value};

/// Metrics of a host.
pub(crate) const METRICS: usize = 10;
/// Hosts of the thousand series.
pub(crate) const HOSTS: usize = 100;
/// Samples of each of the thousand series.
pub(crate) const STEPS: usize = 10_000;
/// Records of a call.
pub(crate) const BATCH: usize = 1_000;
const STEP: Duration = Duration::from_secs(10);
const SHAPES: [Shape; 5] =
    [Shape::Integers, Shape::Decimals, Shape::Counter, Shape::Latency, Shape::Jittered];

/// The first step's time: a midnight, so that the samples of a bit more than a day lie in two partitions.
pub(crate) fn first_time() -> Timestamp {
    Timestamp::from_nanos(20_500 * 86_400 * 1_000_000_000)
}

/// The time of a step.
pub(crate) fn time_of(step: usize) -> Timestamp {
    first_time().plus(STEP * u32::try_from(step).unwrap_or(u32::MAX))
}

/// The name of a metric.
pub(crate) fn metric_name(metric: usize) -> String {
    format!("metric_{metric}")
}

/// The name of a host.
pub(crate) fn host_name(host: usize) -> String {
    format!("host_{host}")
}

struct Line {
    name: Arc<str>,
    context: Context,
    source: Source,
}

/// All series, step by step.
pub(crate) struct Fleet {
    lines: Vec<Line>,
    step: usize,
    place: usize,
}

impl Fleet {
    /// Two metrics of each shape on every host.
    pub(crate) fn of_all_shapes(hosts: usize) -> Self {
        Self::new(hosts, |metric| SHAPES.get(metric % SHAPES.len()).copied().unwrap_or(Shape::Integers))
    }

    /// All metrics of one shape.
    pub(crate) fn of(shape: Shape, hosts: usize) -> Self {
        Self::new(hosts, |_| shape)
    }

    fn new(hosts: usize, shape: impl Fn(usize) -> Shape) -> Self {
        let names: Vec<Arc<str>> = (0..METRICS).map(|metric| metric_name(metric).into()).collect();
        let line = |host: usize, metric: usize, name: &Arc<str>, context: &Context| Line {
            name: Arc::clone(name),
            context: context.clone(),
            source: Source::new(shape(metric), (host * METRICS + metric) as u64),
        };
        let lines = (0..hosts).flat_map(|host| {
            let context = labels(host);
            let each: Vec<Line> =
                names.iter().enumerate().map(|(metric, name)| line(host, metric, name, &context)).collect();
            each
        });
        Self { lines: lines.collect(), step: 0, place: 0 }
    }

    /// The next samples, at most `count`: all series of a step, then those of the next.
    pub(crate) fn next(&mut self, count: usize) -> anyhow::Result<Vec<AdmittedSample>> {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(line) = self.lines.get_mut(self.place) else { break };
            samples.push(line.sample(time_of(self.step))?);
            self.place += 1;
            if self.place == self.lines.len() {
                (self.place, self.step) = (0, self.step + 1);
            }
        }
        Ok(samples)
    }

    /// One sample of every series at about one time, whatever step it is.
    pub(crate) fn row_at(&mut self, time: Timestamp) -> anyhow::Result<Vec<AdmittedSample>> {
        self.lines.iter_mut().map(|line| line.sample(time)).collect()
    }
}

impl Line {
    fn sample(&mut self, step: Timestamp) -> anyhow::Result<AdmittedSample> {
        let times = AcceptedTimes { now: first_time(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
        let (value, off) = self.source.next();
        let value = match value {
            Value::Whole(value) => MetricValue::Integer(value),
            Value::Decimal(value) => MetricValue::Float(value),
        };
        let time = Timestamp::from_nanos(step.nanos() + off.max(0));
        let draft = MetricDraft::new(Arc::clone(&self.name), value).at(time);
        let admitted = admit_sample(draft, &times).map_err(|refused| anyhow::anyhow!("{}", refused.error))?;
        // Its labels were not looked through again for every sample: that is admission's cost, not the store's.
        Ok(admitted.rewritten(self.context.clone()))
    }
}

/// The ten labels of a host, as TSBS makes them.
pub(crate) fn labels(host: usize) -> Context {
    const REGIONS: [&str; 4] = ["eu-central-1", "us-west-1", "ap-southeast-2", "sa-east-1"];
    const SYSTEMS: [&str; 3] = ["Ubuntu16.04LTS", "Ubuntu15.10", "Debian12"];
    const TEAMS: [&str; 4] = ["SF", "NYC", "LON", "CHI"];
    let pick = |among: &[&str]| among.get(host % among.len()).copied().unwrap_or_default().to_owned();
    let region = pick(&REGIONS);
    let labels = [
        ("hostname", host_name(host)),
        ("datacenter", format!("{region}{}", ["a", "b", "c"].get(host % 3).copied().unwrap_or("a"))),
        ("region", region),
        ("rack", (host % 97).to_string()),
        ("os", pick(&SYSTEMS)),
        ("arch", if host.is_multiple_of(2) { "x64" } else { "x86" }.to_owned()),
        ("team", pick(&TEAMS)),
        ("service", (host % 19).to_string()),
        ("service_version", (host % 2).to_string()),
        ("service_environment", pick(&["production", "staging", "test"])),
    ];
    Context::from_labels(labels.iter().map(|(key, value)| (*key, value.as_str())))
}
