//! What recording notices of a whole zoo of plugins that misbehave: latency of single samples and of batches of events, with the zoo
//! and without it, in turns on fresh hosts, from the moment that the host is open.
//!
//! The zoo is each attack at each export that a running host enters, in plugins of their own; sinks that wait for a real far side which
//! is slow; and components that are put in the place of sound plugins all the time, hostile where they are loaded, tried, started from a
//! state and replaced, among them one of a hundred megabytes and one that the compiler does not come to an end with. That these all did
//! their worst shows in what is counted beside the times.
//!
//! The load is paced, as a bridge's is: recording as fast as can be would measure the queue behind it. A validator that is slow, but
//! answers in time, is as slow as it is, and nothing that a host could contain: on the way of a record stand those that fail.
//!
//! The aim holds for whole turns and for what comes after their first seconds. In these most attackers are tried again and again until
//! they are in quarantine, and alone they have no aim: each validator on the way of a record may fail some times in a row
//! ([`telemetry_core::limits::PLUGIN_FAILURES_TO_QUARANTINE`]), each time in a call of its own, for as long as its deadline lets it. Where
//! that is more than one call in a hundred, a 99th percentile is the time of an attack, not what others notice of it: how many calls it
//! was stands beside it, for whole turns too.

mod configuration;
mod far_side;
mod impostors;
mod outcome;
mod residents;
mod shapes;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bridge_telemetry::plugins::PluginListing;
use bridge_telemetry::{EventDraft, Host, MetricDraft};
use serde_json::json;

use self::configuration::{Shelf, config};
use self::far_side::FarSide;
pub(crate) use self::impostors::COMPILER;
use self::impostors::{Attempts, Impostors, compile_elsewhere};
use self::outcome::Outcome;
use crate::Scale;
use crate::recording::event;
use crate::table::{Report, seconds};

/// Seconds of each turn.
const SECONDS: usize = 60;
/// Seconds from the opening that are shown apart.
const OPENING: Duration = Duration::from_secs(20);
/// Time between two questions of a dashboard.
const QUESTIONS: Duration = Duration::from_millis(200);
/// Time between two rounds of the load, and what is recorded in each.
const ROUND: Duration = Duration::from_millis(10);
/// Attackers that are named for the time that they took.
const SHOWN: usize = 8;
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

    fn all(&self) -> Vec<Duration> {
        [self.opening.as_slice(), &self.after].concat()
    }
}

/// One turn.
#[derive(Default)]
struct Turn {
    samples: Times,
    events: Times,
    plugins: Vec<PluginListing>,
    attempts: Attempts,
    /// Requests that came to the slow far side.
    requests: usize,
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    compile_elsewhere()?;
    let folder = tempfile::tempdir()?;
    let code = folder.path().join("code");
    let impostors = Impostors::prepare(&folder.path().join("impostors"))?;
    let time = Duration::from_secs(scale.records(SECONDS).max(2) as u64);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..scale.repeat() {
        // What comes second may find the machine otherwise.
        for zoo in if round % 2 == 0 { [false, true] } else { [true, false] } {
            let place = folder.path().join(format!("turn-{round}-{zoo}"));
            let turn = turn(&place, &code, zoo.then_some(&impostors), time)?;
            if zoo { &mut with } else { &mut without }.push(turn);
        }
    }
    for (what, aim, of) in PARTS {
        for (name, place, aim) in [("p99", 0.99, aim), ("p95", 0.95, ""), ("median", 0.5, "")] {
            let (ours, bare) = (quantile(&with, place, of), quantile(&without, place, of));
            report.figure(
                &format!("{what}, {name} beside the zoo (without it)"),
                format!("{} ({}), {:.2} x", seconds(ours), seconds(bare), ours / bare),
                aim,
            );
        }
    }
    show_zoo(report, &with, &impostors);
    show_cost(report, &with, time);
    Ok(())
}

/// What the zoo was, and what became of it.
fn show_zoo(report: &mut Report, turns: &[Turn], impostors: &Impostors) {
    let mut figure = |what: &str, figure: String| report.figure(what, figure, "");
    figure("attacks in the host, each in a plugin of its own", residents::summary());
    let outcomes: Vec<Outcome> = turns.iter().map(|turn| Outcome::of(&turn.plugins)).collect();
    let of = |count: fn(&Outcome) -> u64| median(&outcomes, |outcome| count(outcome) as f64);
    figure(
        "attackers that failed in a turn",
        format!(
            "{} of {}, {} times; restarted {} times; in quarantine at the end {}; turned away {} times",
            of(|outcome| outcome.failed as u64),
            of(|outcome| outcome.attackers as u64),
            of(|outcome| outcome.failures),
            of(|outcome| outcome.restarts),
            of(|outcome| outcome.quarantined as u64),
            of(|outcome| outcome.turned_away),
        ),
    );
    let calm = outcomes.last().map(|outcome| outcome.calm.join(", ")).unwrap_or_default();
    figure("… those that never did, in the last turn", calm);
    let calls = |times: fn(&Turn) -> &Times| median(turns, |turn| times(turn).all().len() as f64);
    figure(
        "failures of validators in a turn, several of which may be in one call, and its calls",
        format!(
            "record_metric {} of {}, record_events {} of {}",
            of(|outcome| outcome.in_samples),
            calls(|turn| &turn.samples),
            of(|outcome| outcome.in_events),
            calls(|turn| &turn.events),
        ),
    );
    let requests = median(turns, |turn| turn.requests as f64);
    figure("requests to the slow far side in a turn", requests.to_string());
    let attempts = turns.iter().fold(Attempts::default(), |all, turn| all.and(turn.attempts));
    let Attempts { refused, replaced, others } = attempts;
    figure(
        "attempts of impostors in all turns",
        format!(
            "{} of {} components: {refused} refused, {replaced} let in and replaced, {others} others",
            refused + replaced + others,
            impostors.count(),
        ),
    );
}

/// What the attackers took.
fn show_cost(report: &mut Report, turns: &[Turn], time: Duration) {
    let evil = |turn: &Turn| -> f64 {
        turn.plugins.iter().filter(|plugin| residents::is_one(&plugin.name)).map(cpu).sum()
    };
    let used = median(turns, |turn| evil(turn) / time.as_secs_f64());
    report.figure("processors that all attackers took together", format!("{used:.3}"), "");
    let within = |turn: &Turn| -> f64 {
        let attackers = turn.plugins.iter().filter(|plugin| residents::is_one(&plugin.name));
        attackers
            .filter_map(|plugin| plugin.status.as_ref())
            .map(|status| status.time_used.as_secs_f64())
            .sum()
    };
    let held = median(turns, |turn| within(turn) / time.as_secs_f64());
    report.figure("… with what the host did for them, and what they waited for", format!("{held:.3}"), "");
    let mut attackers: Vec<&PluginListing> = turns.iter().flat_map(|turn| &turn.plugins).collect();
    attackers.retain(|plugin| residents::is_one(&plugin.name));
    attackers.sort_by(|a, b| cpu(b).total_cmp(&cpu(a)));
    let shown =
        attackers.iter().take(SHOWN).map(|plugin| format!("{} {}", plugin.name, seconds(cpu(plugin))));
    let most = shown.collect::<Vec<_>>().join(", ");
    report.figure("the attackers that took the most time in a turn", most, "");
}

/// One part of what is shown: its name, its aim, and where a turn has it.
type Part = (&'static str, &'static str, fn(&Turn) -> Vec<Duration>);
const PARTS: [Part; 6] = [
    ("record_metric, the whole turn", "≤ 1.2 x", |turn| turn.samples.all()),
    ("record_metric, its first twenty seconds", "", |turn| turn.samples.opening.clone()),
    ("record_metric, afterwards", "≤ 1.2 x", |turn| turn.samples.after.clone()),
    ("record_events of 100, the whole turn", "≤ 1.2 x", |turn| turn.events.all()),
    ("record_events of 100, its first twenty seconds", "", |turn| turn.events.opening.clone()),
    ("record_events of 100, afterwards", "≤ 1.2 x", |turn| turn.events.after.clone()),
];

/// The median of the turns' figures.
fn median<T>(turns: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = turns.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// The median over the turns of a quantile of their times.
fn quantile(turns: &[Turn], quantile: f64, of: fn(&Turn) -> Vec<Duration>) -> f64 {
    median(turns, |turn| {
        let mut times = of(turn);
        times.sort_unstable();
        let place = (times.len().saturating_sub(1) as f64 * quantile) as usize;
        times.get(place).copied().unwrap_or_default().as_secs_f64()
    })
}

fn cpu(plugin: &PluginListing) -> f64 {
    plugin.status.as_ref().map_or(0.0, |status| status.cpu_time.as_secs_f64())
}

fn turn(place: &Path, code: &Path, zoo: Option<&Impostors>, time: Duration) -> anyhow::Result<Turn> {
    let shelf = Shelf::fill(place.join("plugins"))?;
    let far_side = zoo.map(|_| FarSide::start()).transpose()?;
    let host = Host::open(config(place, code, &shelf, far_side.as_ref())?)?;
    let over = AtomicBool::new(false);
    let mut turn = std::thread::scope(|scope| {
        let (host, shelf, over) = (&host, &shelf, &over);
        scope.spawn(move || ask(host, zoo.is_some(), over));
        let coming = zoo.map(|impostors| scope.spawn(move || impostors.come(host, shelf, over)));
        let recorded = record(host, time);
        over.store(true, Ordering::Release);
        let mut turn = recorded?;
        if let Some(coming) = coming {
            let came = coming.join().map_err(|_| anyhow::anyhow!("the impostors' thread panicked"))?;
            turn.attempts = came?;
        }
        anyhow::Ok(turn)
    })?;
    turn.plugins = host.plugins();
    turn.requests = far_side.as_ref().map_or(0, FarSide::requests);
    // Nobody waits for it any more.
    drop(far_side);
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

/// Asks as a dashboard does, a function that means well, and beside it the attackers in turns.
fn ask(host: &Host, zoo: bool, over: &AtomicBool) {
    let attackers = if zoo { residents::functions() } else { Vec::new() };
    let mut attackers = attackers.iter().map(String::as_str).cycle();
    while !over.load(Ordering::Acquire) {
        for function in [Some("percentile(q=0.9)"), attackers.next()].into_iter().flatten() {
            // What becomes of it is not measured here.
            let _ = host.query_json(json!({"aggregation": function}).to_string().as_bytes());
        }
        std::thread::sleep(QUESTIONS);
    }
}
