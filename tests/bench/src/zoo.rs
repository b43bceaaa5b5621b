//! What recording notices of a whole zoo of plugins that misbehave: latency of single samples and of batches of events, with the zoo
//! and without it, in turns on fresh hosts, from the moment that the host is open.
//!
//! The load is paced, as a bridge's is: recording as fast as can be would measure the queue behind it. In the first seconds most
//! attackers are tried again and again until they are in quarantine, so that these are shown apart from the rest. A validator that
//! is slow, but answers in time, is as slow as it is, and nothing that a host could contain: on the way of a record stand those that
//! fail.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bridge_telemetry::config::{Config, OnFailure, PluginPolicy, PluginSettings, ReceiverConfig};
use bridge_telemetry::plugins::PluginListing;
use bridge_telemetry::{EventDraft, Host, MetricDraft};
use bridge_telemetry_tests as artifact;
use serde_json::{Value, json};

use crate::Scale;
use crate::recording::event;
use crate::table::{Report, seconds};

/// How plugins of every kind fail at their main export.
const FAILING: [&str; 6] = ["loop", "loop-in-host", "memory", "stack", "trap", "giant-error"];
/// How those misbehave besides that no record waits for.
const BUSY: [&str; 3] = ["log-flood", "counter-flood", "leak"];
/// Seconds of each turn.
const SECONDS: usize = 60;
/// Seconds from the opening that are shown apart.
const OPENING: Duration = Duration::from_secs(20);
/// Time between two questions of a dashboard, each to another aggregation.
const QUESTIONS: Duration = Duration::from_millis(200);
/// Time between two rounds of the load, and what is recorded in each.
const ROUND: Duration = Duration::from_millis(10);
const SAMPLES: usize = 20;
const EVENTS: usize = 100;

/// The times of the calls of one sort, in the opening and after it.
#[derive(Default)]
struct Times {
    opening: Vec<Duration>,
    after: Vec<Duration>,
}

impl Times {
    fn add(&mut self, since_opening: Duration, took: Duration) {
        if since_opening < OPENING { &mut self.opening } else { &mut self.after }.push(took);
    }
}

/// One turn.
#[derive(Default)]
struct Turn {
    samples: Times,
    events: Times,
    plugins: Vec<PluginListing>,
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let time = Duration::from_secs(scale.records(SECONDS).max(2) as u64);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..scale.repeat() {
        for zoo in [false, true] {
            let store = folder.path().join(format!("store-{round}-{zoo}"));
            let turn = turn(&store, &folder.path().join("code"), zoo, time)?;
            if zoo { &mut with } else { &mut without }.push(turn);
        }
    }
    for (what, goal, of) in PARTS {
        let (ours, bare) = (p99(&with, of), p99(&without, of));
        report.figure(
            &format!("{what}, p99 with {} attackers (without)", with.first().map_or(0, attackers_in)),
            format!("{} ({}), {:.2} x", seconds(ours), seconds(bare), ours / bare),
            goal,
        );
    }
    let used = |turn: &Turn| turn.plugins.iter().map(cpu).sum::<f64>() / time.as_secs_f64();
    report.figure("processors that all attackers took together", format!("{:.3}", median(&with, used)), "");
    let all = with.iter().flat_map(|turn| &turn.plugins);
    if let Some(most) = all.max_by(|a, b| cpu(a).total_cmp(&cpu(b))) {
        let figure = format!("{}: {} of {}", most.name, seconds(cpu(most)), seconds(time.as_secs_f64()));
        report.figure("the attacker that took the most time in a turn", figure, "");
    }
    Ok(())
}

/// One part of what is shown: its name, its aim, and where a turn has it.
type Part = (&'static str, &'static str, fn(&Turn) -> &Vec<Duration>);
const PARTS: [Part; 4] = [
    ("record_metric, in the first twenty seconds", "", |turn| &turn.samples.opening),
    ("record_metric, afterwards", "≤ 1.2 x", |turn| &turn.samples.after),
    ("record_events of 100, in the first twenty seconds", "", |turn| &turn.events.opening),
    ("record_events of 100, afterwards", "≤ 1.2 x", |turn| &turn.events.after),
];

/// The median of the turns' figures.
fn median(turns: &[Turn], figure: impl Fn(&Turn) -> f64) -> f64 {
    let mut figures: Vec<f64> = turns.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn p99(turns: &[Turn], of: fn(&Turn) -> &Vec<Duration>) -> f64 {
    median(turns, |turn| {
        let mut times = of(turn).clone();
        times.sort_unstable();
        let place = times.len().saturating_sub(1) * 99 / 100;
        times.get(place).copied().unwrap_or_default().as_secs_f64()
    })
}

fn cpu(plugin: &PluginListing) -> f64 {
    plugin.status.as_ref().map_or(0.0, |status| status.cpu_time.as_secs_f64())
}

fn attackers_in(turn: &Turn) -> usize {
    turn.plugins.iter().filter(|plugin| plugin.name.contains("evil")).count()
}

fn turn(store: &Path, code: &Path, zoo: bool, time: Duration) -> anyhow::Result<Turn> {
    let host = Host::open(config(store, code, zoo)?)?;
    let over = AtomicBool::new(false);
    let mut turn = std::thread::scope(|scope| {
        scope.spawn(|| ask(&host, zoo, &over));
        let turn = record(&host, time);
        over.store(true, Ordering::Release);
        turn
    })?;
    turn.plugins = host.plugins();
    host.close();
    Ok(turn)
}

fn record(host: &Host, time: Duration) -> anyhow::Result<Turn> {
    let mut turn = Turn::default();
    let begun = Instant::now();
    let mut due = begun;
    for number in 0_usize.. {
        if begun.elapsed() >= time {
            break;
        }
        for sample in 0..SAMPLES {
            let draft = MetricDraft::new("load", (number + sample) as f64);
            let start = Instant::now();
            host.record_metric(draft)?;
            turn.samples.add(begun.elapsed(), start.elapsed());
        }
        let drafts: Vec<EventDraft> = (0..EVENTS).map(|row| event(number * EVENTS + row)).collect();
        let start = Instant::now();
        for outcome in host.record_events(drafts) {
            outcome?;
        }
        turn.events.add(begun.elapsed(), start.elapsed());
        // A stall is not made up for by a burst.
        due = (due + ROUND).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(turn)
}

/// Asks as a dashboard does: the attackers in turns, or a function that means well.
fn ask(host: &Host, zoo: bool, over: &AtomicBool) {
    let functions: Vec<String> = match zoo {
        true => FAILING.iter().chain(&BUSY).map(|attack| function(attack)).collect(),
        false => vec!["percentile(q=0.9)".to_owned()],
    };
    for function in functions.iter().cycle() {
        if over.load(Ordering::Acquire) {
            break;
        }
        // What becomes of it is not measured here.
        let _ = host.query_json(json!({"aggregation": function}).to_string().as_bytes());
        std::thread::sleep(QUESTIONS);
    }
}

fn config(store: &Path, code: &Path, zoo: bool) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.storage_config.connection_string = store.to_owned();
    config.loops.exempt_event_types = vec!["*".to_owned()];
    config.plugins.policy = PluginPolicy::Any;
    config.plugins.cache_directory = Some(code.to_owned());
    config.plugins.reload.watch = false;
    // In both turns: one plugin of each kind that means well, and an alert for the sinks.
    for (name, component) in
        [("redact", artifact::plugin("redact")?), ("console", artifact::plugin("console")?)]
    {
        add(&mut config, name, component, Value::Null)?;
    }
    let rules = json!({"rules": [{"metric": "load", "comparison": ">", "threshold": -1.0}]});
    add(&mut config, "threshold", artifact::plugin("threshold")?, rules)?;
    add(&mut config, "percentile", artifact::plugin("percentile")?, Value::Null)?;
    if zoo {
        FAILING.iter().try_for_each(|attack| on_the_way(&mut config, attack))?;
        FAILING.iter().chain(&BUSY).try_for_each(|attack| beside(&mut config, attack))?;
    }
    config.alerting.default_receivers = config.alerting.receivers.keys().cloned().collect();
    config.alerting.default_receivers.push("console".to_owned());
    Ok(config)
}

fn order(export: &str, attack: &str, only: &str) -> Value {
    json!({"order": format!("{export}/{attack}"), "only": only})
}

/// Validators that make this attack at what is recorded.
fn on_the_way(config: &mut Config, attack: &str) -> anyhow::Result<()> {
    let evil = artifact::guest("evil")?;
    let events = order("validate-events", attack, "COMMAND_COMPLETED");
    add(config, &format!("evil-validator-of-events-{attack}"), evil.clone(), events)?;
    let samples = order("validate-samples", attack, "load");
    add(config, &format!("evil-validator-of-samples-{attack}"), evil, samples)
}

/// An aggregation, a monitor and a sink that make this attack.
fn beside(config: &mut Config, attack: &str) -> anyhow::Result<()> {
    let aggregation = order("update", attack, &function(attack));
    add(config, &format!("evil-aggregator-{attack}"), artifact::guest("evil-aggregation")?, aggregation)?;
    let monitor = order("on-events", attack, "COMMAND_COMPLETED");
    add(config, &format!("evil-monitor-{attack}"), artifact::guest("evil-monitor")?, monitor)?;
    let sink = format!("sink-{attack}");
    add(config, &sink, artifact::guest("evil-sink")?, Value::Null)?;
    let receiver = json!({"plugin": sink, "config": order("deliver", attack, "")});
    let receiver: ReceiverConfig = serde_json::from_value(receiver)?;
    config.alerting.receivers.insert(format!("evil-receiver-{attack}"), receiver);
    Ok(())
}

/// The aggregate function of an attacker: each has a name of its own.
fn function(attack: &str) -> String {
    format!("evil_{}", attack.replace('-', "_"))
}

fn add(config: &mut Config, name: &str, component: std::path::PathBuf, own: Value) -> anyhow::Result<()> {
    let own = if own.is_null() { json!({}) } else { own };
    let mut settings: PluginSettings = serde_json::from_value(json!({"config": own}))?;
    if name.starts_with("evil") || name.starts_with("sink") {
        // A giant answer is over the limit; within it, it would be an answer like any other, and only slow.
        settings.limits = serde_json::from_value(json!({"output_bytes": 1 << 20, "memory_bytes": 16 << 20}))?;
    }
    settings.component = Some(component);
    // An attacker that cannot judge must not refuse the records whose recording is measured.
    settings.on_failure = OnFailure::Accept;
    config.plugins.settings.insert(name.to_owned(), settings);
    Ok(())
}
