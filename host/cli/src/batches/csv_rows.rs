//! CSV with a header: one sample a row.

use std::io::{self, Read};

use serde_json::{Map, Value, json};

use super::{Gatherer, Kind, Target};
use crate::samples::number_or_text;

/// Reads CSV with a header: `timestamp` and `value`; `metric_name` names the metric of a row; other columns are labels,
/// and count for more than those of `context`.
pub(crate) fn read_csv<T: Target>(
    input: impl Read,
    metric: &str,
    context: &Map<String, Value>,
    target: &mut T,
) -> Result<io::Result<()>, T::Error> {
    let mut reader = csv::Reader::from_reader(input);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Ok(Err(error.into())),
    };
    if !["timestamp", "value"].iter().all(|wanted| header.iter().any(|column| column == *wanted)) {
        let message = "the file's first line must name the columns timestamp and value";
        return Ok(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
    }
    let mut gatherer = Gatherer::new(target);
    for (number, row) in (2_u64..).zip(reader.records()) {
        let record = match row {
            Err(error) if error.is_io_error() => return Ok(Err(error.into())),
            Err(error) => Err(error.to_string()),
            Ok(row) => record(&header, &row, metric, context),
        };
        gatherer.add(number, record)?;
    }
    gatherer.hand_over()?;
    Ok(Ok(()))
}

fn record(
    header: &csv::StringRecord,
    row: &csv::StringRecord,
    metric: &str,
    context: &Map<String, Value>,
) -> Result<(Kind, String), String> {
    let (mut labels, mut name, mut value, mut timestamp) =
        (context.clone(), metric.to_owned(), Value::Null, "");
    for (column, cell) in header.iter().zip(row) {
        match column {
            "timestamp" => timestamp = cell,
            "value" => {
                value = number_or_text(cell).map_err(|must| format!("the value {must}, it is {cell}"))?
            }
            "metric_name" => name = cell.to_owned(),
            label => drop(labels.insert(label.to_owned(), cell.into())),
        }
    }
    let sample =
        json!({"metric_name": name, "metric_value": value, "context": labels, "timestamp": timestamp});
    Ok((Kind::Metric, sample.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::tests::Kept;
    use crate::batches::{BATCH_BYTES, BATCH_RECORDS};

    fn read(text: &str, context: Value) -> Kept {
        let mut kept = Kept::default();
        read_csv(text.as_bytes(), "cpu", context.as_object().unwrap(), &mut kept).unwrap().unwrap();
        kept
    }

    #[test]
    fn columns_are_labels() {
        let text = "timestamp,value,host\n2025-01-01 00:00:00,1.5,a\n2025-01-01 00:00:01,inf,a\n";
        let kept = read(text, json!({"room": "r", "host": "of the command line"}));
        let sample = &kept.requests()[0]["metrics"][0];
        assert_eq!(sample["context"], json!({"room": "r", "host": "a"}));
        assert_eq!(sample["metric_name"], "cpu");
        assert_eq!(kept.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_batch_closes_at_the_bytes_that_are_sent() {
        const ROWS: usize = 100;
        let label = "x".repeat(BATCH_BYTES / 10);
        let rows: String = (0..ROWS).map(|n| format!("{n},1,{label}\n")).collect();
        let kept = read(&format!("timestamp,value,label\n{rows}"), json!({}));
        assert_eq!(kept.batches.iter().map(|batch| batch.len()).sum::<usize>(), ROWS);
        assert!(kept.batches.iter().all(|batch| batch.bytes <= BATCH_BYTES && batch.len() < BATCH_RECORDS));
    }
}
