mod evaluated;
mod hostile;
mod references;
mod searches;
mod usual;

use std::time::Instant;

use serde_json::json;

use super::*;

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap_or_else(|reason| panic!("{reason}"))
}

/// Why a schema is none.
fn refused(schema: &Value) -> String {
    Schema::parse(&schema.to_string()).err().unwrap_or_else(|| panic!("it is compiled"))
}
