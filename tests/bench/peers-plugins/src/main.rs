//! The benchmark's validator in Extism, with JSON there and back: `cargo xtask bench plugins` builds it, runs it and takes its
//! lines into the table. A workspace of its own, since Extism brings another wasmtime.
//!
//! Each line is a JSON object: the events of a call, and seconds of CPU time for one event: of the whole call with JSON made and
//! read, of the same checks natively, and of a call that takes the same bytes and does nothing with them. Medians.

mod guest;
#[path = "../../src/meter.rs"]
#[allow(dead_code, reason = "shared with the benchmark, which uses more of it")]
mod meter;

use bridge_telemetry_bench_checks::{Event, OBJECTIONS, check, events};
use extism::Plugin;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use meter::thread_time;

/// An event on its way to the guest. Its `data` was checked and is JSON text already, as in the host.
#[derive(Serialize)]
struct Shown<'a> {
    event_type: &'a str,
    source: &'a str,
    data: &'a RawValue,
}

/// An objection, as the host keeps it.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what is measured is that it is made")]
struct Issue {
    row: u32,
    reject: bool,
    code: String,
    path: String,
    message: String,
}

struct Events {
    events: Vec<Event>,
    data: Vec<Box<RawValue>>,
}

impl Events {
    fn new(count: usize) -> anyhow::Result<Self> {
        let events = events(count);
        let raw = |event: &Event| Ok(RawValue::from_string(event.data.clone())?);
        let data = events.iter().map(raw).collect::<anyhow::Result<_>>()?;
        Ok(Self { events, data })
    }

    fn json(&self, range: std::ops::Range<usize>) -> anyhow::Result<Vec<u8>> {
        let (events, data) = (self.events.get(range.clone()), self.data.get(range));
        let rows = events.unwrap_or_default().iter().zip(data.unwrap_or_default());
        let shown = rows.map(|(event, data)| Shown {
            event_type: event.event_type,
            source: event.source,
            data,
        });
        Ok(serde_json::to_vec(&shown.collect::<Vec<_>>())?)
    }

    fn natively(&self) -> usize {
        let mut issues = Vec::new();
        for (row, event) in self.events.iter().enumerate() {
            let found = check(event.event_type, event.source, &event.data);
            if let Some(objection) = found.and_then(|place| OBJECTIONS.get(place)) {
                issues.push(Issue {
                    row: u32::try_from(row).unwrap_or(u32::MAX),
                    reject: true,
                    code: objection.code.to_owned(),
                    path: objection.path.to_owned(),
                    message: objection.message.to_owned(),
                });
            }
        }
        issues.len()
    }

    fn in_extism(&self, plugin: &mut Plugin, batch: usize) -> anyhow::Result<usize> {
        let mut found = 0;
        for first in (0..self.events.len()).step_by(batch) {
            let json = self.json(first..(first + batch).min(self.events.len()))?;
            let answer: &[u8] = plugin.call("validate", json)?;
            let issues: Vec<Issue> = serde_json::from_slice(answer)?;
            found += issues.len();
        }
        Ok(found)
    }

    fn idly(&self, plugin: &mut Plugin, calls: &[Vec<u8>]) -> anyhow::Result<usize> {
        for json in calls {
            let answer: &[u8] = plugin.call("idle", json.as_slice())?;
            anyhow::ensure!(answer.is_empty());
        }
        Ok(self.events.len())
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn measure(plugin: &mut Plugin, batch: usize, count: usize, rounds: usize) -> anyhow::Result<()> {
    let events = Events::new(count)?;
    let calls =
        (0..count).step_by(batch).map(|first| events.json(first..first + batch)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut whole, mut native, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let start = thread_time();
        let expected = events.natively();
        let after_native = thread_time();
        let found = events.in_extism(plugin, batch)?;
        let after_whole = thread_time();
        events.idly(plugin, &calls)?;
        let after_idle = thread_time();
        anyhow::ensure!(found == expected && found > 0, "{found} objections, natively {expected}");
        // The first round warms up.
        if round > 0 {
            let each = |time: std::time::Duration| time.as_secs_f64() / count as f64;
            native.push(each(after_native - start));
            whole.push(each(after_whole - after_native));
            idle.push(each(after_idle - after_whole));
        }
    }
    let line = serde_json::json!({
        "batch": batch, "whole": median(&mut whole), "native": median(&mut native), "idle": median(&mut idle)
    });
    println!("{line}");
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(component), Some(rounds)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("needs the guest's module and the number of rounds");
    };
    let mut plugin = guest::load(component.as_ref())?;
    let rounds = rounds.parse()?;
    measure(&mut plugin, 1, 20_000, rounds)?;
    measure(&mut plugin, 1_000, 20_000, rounds)
}
