//! A bound on what judging by a foreign schema costs.
//!
//! A few hundred bytes of references that refer to one another make a validator visit more schemas than there are atoms, and
//! nothing stops it. So each schema within a schema is judged behind one of ours, which counts, and unwinds out of the validator
//! when there was enough: `S` becomes `{"allOf": [{"x-…": weight}, S]}`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value, json};
use telemetry_core::limits;

use super::places::{Place, child_of, translated};

/// The keyword that counts; its value is how much.
const KEYWORD: &str = "x-bridge-telemetry-steps";
/// Bytes of a schema's own text that count as one step.
const BYTES_PER_STEP: usize = 16;

thread_local! {
    /// Steps that are left to what this thread judges.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Why a judgement was left.
struct Exhausted;

/// Counts so many steps.
struct Count(u64);

impl Count {
    fn count(&self) {
        let Some(left) = LEFT.get().checked_sub(self.0) else { resume_unwind(Box::new(Exhausted)) };
        LEFT.set(left);
    }
}

impl<'i> Keyword<'i> for Count {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        self.count();
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        self.count();
        true
    }
}

/// Options that know the keyword.
pub(super) fn counting(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options.with_keyword(KEYWORD, |_: &Map<String, Value>, weight: &Value, _: Location| {
        Ok(Box::new(Count(weight.as_u64().unwrap_or(1))))
    })
}

/// What `judge` answers; `None` when it takes more than `steps`.
pub(super) fn within<R>(steps: u64, judge: impl FnOnce() -> R) -> Option<R> {
    LEFT.set(steps);
    match catch_unwind(AssertUnwindSafe(judge)) {
        Ok(answer) => Some(answer),
        Err(cause) if cause.is::<Exhausted>() => None,
        Err(cause) => resume_unwind(cause),
    }
}

/// The same schema, with what counts in it, and how many regular expressions it has. The error says what such a schema may not have.
pub(super) fn counted(schema: &Value) -> Result<(Value, usize), String> {
    let mut walk = Walk { root: schema, patterns: 0 };
    let counted = walk.members(schema, Place::Root)?.0;
    if walk.patterns > limits::MAX_SCHEMA_PATTERNS {
        return Err(format!("it has more than {} patterns", limits::MAX_SCHEMA_PATTERNS));
    }
    Ok((counted, walk.patterns))
}

/// Whether this keyword identifies schemas: `id` does where the document says that it is of draft 3 or 4.
fn is_identifier(root: &Value, key: &str) -> bool {
    let draft = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    key == "$id" || draft.contains("draft-03") || draft.contains("draft-04")
}

struct Walk<'s> {
    root: &'s Value,
    patterns: usize,
}

impl Walk<'_> {
    /// What stands at a place, with what counts in it.
    fn value(&mut self, value: &Value, place: Place) -> Result<Value, String> {
        match (place, value) {
            (Place::Schema, Value::Object(_)) => {
                let (members, weight) = self.members(value, place)?;
                Ok(json!({"allOf": [{KEYWORD: weight}, members]}))
            }
            (Place::Map, Value::Object(schemas)) => {
                let each = schemas.iter().map(|(name, schema)| {
                    Ok::<_, String>((name.clone(), self.value(schema, Place::Schema)?))
                });
                each.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            (Place::List, Value::Array(schemas)) => {
                let each = schemas.iter().map(|schema| self.value(schema, Place::Schema));
                each.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            _ => Ok(value.clone()),
        }
    }

    /// A schema's members, and what they weigh without the schemas in them.
    fn members(&mut self, schema: &Value, place: Place) -> Result<(Value, usize), String> {
        let Value::Object(members) = schema else { return Ok((schema.clone(), 1)) };
        let (mut counted, mut weight) = (Map::new(), 1_usize);
        for (name, value) in members {
            let inner = child_of(place, name, value);
            weight = weight.saturating_add(match inner {
                Place::Data => value.to_string().len() / BYTES_PER_STEP + 1,
                _ => value.as_array().map(Vec::len).or(value.as_object().map(Map::len)).unwrap_or(1),
            });
            let value = match (name.as_str(), value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                    Value::String(translated(self.root, reference)?)
                }
                // One that only names an anchor does not change where references lead.
                (key @ ("$id" | "id"), Value::String(id))
                    if place != Place::Root && !id.starts_with('#') && is_identifier(self.root, key) =>
                {
                    return Err(format!(
                        "a schema within it has the identifier {id}; only the whole may have one"
                    ));
                }
                _ => self.value(value, inner)?,
            };
            match (name.as_str(), &value) {
                ("pattern", _) => self.patterns += 1,
                ("patternProperties", Value::Object(patterns)) => self.patterns += patterns.len(),
                _ => {}
            }
            if name != KEYWORD {
                counted.insert(name.clone(), value);
            }
        }
        Ok((Value::Object(counted), weight))
    }
}
