//! What aggregation plugins offer and answer.

use std::collections::HashSet;

use serde_json::Value;
use telemetry_core::aggregation::AggregateValue;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

use super::{check_size, message, unusable};
use crate::bindings::aggregation;
use crate::schema::Schema;

/// One aggregate function of a plugin, checked.
#[derive(Debug)]
pub(crate) struct CheckedAggregate {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Schema,
    /// The same as it is written.
    pub(crate) parameters_schema: Value,
    pub(crate) mergeable: bool,
    pub(crate) needs_timestamps: bool,
}

/// Checks the functions that a plugin offers: names that a query can say, each once.
pub(crate) fn aggregates(given: Vec<aggregation::Aggregate>) -> Result<Vec<CheckedAggregate>, FailureReason> {
    if given.is_empty() || given.len() > limits::MAX_PLUGIN_AGGREGATES {
        return Err(unusable(format!(
            "it offers {} aggregates, not 1 to {}",
            given.len(),
            limits::MAX_PLUGIN_AGGREGATES
        )));
    }
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(given.len());
    for aggregate in given {
        if !is_identifier(&aggregate.name) {
            return Err(unusable(format!(
                "\"{}\" is no name for an aggregate: letters, digits and underscores, beginning with a letter",
                aggregate.name
            )));
        }
        if !names.insert(aggregate.name.to_ascii_lowercase()) {
            return Err(unusable(format!("it offers the aggregate \"{}\" twice", aggregate.name)));
        }
        let schema = Schema::read(&aggregate.parameters_schema_json).map_err(|reason| {
            unusable(format!("the schema of the parameters of \"{}\": {reason}", aggregate.name))
        });
        let (parameters, parameters_schema) = schema?;
        checked.push(CheckedAggregate {
            name: aggregate.name,
            description: message(aggregate.description),
            parameters,
            parameters_schema,
            mergeable: aggregate.mergeable,
            needs_timestamps: aggregate.needs_timestamps,
        });
    }
    Ok(checked)
}

fn is_identifier(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Checks the values of `groups` groups.
pub(crate) fn values(
    given: Vec<aggregation::Value>,
    groups: usize,
) -> Result<Vec<AggregateValue>, FailureReason> {
    if given.len() != groups {
        return Err(unusable(format!("{} values of {groups} groups", given.len())));
    }
    given
        .into_iter()
        .enumerate()
        .map(|(group, value)| match value {
            aggregation::Value::None => Ok(AggregateValue::None),
            aggregation::Value::Number(number) if number.is_finite() => Ok(AggregateValue::Number(number)),
            aggregation::Value::Number(number) => {
                Err(unusable(format!("the value of group {group} is {number}")))
            }
            aggregation::Value::Json(text) => json(group, &text),
        })
        .collect()
}

/// Text that a group's value is, measured before it is parsed.
fn json(group: usize, text: &str) -> Result<AggregateValue, FailureReason> {
    check_size(text, limits::MAX_AGGREGATE_JSON_BYTES)
        .map_err(|fault| unusable(format!("the value of group {group} {fault}")))?;
    serde_json::from_str::<Value>(text)
        .map(|json| AggregateValue::Json(Box::new(json)))
        .map_err(|error| unusable(format!("the value of group {group} is no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(names: &[&str]) -> Result<Vec<CheckedAggregate>, FailureReason> {
        aggregates(
            names
                .iter()
                .map(|name| aggregation::Aggregate {
                    name: (*name).to_owned(),
                    description: String::new(),
                    parameters_schema_json: "{}".to_owned(),
                    mergeable: true,
                    needs_timestamps: false,
                })
                .collect(),
        )
    }

    #[test]
    fn names_can_be_said_in_a_query() {
        assert!(offered(&["percentile", "p_2"]).is_ok());
        for names in [&["p", "P"][..], &[], &[""], &["a b"], &["2p"], &["p(q)"], &["é"], &["x"; 65]] {
            assert!(offered(names).is_err(), "{names:?}");
        }
    }

    #[test]
    fn values_are_finite_and_complete() {
        use aggregation::Value::{Json, None, Number};
        let check = |given, groups| values(given, groups).map_err(|reason| reason.kind());
        assert_eq!(
            check(vec![Number(1.0), None], 2),
            Ok(vec![AggregateValue::Number(1.0), AggregateValue::None])
        );
        assert_eq!(
            check(vec![Json("[1]".into())], 1),
            Ok(vec![AggregateValue::Json(Box::new(serde_json::json!([1])))])
        );
        for garbage in [vec![], vec![Number(f64::NAN)], vec![Number(f64::INFINITY)], vec![Json("{".into())]] {
            assert_eq!(check(garbage, 1), Err("output"));
        }
    }

    #[test]
    fn json_is_measured_before_it_is_parsed() {
        let json = |bytes: usize| {
            let text = format!("\"{}\"", "x".repeat(bytes - 2));
            values(vec![aggregation::Value::Json(text)], 1)
        };
        assert!(json(limits::MAX_AGGREGATE_JSON_BYTES).is_ok());
        let failure = json(limits::MAX_AGGREGATE_JSON_BYTES + 1).unwrap_err();
        assert_eq!(failure.kind(), "output");
        // Parsed, it would be found to be no JSON.
        let no_json = "[".repeat(limits::MAX_AGGREGATE_JSON_BYTES + 1);
        let failure = values(vec![aggregation::Value::Json(no_json)], 1).unwrap_err().to_string();
        assert!(failure.contains("1048577 bytes, the limit is 1048576"), "{failure}");
    }
}
