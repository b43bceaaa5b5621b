//! The stand-in for the host that finds values within events.

use serde_json::Value;

use crate::EventBatch;
use crate::bindings::imports::event_values::ValueTable;
use crate::bindings::imports::types::TextColumn;
use crate::error::{PluginError, Result};

/// What stands at `places` in each event.
pub(crate) fn read(batch: &EventBatch, places: &[&str]) -> Result<ValueTable> {
    let mut table = ValueTable {
        kinds: Vec::new(),
        numbers: Vec::new(),
        texts: TextColumn { bytes: Vec::new(), ends: Vec::new() },
    };
    for event in batch.events() {
        let data: Value = serde_json::from_str(event.data_json())?;
        for place in places {
            let (kind, number, text) = found(data.pointer(place));
            table.kinds.push(kind);
            table.numbers.push(number);
            table.texts.bytes.extend_from_slice(text.as_bytes());
            let end = u32::try_from(table.texts.bytes.len());
            table
                .texts
                .ends
                .push(end.map_err(|_| PluginError::unsupported("the values have too many bytes"))?);
        }
    }
    Ok(table)
}

fn found(value: Option<&Value>) -> (u8, f64, String) {
    match value {
        None => (0, 0.0, String::new()),
        Some(Value::Null) => (1, 0.0, String::new()),
        Some(Value::Bool(is)) => (if *is { 3 } else { 2 }, 0.0, String::new()),
        Some(Value::Number(number)) => {
            let double = number.as_f64().unwrap_or_default();
            let exact = number.is_f64() || double.abs() < 9_007_199_254_740_992.0;
            (4, double, if exact { String::new() } else { number.to_string() })
        }
        Some(Value::String(text)) => (5, 0.0, text.clone()),
        Some(array @ Value::Array(_)) => (6, 0.0, array.to_string()),
        Some(object @ Value::Object(_)) => (7, 0.0, object.to_string()),
    }
}
