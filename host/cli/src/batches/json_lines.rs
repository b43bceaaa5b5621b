//! JSON lines: one object a line, an event or a sample.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};
use telemetry_core::json;

use super::{Gatherer, Kind, MAX_LINE_BYTES, Target, too_long};

/// Reads JSON lines; samples get those `labels` that their own context does not have.
pub(crate) fn read_json_lines<T: Target>(
    mut input: impl BufRead,
    labels: &Map<String, Value>,
    target: &mut T,
) -> Result<io::Result<()>, T::Error> {
    let mut gatherer = Gatherer::new(target);
    let mut line = Vec::new();
    // One byte more: the line feed, or what shows that the line is too long.
    let most = MAX_LINE_BYTES as u64 + 1;
    for number in 1_u64.. {
        line.clear();
        match input.by_ref().take(most).read_until(b'\n', &mut line) {
            Err(error) => return Ok(Err(error)),
            Ok(0) => break,
            Ok(_) => {}
        }
        if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") {
            if let Err(error) = input.skip_until(b'\n') {
                return Ok(Err(error));
            }
            gatherer.add(number, Err(too_long()))?;
        } else if !line.trim_ascii().is_empty() {
            gatherer.add(number, record(&line, labels))?;
        }
    }
    gatherer.hand_over()?;
    Ok(Ok(()))
}

fn record(line: &[u8], labels: &Map<String, Value>) -> Result<(Kind, String), String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let Value::Object(mut object) = serde_json::from_str(text).map_err(|error| error.to_string())? else {
        return Err("is not a JSON object".to_owned());
    };
    if let Some(integer) = json::overlong_integer(text, &object) {
        return Err(json::overlong(integer));
    }
    let kind = if object.contains_key("metric_name") { Kind::Metric } else { Kind::Event };
    if kind == Kind::Metric {
        add_labels(&mut object, labels);
    }
    Ok((kind, Value::Object(object).to_string()))
}

fn add_labels(sample: &mut Map<String, Value>, labels: &Map<String, Value>) {
    if labels.is_empty() {
        return;
    }
    let context = sample.entry("context").or_insert(Value::Null);
    if context.is_null() {
        *context = Value::Object(Map::new());
    }
    // What is no object is for the host to refuse.
    if let Value::Object(own) = context {
        for (key, value) in labels {
            own.entry(key.as_str()).or_insert_with(|| value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::tests::Kept;
    use serde_json::json;

    fn read(text: &str, labels: Value) -> Kept {
        let mut kept = Kept::default();
        read_json_lines(text.as_bytes(), labels.as_object().unwrap(), &mut kept).unwrap().unwrap();
        kept
    }

    #[test]
    fn the_same_file_gives_the_same_ids() {
        let line = |n: usize| format!("{{\"metric_name\":\"m\",\"metric_value\":{n}}}\n");
        let text: String = (0..2500).map(line).collect();
        let ids = |text: &str| read(text, json!({})).ids();
        assert_eq!(ids(&text).len(), 3);
        assert_eq!(ids(&text), ids(&text));
        assert_eq!(ids(&text)[..2], ids(&(text.clone() + &line(7)))[..2]);
    }

    #[test]
    fn broken_lines_are_told_with_their_number() {
        let long = format!("\"{}\"", "x".repeat(2 * MAX_LINE_BYTES));
        let event = r#"{"event_type":"A","source":"s"}"#;
        let kept = read(&format!("{event}\n\n{{oops\n[]\n{long}\n{event}"), json!({}));
        assert_eq!(kept.batches.len(), 1);
        assert_eq!([0, 1, 2].map(|n| kept.batches[0].line_of(n)), [Some(1), Some(6), None]);
        let lines: Vec<u64> = kept.refused.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5], "however long a line is, it is one");
        assert_eq!(kept.refused[2].1, too_long());
    }

    #[test]
    fn integers_are_not_rounded() {
        let line = |id: &str| format!("{{\"event_type\":\"A\",\"source\":\"s\",\"id\":{id}}}\n");
        let kept = read(&(line("18446744073709551615") + &line("18446744073709551616")), json!({}));
        assert_eq!(kept.requests()[0]["events"], json!([{"event_type": "A", "source": "s", "id": u64::MAX}]));
        assert!(kept.refused[0].1.contains("18446744073709551616"), "{:?}", kept.refused);
    }

    #[test]
    fn labels_are_those_of_every_sample_that_has_no_own() {
        let lines = [
            json!({"metric_name": "m", "metric_value": 1}),
            json!({"metric_name": "m", "metric_value": 1, "context": null}),
            json!({"metric_name": "m", "metric_value": 1, "context": {"room": "b", "host": "h"}}),
            json!({"metric_name": "m", "metric_value": 1, "context": "refused by the host"}),
            json!({"event_type": "A", "source": "s"}),
        ];
        let text = lines.map(|line| line.to_string()).join("\n");
        let labelled = read(&text, json!({"room": "a"}));
        let request = &labelled.requests()[0];
        let contexts: Vec<&Value> =
            request["metrics"].as_array().unwrap().iter().map(|sample| &sample["context"]).collect();
        let room = json!({"room": "a"});
        let own = json!({"room": "b", "host": "h"});
        assert_eq!(contexts, [&room, &room, &own, &json!("refused by the host")]);
        assert_eq!(request["events"], json!([{"event_type": "A", "source": "s"}]));
        assert_ne!(labelled.ids(), read(&text, json!({"room": "c"})).ids(), "other labels, another batch");
        let plain = read(&text, json!({}));
        assert_eq!(plain.requests()[0]["metrics"][0], json!({"metric_name": "m", "metric_value": 1}));
    }
}
