//! Compiled schemas that nothing frees.
//!
//! Of some schemas the validator never lets go what it compiled (`expansion/circles.rs` knows which): usual ones, such as types over a
//! base that leads back to them. So a plugin compiles each of them once: it is kept by its text for all its instances and versions, as
//! long as the process has it anyway. What a plugin compiled of that sort has a limit, whether it became a schema or not.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use telemetry_core::limits;

use super::budget::Cause;
use super::{Measured, Schema, unfinished};

/// Those of all plugins, by name: of one that was removed they are still there when it comes back.
#[derive(Default)]
pub(crate) struct LastingSchemas {
    plugins: Mutex<HashMap<Arc<str>, Arc<PluginSchemas>>>,
}

impl LastingSchemas {
    /// Those of one plugin.
    pub(crate) fn of(&self, plugin: &Arc<str>) -> Arc<PluginSchemas> {
        Arc::clone(self.plugins.lock().entry(Arc::clone(plugin)).or_default())
    }
}

/// Those of one plugin, which all its instances and versions share.
#[derive(Default)]
pub(crate) struct PluginSchemas {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// What became of each text.
    by_text: HashMap<Box<str>, Result<Schema, String>>,
    /// Bytes of all that was compiled.
    bytes: usize,
}

impl PluginSchemas {
    /// Compiles a schema that was measured, with its text, unless there is one with that text which lasts.
    pub(crate) fn compile(&self, text: &str, measured: &Measured) -> Result<Schema, String> {
        if !measured.is_lasting() {
            return measured.compiled().unwrap_or_else(|cause| Err(unfinished(cause)));
        }
        // Locked until it is compiled: whoever wants the same one gets it, and does not compile another.
        let mut kept = self.kept.lock();
        if let Some(known) = kept.by_text.get(text) {
            return known.clone();
        }
        let bytes = kept.bytes.saturating_add(measured.memory());
        if bytes > limits::MAX_LASTING_SCHEMAS_BYTES {
            return Err(format!(
                "its references lead back to types that evaluate with others, so that it stays in memory until the host ends, and all such schemas that the plugin compiled so far would come to more than {} bytes",
                limits::MAX_LASTING_SCHEMAS_BYTES
            ));
        }
        // What is left behind by one that fails is not known.
        kept.bytes = bytes;
        let compiled = measured.compiled();
        let is_late = matches!(compiled, Err(Cause::Late));
        let compiled = compiled.unwrap_or_else(|cause| Err(unfinished(cause)));
        // One that was late may be in time when it is tried again.
        if !is_late {
            kept.by_text.insert(text.into(), compiled.clone());
        }
        compiled
    }

    /// The same of a schema that is not measured yet, which is also answered as it is written.
    pub(crate) fn read(&self, text: &str) -> Result<(Schema, Value), String> {
        let measured = Measured::of(text)?;
        let schema = self.compile(text, &measured)?;
        Ok((schema, measured.written))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Types over a base that leads back to them, each with so many names.
    fn types(names: usize, title: &str) -> String {
        let properties: serde_json::Map<String, Value> =
            (0..names).map(|number| (format!("m{number}"), json!(true))).collect();
        json!({
            "title": title,
            "$ref": "#/$defs/a",
            "$defs": {
                "base": {"properties": {"below": {"items": {"anyOf": [{"$ref": "#/$defs/a"}]}}}},
                "a": {"$ref": "#/$defs/base", "properties": properties, "unevaluatedProperties": false},
            },
        })
        .to_string()
    }

    fn compiled(schemas: &PluginSchemas, text: &str) -> Result<Schema, String> {
        schemas.compile(text, &Measured::of(text)?)
    }

    fn is_one(one: &Schema, other: &Schema) -> bool {
        Arc::ptr_eq(&one.compiled, &other.compiled)
    }

    #[test]
    fn what_lasts_is_compiled_once_for_all_versions_of_a_plugin() {
        let all = LastingSchemas::default();
        let (name, other) = (Arc::from("a"), Arc::from("b"));
        let text = types(3, "types");
        let first = compiled(&all.of(&name), &text).unwrap();
        let second = compiled(&all.of(&name), &text).unwrap();
        assert!(is_one(&first, &second) && is_one(&first, &all.of(&name).read(&text).unwrap().0));
        assert!(!is_one(&first, &compiled(&all.of(&other), &text).unwrap()));
        assert_eq!(all.of(&name).kept.lock().bytes, first.memory());
        assert_eq!(second.faults(&json!({"below": [{"m1": 0}]})), []);
        assert_eq!(second.faults(&json!({"below": [{"n": 0}]}))[0].pointer, "");
    }

    #[test]
    fn what_is_freed_is_nobodys() {
        let schemas = PluginSchemas::default();
        let text = json!({"properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": false}).to_string();
        let (first, second) = (compiled(&schemas, &text).unwrap(), compiled(&schemas, &text).unwrap());
        assert!(!is_one(&first, &second));
        assert_eq!(schemas.kept.lock().bytes, 0);
    }

    #[test]
    fn one_plugin_compiles_some_of_them_and_is_refused_the_next() {
        let schemas = PluginSchemas::default();
        let compile = |number: usize| compiled(&schemas, &types(1_000, &number.to_string()));
        let each = compile(0).unwrap().memory();
        let fitting = limits::MAX_LASTING_SCHEMAS_BYTES / each;
        assert!(fitting < 100, "{each}");
        assert!((1..fitting).all(|number| compile(number).is_ok()));
        let reason = (fitting..fitting + 2).map(compile).find_map(Result::err).unwrap();
        assert!(
            reason.contains(&format!("more than {} bytes", limits::MAX_LASTING_SCHEMAS_BYTES)),
            "{reason}"
        );
        // It has those that it has, others of its schemas, and other plugins are none the worse.
        assert!(compile(0).is_ok() && compiled(&schemas, "{}").is_ok());
        assert!(compiled(&PluginSchemas::default(), &types(1_000, "x")).is_ok());
    }

    #[test]
    fn one_that_cannot_be_compiled_counts_once() {
        let schemas = PluginSchemas::default();
        let faulty = types(3, "x").replace("\"m1\":true", "\"m1\":{\"$ref\":\"#none\"}");
        let reason = compiled(&schemas, &faulty).unwrap_err();
        let counted = schemas.kept.lock().bytes;
        assert!(counted > 0, "{reason}");
        assert_eq!(compiled(&schemas, &faulty).unwrap_err(), reason);
        assert_eq!(schemas.kept.lock().bytes, counted);
    }

    #[test]
    fn several_threads_judge_by_one_schema() {
        let schemas = PluginSchemas::default();
        let text = types(3, "types");
        let nested = |last: Value| (0..30).fold(last, |inner, _| json!({"below": [inner, {"m0": 1}]}));
        let (right, wrong) = (nested(json!({})), nested(json!({"n": 0})));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let schema = compiled(&schemas, &text).unwrap();
                    for _ in 0..50 {
                        assert_eq!(schema.masked_faults(&right, 16, None), Ok(Vec::new()));
                        let faults = schema.masked_faults(&wrong, 16, None).unwrap();
                        let keywords: Vec<_> = faults.iter().map(|fault| fault.keyword.as_str()).collect();
                        assert_eq!(keywords, ["unevaluatedProperties", "anyOf"]);
                    }
                });
            }
        });
    }
}
