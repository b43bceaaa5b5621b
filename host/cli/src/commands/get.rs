//! `get`.

use serde_json::{Map, Value, json};
use telemetry_core::{Clock, SystemClock};

use crate::arguments::{Get, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(connection: &Connection, get: &Get, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = connection.query(request(get).to_string().as_bytes())?;
    Ok(output::answer(&envelope, shared.json, print))
}

fn request(get: &Get) -> Value {
    let from = match get.last {
        Some(last) => Some(SystemClock::default().now().floor_to_millis().minus(last).to_string()),
        None => get.from.clone(),
    };
    let mut filter = Map::new();
    for (key, value) in &get.filter {
        // Of several values for one key any will do.
        match filter.entry(key.as_str()).or_insert_with(|| json!([])) {
            Value::Array(values) => values.push(value.as_str().into()),
            other => *other = value.as_str().into(),
        }
    }
    let mut request = json!({
        "time_range": [from, get.to],
        "aggregation": get.aggregation,
        "filter": filter,
        "group_by": get.group_by,
    });
    if let Some(object) = request.as_object_mut() {
        if !get.names.is_empty() {
            object.insert("metric_names".to_owned(), json!(get.names));
        }
        if let Some(step) = &get.step {
            object.insert("step".to_owned(), step.as_str().into());
        }
    }
    request
}

fn print(body: &Value) {
    let mut rows = Vec::new();
    for (name, summary) in body.get("metrics").and_then(Value::as_object).into_iter().flatten() {
        match summary.get("groups").and_then(Value::as_array) {
            None => add_rows(&mut rows, name, "", summary, &text(summary, "/aggregation")),
            Some(groups) => {
                for group in groups {
                    add_rows(&mut rows, name, &labels(group), group, &text(summary, "/aggregation"));
                }
            }
        }
    }
    if rows.is_empty() {
        return output::line("no samples");
    }
    output::table(["METRIC", "GROUP", "TIME", "AGGREGATION", "VALUE", "SAMPLES"], rows);
    if body.get("truncated").and_then(Value::as_bool) == Some(true) {
        eprintln!("there is more; narrow the query down");
    }
}

fn add_rows(rows: &mut Vec<[String; 6]>, name: &str, group: &str, summary: &Value, aggregation: &str) {
    let name = output::one_line(name);
    let row = |time: String, of: &Value| {
        let value = value(of);
        [name.clone(), group.to_owned(), time, aggregation.to_owned(), value, text(of, "/sample_count")]
    };
    match summary.get("points").and_then(Value::as_array) {
        None => rows.push(row(String::new(), summary)),
        Some(points) => rows.extend(points.iter().map(|point| row(text(point, "/time"), point))),
    }
}

/// What a group has in common: `host=a, room=b`.
fn labels(group: &Value) -> String {
    let by = group.get("by").and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = by
        .map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output::one_line(&format!("{key}={value}"))
        })
        .collect();
    pairs.join(", ")
}

/// The value as a person reads it: ten digits say more than enough. `--json` has all of them.
fn value(of: &Value) -> String {
    match of.get("value") {
        Some(Value::Number(number)) if number.is_f64() => {
            let exact = number.as_f64().unwrap_or_default();
            let rounded: f64 = format!("{exact:.9e}").parse().unwrap_or(exact);
            rounded.to_string()
        }
        _ => text(of, "/value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_for_people() {
        let check = |exact: Value, shown: &str| assert_eq!(value(&json!({"value": exact})), shown);
        check(json!(61.702999999999996), "61.703");
        check(json!(-0.1), "-0.1");
        check(json!(0.1 + 0.2), "0.3");
        check(json!(1234567.891234), "1234567.891");
        check(json!(1.5e-9), "0.0000000015");
        check(json!(9007199254740993_i64), "9007199254740993");
        check(json!(null), "-");
        check(json!("up"), "up");
    }

    #[test]
    fn groups_are_named_by_their_labels() {
        let group = json!({"by": {"host": "a\nb", "room": null}});
        assert_eq!(labels(&group), "host=a\u{FFFD}b, room=null");
    }
}
