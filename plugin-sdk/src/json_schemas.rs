//! JSON Schemas, compiled and applied to events by the host: faster than by a library within the component, and without the megabyte
//! or two that it takes there. For validators and monitors. (The schema of a plugin's own configuration is
//! [`Plugin::CONFIG_SCHEMA`](crate::Plugin::CONFIG_SCHEMA).)
//!
//! A schema is of draft 4, 6, 7, 2019-09 or 2020-12. It may refer to what stands in it, `#/components/schemas/…` of OpenAPI included, and
//! to nothing else, and of the schemas within it none has an identifier of its own; its patterns are of ECMA 262, without look-around,
//! back-references and flags. Compiling and judging take the call's own time, and together with the searches for patterns there may be so
//! many in a call: two thousand, and 256 for each record.
//!
//! In native builds the crate [`jsonschema`](https://docs.rs/jsonschema) judges, if the SDK's feature `json-schemas` is on; without it
//! no schema is compiled. It finds the same faults, but has none of the host's limits, and takes what the host refuses: flags in
//! patterns, identifiers within. A test case for `plugin test` shows what the host says. It takes a minute to compile, and only a
//! plugin's tests need it:
//!
//! ```toml
//! [dev-dependencies]
//! bridge-telemetry-plugin = { path = "…", features = ["json-schemas"] }
//! ```

use crate::EventBatch;
use crate::error::Result;

#[doc(inline)]
pub use crate::bindings::imports::json_schemas::Fault as SchemaFault;

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::json_schemas as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::json_schemas as host;

/// One JSON Schema. It takes a part of the plugin's memory as long as it is kept: make it once, in
/// [`Plugin::new`](crate::Plugin::new).
///
/// ```
/// use bridge_telemetry_plugin::json_schemas::Schema;
/// use bridge_telemetry_plugin::testing::EventBatchBuilder;
/// # if cfg!(not(feature = "json-schemas")) { return Ok(()); }
///
/// let schema = Schema::new(r#"{"required":["id"],"properties":{"priority":{"maximum":9}}}"#)?;
/// let batch = EventBatchBuilder::new()
///     .event("COMMAND_RECEIVED", "bridge", r#"{"id":"c1","priority":10}"#)
///     .event("LOGIN", "bridge", "{}")
///     .event("COMMAND_RECEIVED", "bridge", "{}")
///     .build();
/// let commands = batch.events().filter(|event| event.event_type() == "COMMAND_RECEIVED");
/// let rows: Vec<u32> = commands.map(|event| event.row()).collect();
///
/// let faults = schema.check(&batch, &rows, 16)?;
/// let found: Vec<_> = faults.iter().map(|fault| (fault.row, fault.path.as_str(), fault.keyword.as_str())).collect();
/// assert_eq!(found, [(0, "/priority", "maximum"), (2, "", "required")]);
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
#[derive(Debug)]
pub struct Schema(host::Schema);

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`](crate::PluginError::Unsupported) says where it is wrong, or which limit of the host it is over:
    /// 256 KiB of text, schemas 64 levels deep, 64 different patterns of 384 bytes each, which take 32 MiB together when they are
    /// compiled, 1,024 schemas that are kept, and the plugin's memory, of which each takes 32 bytes for each byte of its text, 2 KiB
    /// for each schema within it and as much as its place is long some ten times, 160 bytes for each value, twice as much for each name
    /// that an `unevaluatedProperties` merges, and for each different pattern 256 KiB, for what two threads keep of their searches, and
    /// what it becomes when it is compiled.
    ///
    /// What `unevaluatedProperties` and `unevaluatedItems` are asked about by references may not lead back to them by references: in a tree
    /// of nodes they stand in the schema of the node, not around a reference to it.
    pub fn new(schema_json: &str) -> Result<Self> {
        Ok(Self(host::Schema::compile(schema_json)?))
    }

    /// Judges the `data` of the events in these rows of the batch ([`Event::row`](crate::Event::row)): the faults of each row in turn,
    /// at most `most` of each; of an event that fits there is none. Ask once for all rows that a schema is for.
    ///
    /// The host judges the events that it calls the plugin with, as it handed them over, and has no others. So `batch` is to be the
    /// one that [`validate_events`](crate::Validator::validate_events) or [`on_events`](crate::Monitor::on_events) is at work on: with
    /// one that was kept from an earlier call, a component is told about the events that stand in those rows now, or that there is
    /// no such row. Native tests do not show that, since there `batch` itself is judged.
    ///
    /// An event that takes too much to judge is not judged to its end: it has one fault, of the keyword `limit`. That is one that
    /// takes too many steps or more than a tenth of a second, one for whose values the plugin's memory has no room, one with a text,
    /// or with names of members, too long for the patterns of the schema, and, where the schema has `uniqueItems`, one with an array of
    /// thousands of different arrays that are the same but for their brackets. All slow events of a call together have three quarters of
    /// its time, each a quarter of what is left.
    ///
    /// Where all faults would come to more than 16 MiB, of later events only the keyword of the first one is told.
    ///
    /// # Errors
    /// When there is no such row, or no batch at all, as in [`Plugin::new`](crate::Plugin::new) and
    /// [`tick`](crate::Monitor::tick); and when there are more rows than the batch has.
    ///
    /// When slow events, or a great many, took the call's time, so that one of those after them would have had less than five
    /// milliseconds: it is not to blame, and is not told as if it were. Answer this error for the call. In a validator it is
    /// [`PluginError::Transient`](crate::PluginError::Transient), no fault of the plugin: the host does with the events what its
    /// configuration says of failures, and their sender may come again, with fewer at once. In a monitor it is
    /// [`PluginError::Unsupported`](crate::PluginError::Unsupported), and the host shows it fewer at once.
    pub fn check(&self, batch: &EventBatch, rows: &[u32], most: u32) -> Result<Vec<SchemaFault>> {
        #[cfg(target_arch = "wasm32")]
        let faults = {
            let _ = batch;
            self.0.check(rows, most)
        };
        #[cfg(not(target_arch = "wasm32"))]
        let faults = self.0.check(batch, rows, most);
        Ok(faults?)
    }
}

#[cfg(all(test, not(feature = "json-schemas")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_it_is_named() {
        let error = Schema::new("{}").err().unwrap();
        assert!(error.message().contains("feature `json-schemas`"), "{error}");
    }
}

#[cfg(all(test, feature = "json-schemas"))]
mod tests {
    use super::*;
    use crate::PluginError;
    use crate::testing::EventBatchBuilder;

    fn batch(all: &[&str]) -> EventBatch {
        all.iter().fold(EventBatchBuilder::new(), |batch, data| batch.event("e", "s", data)).build()
    }

    #[test]
    fn faults_come_by_row_and_not_more_than_asked_for() {
        let schema = r#"{"required":["a"],"properties":{"b":{"maxLength":2},"c":{"not":{"type":"string"}}}}"#;
        let schema = Schema::new(schema).unwrap();
        let batch = batch(&[r#"{"a":1}"#, r#"{"b":"hunter2","c":"hunter2"}"#, "{}"]);
        let check = |rows: &[u32], most| schema.check(&batch, rows, most).unwrap();
        let all = check(&[2, 0, 1], 16);
        let mut found: Vec<_> = all.iter().map(|fault| (fault.row, &*fault.path, &*fault.keyword)).collect();
        assert!(found.iter().map(|(row, ..)| *row).eq([2, 1, 1, 1]), "{all:?}");
        found.sort_unstable();
        let expected = [(1, "", "required"), (1, "/b", "maxLength"), (1, "/c", "not"), (2, "", "required")];
        assert_eq!(found, expected);
        assert!(all.iter().all(|fault| !fault.message.contains("hunter2")), "{all:?}");
        assert_eq!((check(&[1], 2).len(), check(&[1, 1], 16).len(), check(&[], 16).len()), (2, 6, 0));
        assert!(schema.check(&batch, &[3], 1).unwrap_err().message().contains("no row 3"));
    }

    #[test]
    fn a_wrong_schema_is_unsupported() {
        for wrong in [
            "",
            "[]",
            r#"{"type":"text"}"#,
            r#"{"pattern":"a(?=b)"}"#,
            r#"{"$ref":"https://example.org/schema.json"}"#,
        ] {
            assert!(matches!(Schema::new(wrong), Err(PluginError::Unsupported(_))), "{wrong}");
        }
    }
}
