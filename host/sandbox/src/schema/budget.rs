//! A bound on what judging by a foreign schema costs.
//!
//! A few hundred bytes of references that refer to one another make a validator visit more schemas than there are atoms, and
//! nothing stops it. So each schema within a schema is judged behind one of ours, which counts, and unwinds out of the validator
//! when there was enough: `S` becomes `{"allOf": [{"x-…": weight}, S]}`.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::time::Instant;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value, json};
use telemetry_core::limits;

use super::places::{Place, child_of, is_identifier, is_reference, translated};
use super::{expansion, expressions};

/// The keyword that counts; its value is how much.
pub(super) const KEYWORD: &str = "x-bridge-telemetry-steps";
/// Bytes of a schema's own text that count as one step.
const BYTES_PER_STEP: usize = 16;

/// What something may take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// Steps.
    pub(super) steps: u64,
    /// Bytes of the stack.
    pub(super) stack: usize,
    /// When it is over.
    pub(super) end: Option<Instant>,
}

/// Why something was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It took too many steps, or too much of the stack.
    Exhausted,
    /// Its time is over.
    Late,
    /// It panicked.
    Panicked,
}

/// What is left to what a thread does.
#[derive(Clone, Copy)]
struct Left {
    budget: Budget,
    /// Where its stack begins.
    base: usize,
}

thread_local! {
    static LEFT: Cell<Left> =
        const { Cell::new(Left { budget: Budget { steps: 0, stack: 0, end: None }, base: 0 }) };
}

/// About where the stack ends now.
#[inline(never)]
fn stack_end() -> usize {
    let here = 0_u8;
    ptr::from_ref(black_box(&here)).addr()
}

/// Counts so many steps.
struct Count(u64);

impl Count {
    fn count(&self) {
        let mut left = LEFT.get();
        let steps = left.budget.steps.checked_sub(self.0);
        let is_deep = left.base.abs_diff(stack_end()) > left.budget.stack;
        let Some(steps) = steps.filter(|_| !is_deep) else { resume_unwind(Box::new(Cause::Exhausted)) };
        // Each time: between two may be a search that takes long.
        if left.budget.end.is_some_and(|end| Instant::now() >= end) {
            resume_unwind(Box::new(Cause::Late));
        }
        left.budget.steps = steps;
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

/// Options that know the keyword. That it is compiled is counted as well.
pub(super) fn counting(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options.with_keyword(KEYWORD, |_: &Map<String, Value>, weight: &Value, _: Location| {
        Count(1).count();
        Ok(Box::new(Count(weight.as_u64().unwrap_or(1))))
    })
}

/// What `act` answers, within a budget. No panic of what is called gets out of it.
pub(super) fn within<R>(budget: Budget, act: impl FnOnce() -> R) -> Result<R, Cause> {
    LEFT.set(Left { budget, base: stack_end() });
    catch_unwind(AssertUnwindSafe(act))
        .map_err(|cause| cause.downcast_ref::<Cause>().copied().unwrap_or(Cause::Panicked))
}

/// A schema with what counts in it.
pub(super) struct Counted {
    pub(super) schema: Value,
    /// Whether items of arrays are compared with each other.
    pub(super) has_unique: bool,
    /// Bytes that its regular expressions are taken to need.
    pub(super) pattern_bytes: usize,
    /// How many schemas it consists of.
    pub(super) schemas: usize,
    /// What searching for its expressions costs for each byte of a text.
    pub(super) weight: usize,
}

/// The same schema, with what counts in it. The error says what such a schema may not have.
pub(super) fn counted(schema: &Value) -> Result<Counted, String> {
    let mut walk =
        Walk { root: schema, patterns: 0, pattern_bytes: 0, has_unique: false, schemas: 1, weight: 0 };
    let counted = walk.members(schema, Place::Root)?.0;
    expansion::bounded(schema)?;
    let Walk { pattern_bytes, has_unique, schemas, weight, .. } = walk;
    Ok(Counted { schema: counted, pattern_bytes, has_unique, schemas, weight })
}

struct Walk<'s> {
    root: &'s Value,
    patterns: usize,
    pattern_bytes: usize,
    has_unique: bool,
    schemas: usize,
    weight: usize,
}

impl Walk<'_> {
    /// What stands at a place, with what counts in it.
    fn value(&mut self, value: &Value, place: Place) -> Result<Value, String> {
        if place == Place::Schema {
            self.schemas = self.schemas.saturating_add(1);
        }
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
                (key, Value::String(reference)) if is_reference(key) => {
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
                // The validator would read what stands in it by other rules than those by which it is looked at here.
                ("$schema", _) if place != Place::Root => {
                    return Err("a schema within it says which draft it is of; only the whole may".to_owned());
                }
                _ => self.value(value, inner)?,
            };
            self.has_unique |= name == "uniqueItems";
            match (name.as_str(), &value) {
                ("pattern", Value::String(pattern)) => self.search([pattern])?,
                // The same name may be searched for each of them.
                ("patternProperties", Value::Object(patterns)) => self.search(patterns.keys())?,
                _ => {}
            }
            if name != KEYWORD {
                counted.insert(name.clone(), value);
            }
        }
        Ok((Value::Object(counted), weight))
    }

    /// Counts expressions that are searched for in the same text.
    fn search<'p>(&mut self, patterns: impl IntoIterator<Item = &'p String>) -> Result<(), String> {
        let mut weight = 0_usize;
        for pattern in patterns {
            self.patterns = self.patterns.saturating_add(1);
            if self.patterns > limits::MAX_SCHEMA_PATTERNS {
                return Err(format!("it has more than {} patterns", limits::MAX_SCHEMA_PATTERNS));
            }
            let own = expressions::weighed(pattern)?;
            weight = weight.saturating_add(own);
            self.pattern_bytes = self
                .pattern_bytes
                .saturating_add(own.saturating_mul(limits::SCHEMA_PATTERN_BYTES_PER_STATE))
                .saturating_add(limits::SCHEMA_PATTERN_BYTES);
        }
        self.weight = self.weight.max(weight);
        Ok(())
    }
}
