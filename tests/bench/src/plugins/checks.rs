//! One validator: natively, as a component in the sandbox, as a bare module and in Extism.

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
const BATCH: usize = 1_000;
/// Events of a round.
const EVENTS: usize = 20_000;

const NATIVE: usize = 0;
const COMPONENT: usize = 1;
const BARE: usize = 2;

/// The events in batches of this size.
fn batches(size: usize) -> Vec<EventBatch> {
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
fn agree(validator: &dyn Validator, bare: &mut Bare, batches: &[EventBatch]) -> anyhow::Result<()> {
    let mut found = 0;
    for batch in batches {
        let expected = natively(batch);
        anyhow::ensure!(validator.validate_events(batch)? == expected, "the component finds other things");
        anyhow::ensure!(bare.validate(batch)? == expected, "the bare module finds other things");
        found += expected.issues.len();
    }
    anyhow::ensure!(found > 0, "nothing is refused");
    Ok(())
}

fn measure(plan: &Plan, validator: &dyn Validator, bare: &mut Bare, size: usize) -> anyhow::Result<Times> {
    let batches = batches(size);
    agree(validator, bare, &batches)?;
    contest(
        plan.rounds,
        EVENTS,
        thread_time,
        &mut [
            &mut || {
                batches.iter().for_each(|batch| drop(std::hint::black_box(natively(batch))));
                Ok(())
            },
            &mut || {
                for batch in &batches {
                    std::hint::black_box(validator.validate_events(batch)?);
                }
                Ok(())
            },
            &mut || {
                for batch in &batches {
                    std::hint::black_box(bare.validate(batch)?);
                }
                Ok(())
            },
        ],
    )
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let plugin = laboratory.load(artifact::guest("checks")?)?;
    let validator = plugin.validator().ok_or_else(|| anyhow::anyhow!("checks is no validator"))?;
    let mut bare = Bare::load(&artifact::guest("checks-core")?)?;
    let large = measure(plan, &*validator, &mut bare, BATCH)?;
    let single = measure(plan, &*validator, &mut bare, 1)?;
    let beside = |times: &Times, of: usize| {
        format!("{}, native {}", seconds(times.median(of)), seconds(times.median(NATIVE)))
    };
    chart.row(
        "validator, 1,000 events a call, an event beside native Rust",
        large.ratio(COMPONENT, NATIVE),
        Unit::Ratio,
        beside(&large, COMPONENT),
        Goal::AtMost(1.3),
    );
    chart.row(
        "… as a bare module, columns copied in (the floor)",
        large.ratio(BARE, NATIVE),
        Unit::Ratio,
        beside(&large, BARE),
        Goal::None,
    );
    chart.row(
        "validator, one event a call: what the boundary adds",
        single.difference(COMPONENT, NATIVE),
        Unit::Seconds,
        beside(&single, COMPONENT),
        Goal::AtMost(1e-6),
    );
    chart.row(
        "… as a bare module (the floor)",
        single.difference(BARE, NATIVE),
        Unit::Seconds,
        beside(&single, BARE),
        Goal::None,
    );
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
