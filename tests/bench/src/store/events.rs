//! Events of a closed day: their bytes on the disk, and how fast they are found; beside the same day compressed without a trained
//! dictionary.

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use telemetry_core::admission::{AcceptedTimes, admit_event};
use telemetry_core::{AdmittedEvent, EventDraft, EventOrder, EventQuery, JsonObject, TimeRange, Timestamp};
use telemetry_store::{RecordBatch, Store};
use uuid::Uuid;

use super::Plan;
use super::data::{BATCH, first_time};
use super::shapes::Random;
use super::site::{Site, Tables};
use crate::chart::{Chart, Goal, Unit};
use crate::meter::{Spent, median};

/// Events of the day.
const EVENTS: usize = 200_000;
/// Ids that are looked up, and events of a page.
const LOOKUPS: usize = 1_000;
const PAGE: usize = 100;
const SOURCE: &str = "bridge_injector";
const TYPES: [&str; 5] = ["INJECT_TASK", "EXECUTE", "QUERY_STATE", "CANCEL", "SYNC_WORKSPACE"];
const ORIGINS: [&str; 4] = ["cli", "agent_2", "scheduler", "web_console"];
const ERRORS: [(&str, &str); 3] = [
    ("TIMEOUT", "No answer from the target module within 30 seconds"),
    ("INVALID_STATE", "The agent is not ready to take a command"),
    ("EXECUTION_FAILED", "Process ended with exit code 1"),
];

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let count = EVENTS / plan.divide.max(1);
    let site = Site::open(first_time().plus(std::time::Duration::from_secs(86_399)), |_| {})?;
    let mut injector = Injector { random: Random::seeded(7), open: None, place: 0, count };
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let mut events = Vec::with_capacity(BATCH);
        for _ in 0..BATCH.min(count - ids.len()) {
            events.push(injector.next(&site.store)?);
        }
        ids.extend(events.iter().map(|event| event.id().uuid()));
        site.store.append(&RecordBatch { events, ..RecordBatch::default() })?;
    }
    site.close_days(1)?;
    let closed = Reads::measure(&site.store, &ids, plan)?;
    let (bytes, site) = site.rebuilt(|_, _| Ok(()))?;
    let (plain_bytes, site) = site.rebuilt(Tables::compact_plainly)?;
    let plain = Reads::measure(&site.store, &ids, plan)?;

    let each = |tables: &Tables| tables.events as f64 / count as f64;
    chart.row(
        "events of a closed day, disk, an event with its index rows",
        each(&bytes),
        Unit::Bytes,
        format!("without a dictionary {:.1} B", each(&plain_bytes)),
        Goal::None,
    );
    let rows = [
        ("… found by id, CPU of one", closed.by_id.each(LOOKUPS), plain.by_id.each(LOOKUPS)),
        ("… a page of 100 by time, CPU", closed.by_time.each(1), plain.by_time.each(1)),
        ("… a page of 100 by type, CPU", closed.by_type.each(1), plain.by_type.each(1)),
    ];
    for (what, figure, beside) in rows {
        let beside = format!("without a dictionary {}", crate::table::seconds(beside));
        chart.row(what, figure, Unit::Seconds, beside, Goal::None);
    }
    Ok(())
}

/// What reading took.
struct Reads {
    by_id: Spent,
    by_time: Spent,
    by_type: Spent,
}

impl Reads {
    fn measure(store: &Store, ids: &[Uuid], plan: &Plan) -> anyhow::Result<Self> {
        let stride = (ids.len() / LOOKUPS).max(1);
        // In no order of time, so that each is in another block than the one before.
        let wanted: Vec<Uuid> =
            (0..LOOKUPS).filter_map(|place| ids.get(place * 617 % LOOKUPS * stride).copied()).collect();
        let page = |event_type: Option<&str>| -> anyhow::Result<()> {
            let query = EventQuery {
                event_type: event_type.map(str::to_owned),
                range: TimeRange::between(
                    first_time().plus(std::time::Duration::from_secs(43_200)),
                    Timestamp::MAX,
                ),
                limit: Some(PAGE),
                order: EventOrder::OldestFirst,
                ..EventQuery::default()
            };
            anyhow::ensure!(store.query_events(&query)?.events.len() == PAGE, "a page is not full");
            Ok(())
        };
        Ok(Self {
            by_id: median(plan.repeat, || {
                wanted.iter().try_for_each(|id| store.find(*id)?.map(drop).context("an event is missing"))
            })?,
            by_time: median(plan.repeat, || page(None))?,
            by_type: median(plan.repeat, || page(Some("COMMAND_COMPLETED")))?,
        })
    }
}

/// Commands one after the other, as module 1 records them.
struct Injector {
    random: Random,
    /// Type and id of the command that is being carried out.
    open: Option<(&'static str, String)>,
    place: usize,
    count: usize,
}

impl Injector {
    fn next(&mut self, store: &Store) -> anyhow::Result<AdmittedEvent> {
        let since = std::time::Duration::from_millis((86_000_000 * self.place / self.count.max(1)) as u64);
        self.place += 1;
        let (name, data) = self.content();
        let data: JsonObject = (&data).into();
        let times = AcceptedTimes { now: first_time(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
        let draft = EventDraft::new(name, SOURCE).with_data(data).at(first_time().plus(since));
        admit_event(draft, &times, store.event_ids()).map_err(|refused| anyhow::anyhow!("{}", refused.error))
    }

    fn content(&mut self) -> (&'static str, Map<String, Value>) {
        let object = |value: Value| match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let Some((command_type, id)) = self.open.take() else {
            let command_type = self.pick(&TYPES);
            let id = Uuid::from_u64_pair(self.random.next(), self.random.next()).to_string();
            let content =
                json!({"command_type": command_type, "command_id": id, "source": self.pick(&ORIGINS)});
            self.open = Some((command_type, id));
            return ("COMMAND_RECEIVED", object(content));
        };
        if self.random.unit() < 0.05 {
            let (code, message) = self.pick(&ERRORS);
            let content = json!({
                "command_type": command_type, "command_id": id, "error_code": code, "error_message": message,
            });
            return ("COMMAND_ERROR", object(content));
        }
        let milliseconds = ((4.0 + 0.7 * self.random.normal()).exp() * 10.0).round() / 10.0;
        let content = json!({
            "command_type": command_type, "command_id": id, "status": "success", "processing_time_ms": milliseconds,
        });
        ("COMMAND_COMPLETED", object(content))
    }

    fn pick<T: Copy + Default>(&mut self, among: &[T]) -> T {
        among.get((self.random.next() % among.len().max(1) as u64) as usize).copied().unwrap_or_default()
    }
}
