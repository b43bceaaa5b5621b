//! One validator: natively, as components in the sandbox that parse or ask the host for values, as a bare module and in Extism.

use std::sync::Arc;

use bridge_telemetry_bench_checks::{OBJECTIONS, check, events};
use bridge_telemetry_tests as artifact;
use telemetry_core::EventRow;
use telemetry_core::batch::{EventBatch, FIELDS_PER_EVENT};
use telemetry_core::extension::{EventVerdict, RowIssue, Validator};

use super::Plan;
use super::bare::Bare;
use super::contest::{Times, contest};
use super::extism::{Extism, measure as measure_extism};
use super::laboratory::Laboratory;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::thread_time;
use crate::table::seconds;

/// Events of a large call.
pub(super) const BATCH: usize = 1_000;
/// Events of a round.
pub(super) const EVENTS: usize = 20_000;

const NATIVE: usize = 0;
const COMPONENT: usize = 1;
const BARE: usize = 2;
const VALUES: usize = 3;

/// The validators that are components.
struct Components {
    /// Parses the events' data itself.
    parsing: Arc<dyn Validator>,
    /// Has the values that it judges found by the host.
    asking: Arc<dyn Validator>,
}

/// The events in batches of this size.
pub(super) fn batches(size: usize) -> Vec<EventBatch> {
    let all = events(EVENTS);
    let batches = all.chunks(size).map(|events| {
        let mut batch = EventBatch::default();
        for event in events {
            batch.push(EventRow {
                timestamp: 1_772_000_000_000_000_000,
                id: &event.id,
                event_type: event.event_type,
                source: event.source,
                data: &event.data,
                extra: "{}",
            });
        }
        batch
    });
    batches.collect()
}

/// The same checks of the same columns.
fn natively(batch: &EventBatch) -> EventVerdict {
    let mut verdict = EventVerdict::default();
    let fields = batch.fields();
    for row in 0..batch.len() {
        let field = |number: usize| fields.get(row * FIELDS_PER_EVENT + number).unwrap_or_default();
        let found = check(field(1), field(2), field(3));
        if let Some(objection) = found.and_then(|place| OBJECTIONS.get(place)) {
            verdict.issues.push(RowIssue {
                row: u32::try_from(row).unwrap_or(u32::MAX),
                reject: true,
                code: objection.code.to_owned(),
                path: objection.path.to_owned(),
                message: objection.message.to_owned(),
            });
        }
    }
    verdict
}

/// Nobody may find other things than the others.
fn agree(components: &Components, bare: &mut Bare, batches: &[EventBatch]) -> anyhow::Result<()> {
    let mut found = 0;
    for batch in batches {
        let expected = natively(batch);
        anyhow::ensure!(
            components.parsing.validate_events(batch)? == expected,
            "the component that parses finds other things"
        );
        anyhow::ensure!(
            components.asking.validate_events(batch)? == expected,
            "the component that asks for values finds other things"
        );
        anyhow::ensure!(bare.validate(batch)? == expected, "the bare module finds other things");
        found += expected.issues.len();
    }
    anyhow::ensure!(found > 0, "nothing is refused");
    Ok(())
}

fn measure(plan: &Plan, components: &Components, bare: &mut Bare, size: usize) -> anyhow::Result<Times> {
    agree(components, bare, &batches(size))?;
    let batches = batches(size);
    let judge = |validator: &dyn Validator, batches: &[EventBatch]| -> anyhow::Result<()> {
        for batch in batches {
            std::hint::black_box(validator.validate_events(batch)?);
        }
        Ok(())
    };
    let natively = |batches: &[EventBatch]| {
        batches.iter().for_each(|batch| drop(std::hint::black_box(natively(batch))));
    };
    contest(
        plan.rounds,
        EVENTS,
        thread_time,
        &mut [
            &mut || {
                natively(&batches);
                Ok(())
            },
            &mut || judge(&*components.parsing, &batches),
            &mut || {
                for batch in &batches {
                    std::hint::black_box(bare.validate(batch)?);
                }
                Ok(())
            },
            &mut || {
                // A host has other events each time, and what was found in them goes with them.
                batches.iter().for_each(|batch| batch.texts().forget());
                judge(&*components.asking, &batches)
            },
        ],
    )
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let load = |name: &str| -> anyhow::Result<Arc<dyn Validator>> {
        let plugin = laboratory.load(artifact::guest(name)?)?;
        plugin.validator().ok_or_else(|| anyhow::anyhow!("{name} is no validator"))
    };
    let components = Components { parsing: load("checks")?, asking: load("checks-values")? };
    let mut bare = Bare::load(&artifact::guest("checks-core")?)?;
    let large = measure(plan, &components, &mut bare, BATCH)?;
    let single = measure(plan, &components, &mut bare, 1)?;
    let beside = |times: &Times, of: usize| {
        format!("{}, native {}", seconds(times.median(of)), seconds(times.median(NATIVE)))
    };
    for (name, of, goal) in [
        (
            "validator, 1,000 events a call, an event beside native Rust: the host finds the values",
            VALUES,
            Goal::AtMost(1.3),
        ),
        ("… it parses the events' data itself", COMPONENT, Goal::None),
        ("… as a bare module that parses, columns copied in (its floor)", BARE, Goal::None),
    ] {
        chart.row(name, large.ratio(of, NATIVE), Unit::Ratio, beside(&large, of), goal);
    }
    for (name, of, goal) in [
        ("validator, one event a call: what the boundary adds; it parses", COMPONENT, Goal::AtMost(1e-6)),
        ("… the host finds the values", VALUES, Goal::None),
        ("… as a bare module that parses (its floor)", BARE, Goal::None),
    ] {
        chart.row(name, single.difference(of, NATIVE), Unit::Seconds, beside(&single, of), goal);
    }
    for (size, ours) in [(BATCH, &large), (1, &single)] {
        match measure_extism(plan.rounds, size) {
            Ok(theirs) => against_extism(chart, size, ours.difference(COMPONENT, NATIVE), &theirs),
            Err(error) => chart.missing(&format!("Extism, {size} events a call"), &format!("{error:#}")),
        }
    }
    Ok(())
}

fn against_extism(chart: &mut Chart, size: usize, ours: f64, theirs: &Extism) {
    let crossing = theirs.whole - theirs.native;
    chart.row(
        &format!("Extism with JSON, {size} events a call: its crossing, in crossings of ours"),
        crossing / ours,
        Unit::Ratio,
        format!(
            "an event {} over native, ours {}; without JSON {}",
            seconds(crossing),
            seconds(ours),
            seconds(theirs.idle)
        ),
        Goal::AtLeast(3.0),
    );
}
