//! Hostile aggregations: each function is an attack, and `good_sum` is none; an order (see the crate `bridge-telemetry-zoo`) makes
//! any export attack.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "hostile on purpose")]

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

use bridge_telemetry_plugin::bindings::aggregation::exports::bridge::telemetry::aggregation::{
    self, Accumulator, Aggregate, Value,
};
use bridge_telemetry_plugin::bindings::imports::types::{PluginError, State, Timestamp};
use bridge_telemetry_plugin::bindings::lifecycle::exports::bridge::telemetry::lifecycle;
use bridge_telemetry_zoo as zoo;

const NAMES: [&str; 11] = [
    "good_sum",
    "span",
    "nan",
    "short",
    "broken_json",
    "loop_in_update",
    "panic_in_create",
    "panic_in_evaluate",
    "panic_in_drop",
    "giant_state",
    "refuse",
];

thread_local! {
    static ALIVE: Cell<u32> = const { Cell::new(0) };
}

struct Evil;

impl lifecycle::Guest for Evil {
    fn describe() -> lifecycle::Info {
        zoo::describe(lifecycle::Info {
            name: "evil-aggregation".to_owned(),
            version: "6.6.6".to_owned(),
            description: "each function is an attack".to_owned(),
            config_schema_json: "{}".to_owned(),
            attributes_json: "{}".to_owned(),
        })
    }

    fn init(config: String, restored: Option<State>) -> Result<(), PluginError> {
        zoo::configure(&config);
        let late = |attack: &str| {
            // Instances that are made after this second of the epoch are not.
            let last = attack.strip_prefix("trap-after ")?.parse().unwrap();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert!(now <= last, "too late");
            Some(())
        };
        zoo::at(if restored.is_some() { "init-restored" } else { "init" }, late).map(drop)
    }

    fn snapshot() -> Result<Option<State>, PluginError> {
        zoo::snapshot(zoo::state())
    }
}

impl aggregation::Guest for Evil {
    type Accumulator = Sums;

    fn aggregates() -> Vec<Aggregate> {
        let only = zoo::configured("only");
        let honest = || match only.as_str() {
            "" => NAMES.into_iter().map(aggregate).collect(),
            name => vec![aggregate(name)],
        };
        let lie = |attack: &str| {
            let one = aggregate("good_sum");
            Some(match attack {
                "giant-list" => vec![one; 20_000],
                "giant-string" => vec![Aggregate { description: "x".repeat(zoo::GIANT), ..one }],
                "no-utf8" => vec![Aggregate { description: zoo::no_utf8(), ..one }],
                "broken-json" => vec![Aggregate { parameters_schema_json: "{".to_owned(), ..one }],
                _ => return None,
            })
        };
        zoo::at("aggregates", lie).ok().flatten().unwrap_or_else(honest)
    }
}

fn aggregate(name: &str) -> Aggregate {
    // One that is called without parameters is refused by the host already.
    let needs = if name == "needy" { r#","required":["factor"]"# } else { "" };
    Aggregate {
        name: name.to_owned(),
        description: name.to_owned(),
        parameters_schema_json: format!(
            r#"{{"type":"object","properties":{{"factor":{{"type":"number"}}}},"additionalProperties":false{needs}}}"#
        ),
        mergeable: name != "span",
        needs_timestamps: name == "span",
    }
}

/// The sum of each group, or the time between its first and last sample.
struct Sums {
    name: String,
    groups: RefCell<Vec<f64>>,
}

impl aggregation::GuestAccumulator for Sums {
    fn create(name: String, parameters: String) -> Result<Accumulator, PluginError> {
        zoo::here("create")?;
        match name.as_str() {
            "panic_in_create" => panic!("not born"),
            "refuse" => return Err(PluginError::Unsupported(format!("no {parameters} today"))),
            _ => {}
        }
        // An instance serves one accumulator at a time: what an earlier one left behind would be seen here.
        assert_eq!(ALIVE.get(), 0, "two accumulators in one instance");
        ALIVE.set(ALIVE.get() + 1);
        Ok(Accumulator::new(Self { name, groups: RefCell::default() }))
    }

    fn update(
        &self,
        groups: Vec<u32>,
        lengths: Vec<u32>,
        timestamps: Vec<Timestamp>,
        values: Vec<f64>,
    ) -> Result<(), PluginError> {
        // Nothing shows of it before that value comes.
        let unlucky =
            |attack: &str| (attack == "trap-at-13").then(|| assert!(!values.contains(&13.0), "bad luck"));
        zoo::at("update", unlucky)?;
        if self.name == "loop_in_update" {
            loop {
                std::hint::spin_loop();
            }
        }
        let mut sums = self.groups.borrow_mut();
        let mut from = 0;
        for (group, length) in groups.into_iter().zip(lengths) {
            let to = from + length as usize;
            if sums.len() <= group as usize {
                sums.resize(group as usize + 1, 0.0);
            }
            sums[group as usize] += match self.name.as_str() {
                "span" => (timestamps[to - 1] - timestamps[from]) as f64,
                _ => values[from..to].iter().sum::<f64>(),
            };
            from = to;
        }
        if from == values.len() {
            Ok(())
        } else {
            Err(PluginError::Other("the runs do not add up".to_owned()))
        }
    }

    fn merge(&self, saved: State, group_map: Vec<u32>) -> Result<(), PluginError> {
        zoo::here("merge")?;
        if saved.version != 1 || saved.bytes.len() != group_map.len() * 8 {
            return Err(PluginError::Unsupported(format!("saved version {}", saved.version)));
        }
        let mut sums = self.groups.borrow_mut();
        for (bytes, group) in saved.bytes.chunks_exact(8).zip(group_map) {
            if sums.len() <= group as usize {
                sums.resize(group as usize + 1, 0.0);
            }
            sums[group as usize] += f64::from_le_bytes(bytes.try_into().unwrap());
        }
        Ok(())
    }

    fn save(&self) -> Result<State, PluginError> {
        let giant =
            |attack: &str| (attack == "giant-list").then(|| State { version: 1, bytes: vec![0; zoo::GIANT] });
        if let Some(lie) = zoo::at("save", giant)? {
            return Ok(lie);
        }
        let bytes = match self.name.as_str() {
            "giant_state" => vec![0; 32 << 20],
            _ => self.groups.borrow().iter().flat_map(|sum| sum.to_le_bytes()).collect(),
        };
        Ok(State { version: 1, bytes })
    }

    fn evaluate(&self) -> Result<Vec<Value>, PluginError> {
        let lie = |attack: &str| {
            Some(match attack {
                "giant-list" => vec![Value::None; 200_000],
                "giant-string" => vec![Value::Json(format!("\"{}\"", "x".repeat(zoo::GIANT)))],
                "no-utf8" => vec![Value::Json(zoo::no_utf8())],
                "broken-json" => vec![Value::Json("{".to_owned())],
                "nan" => vec![Value::Number(f64::NAN)],
                "wrong-row" => vec![],
                "wrong-row-2" => vec![Value::Number(1.0); 3],
                _ => return None,
            })
        };
        if let Some(lie) = zoo::at("evaluate", lie)? {
            return Ok(lie);
        }
        let value = |sum: &f64| match self.name.as_str() {
            "nan" => Value::Number(f64::NAN),
            "broken_json" => Value::Json("{".to_owned()),
            "panic_in_evaluate" => panic!("no result"),
            _ => Value::Number(*sum),
        };
        let mut values: Vec<Value> = self.groups.borrow().iter().map(value).collect();
        if self.name == "short" {
            values.pop();
        }
        Ok(values)
    }
}

impl Drop for Sums {
    fn drop(&mut self) {
        // There is no way to answer here.
        drop(zoo::here("drop"));
        assert!(self.name != "panic_in_drop", "I stay");
        ALIVE.set(ALIVE.get() - 1);
    }
}

bridge_telemetry_plugin::bindings::lifecycle::__export_lifecycle!(Evil with_types_in bridge_telemetry_plugin::bindings::lifecycle);
bridge_telemetry_plugin::bindings::aggregation::__export_aggregation!(Evil with_types_in bridge_telemetry_plugin::bindings::aggregation);
