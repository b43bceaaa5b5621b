//! The stand-in for the host that judges events by JSON Schemas, with the functions of the generated bindings; but it has to be told
//! the batch, of which the host knows.

use crate::EventBatch;
use crate::bindings::imports::json_schemas::Fault;
use crate::bindings::imports::types::PluginError;

/// One JSON Schema.
#[cfg(feature = "json-schemas")]
#[derive(Debug)]
pub(crate) struct Schema(jsonschema::Validator);

#[cfg(feature = "json-schemas")]
impl Schema {
    pub(crate) fn compile(schema_json: &str) -> Result<Self, PluginError> {
        let schema: serde_json::Value = serde_json::from_str(schema_json)
            .map_err(|error| PluginError::Unsupported(format!("it is not JSON: {error}")))?;
        let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
        options.build(&schema).map(Self).map_err(|error| PluginError::Unsupported(error.to_string()))
    }

    pub(crate) fn check(
        &self,
        batch: &EventBatch,
        rows: &[u32],
        most: u32,
    ) -> Result<Vec<Fault>, PluginError> {
        let mut faults = Vec::new();
        for &row in rows {
            let unsupported = PluginError::Unsupported;
            let event = batch.events().nth(row as usize);
            let event = event.ok_or_else(|| unsupported(format!("there is no row {row} in this batch")))?;
            let data: serde_json::Value = serde_json::from_str(event.data_json())
                .map_err(|error| unsupported(format!("the data of row {row} is not JSON: {error}")))?;
            let found = self.0.iter_errors(&data).take(most as usize);
            faults.extend(found.map(|error| fault(row, &error)));
        }
        Ok(faults)
    }
}

/// In the host's words, which repeat no value.
#[cfg(feature = "json-schemas")]
fn fault(row: u32, error: &jsonschema::ValidationError<'_>) -> Fault {
    let message = match error.kind() {
        jsonschema::error::ValidationErrorKind::Not { .. } => {
            "value is what the keyword \"not\" excludes".to_owned()
        }
        _ => error.masked().to_string(),
    };
    let (path, keyword) = (error.instance_path().to_string(), error.kind().keyword().to_owned());
    Fault { row, path, keyword, message }
}

/// No JSON Schema: there is nothing that compiles one.
#[cfg(not(feature = "json-schemas"))]
#[derive(Debug)]
pub(crate) struct Schema;

#[cfg(not(feature = "json-schemas"))]
impl Schema {
    pub(crate) fn compile(_: &str) -> Result<Self, PluginError> {
        Err(switched_off())
    }

    pub(crate) fn check(&self, _: &EventBatch, _: &[u32], _: u32) -> Result<Vec<Fault>, PluginError> {
        Err(switched_off())
    }
}

#[cfg(not(feature = "json-schemas"))]
fn switched_off() -> PluginError {
    PluginError::Unsupported(
        "native builds judge by JSON Schemas with the feature `json-schemas` of bridge-telemetry-plugin alone: switch it on for tests"
            .to_owned(),
    )
}
