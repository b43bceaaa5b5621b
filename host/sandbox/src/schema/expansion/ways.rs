//! The ways from schemas that ask what was evaluated through all that evaluates it with them.
//!
//! The validator goes all of them at the first judgement: through references that meet again their number multiplies. Where properties
//! are asked for, it merges the names and patterns that it meets on each, and keeps conditions with them. Nothing counts meanwhile, so
//! they are gone and counted here before.

use std::collections::{HashMap, HashSet};
use std::ptr;

use serde_json::{Map, Value};
use telemetry_core::limits;

use super::{BYTES_PER_VALUE, Found, IN_PLACE, Merging, Target, within_depth};
use crate::schema::places::{Place, child_of, is_reference};

/// Keywords whose schemas evaluate under a condition.
const CONDITIONAL: [&str; 4] = ["dependentSchemas", "else", "if", "then"];

/// What the ways from one schema merge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Merged {
    /// Names, patterns and conditions, and parts of long names as such. A pattern counts for each before it: they are compared.
    pub(super) values: usize,
    /// What searching for all of the patterns costs for each byte of a name.
    pub(super) name_steps: usize,
    patterns: usize,
}

/// What each schema merges that asks what was evaluated. The error says that it is too much, or that the ways are too many.
pub(super) fn merged<'s>(
    found: &Found<'s>,
    pattern_steps: &HashMap<&str, usize>,
) -> Result<Vec<(Merging, Merged)>, String> {
    let (targets, on_path) = (HashMap::new(), HashSet::new());
    let mut ways = Ways { found, pattern_steps, targets, on_path, steps: 0, merged: Merged::default() };
    let each = found.unevaluated.iter().map(|(members, place)| {
        ways.merged = Merged::default();
        ways.from(members, *place, At { depth: 1, conditions: 0 })?;
        Ok((Merging::from(*members), ways.merged))
    });
    each.collect()
}

/// How far a way went.
#[derive(Clone, Copy)]
struct At {
    depth: usize,
    /// Conditions that were met on it.
    conditions: usize,
}

impl At {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

struct Ways<'f, 's> {
    found: &'f Found<'s>,
    /// What searching for each pattern costs.
    pattern_steps: &'f HashMap<&'f str, usize>,
    /// Where references lead, each by its own place.
    targets: HashMap<*const Value, Option<Target<'s>>>,
    /// What was referred to on the present way.
    on_path: HashSet<*const Value>,
    /// Schemas and references that were met, on all ways of all schemas.
    steps: usize,
    /// What the ways of the present one merge.
    merged: Merged,
}

impl<'s> Ways<'_, 's> {
    fn from(&mut self, members: &'s Map<String, Value>, place: Place, at: At) -> Result<(), String> {
        within_depth(at.depth)?;
        self.count()?;
        for (name, inner) in members {
            let name = name.as_str();
            if is_reference(name) {
                self.follow(inner, at)?;
            } else if IN_PLACE.contains(&name) {
                let conditions = at.conditions + usize::from(CONDITIONAL.contains(&name));
                self.below(inner, child_of(place, name, inner), At { conditions, ..at })?;
            }
            match (name, inner) {
                ("properties", Value::Object(names)) => self.merge_names(names)?,
                ("patternProperties", Value::Object(patterns)) => self.merge_patterns(patterns)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A schema, or those in a list or under names.
    fn below(&mut self, value: &'s Value, place: Place, at: At) -> Result<(), String> {
        match (place, value) {
            (Place::Schema, Value::Object(members)) => {
                self.merge(at.conditions)?;
                self.from(members, place, at.deeper())
            }
            (Place::List, Value::Array(schemas)) => {
                schemas.iter().try_for_each(|schema| self.below(schema, Place::Schema, at))
            }
            (Place::Map, Value::Object(schemas)) => {
                schemas.values().try_for_each(|schema| self.below(schema, Place::Schema, at))
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, reference: &'s Value, at: At) -> Result<(), String> {
        self.count()?;
        let found = self.found;
        let lookup = || found.target(reference.as_str()?);
        let target = *self.targets.entry(ptr::from_ref(reference)).or_insert_with(lookup);
        let Some((target, place, _)) = target else { return Ok(()) };
        let (Some(members), step) = (target.as_object(), ptr::from_ref(target)) else { return Ok(()) };
        if !self.on_path.insert(step) {
            return Ok(());
        }
        self.from(members, place, at.deeper())?;
        self.on_path.remove(&step);
        Ok(())
    }

    fn merge_names(&mut self, names: &Map<String, Value>) -> Result<(), String> {
        let values = names.keys().map(|name| 1 + name.len() / BYTES_PER_VALUE);
        self.merge(values.fold(0, usize::saturating_add))
    }

    fn merge_patterns(&mut self, patterns: &Map<String, Value>) -> Result<(), String> {
        for pattern in patterns.keys() {
            self.merged.patterns += 1;
            self.merge(self.merged.patterns)?;
            let steps = self.pattern_steps.get(pattern.as_str()).copied().unwrap_or(0);
            self.merged.name_steps = self.merged.name_steps.saturating_add(steps);
        }
        Ok(())
    }

    fn merge(&mut self, values: usize) -> Result<(), String> {
        self.merged.values = self.merged.values.saturating_add(values);
        if self.merged.values > limits::MAX_SCHEMA_MERGED {
            return Err(format!(
                "it has unevaluatedProperties or unevaluatedItems, and the names and patterns on all ways through its references are more than {}",
                limits::MAX_SCHEMA_MERGED
            ));
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > limits::MAX_SCHEMA_WAYS {
            return Err(format!(
                "it has unevaluatedProperties or unevaluatedItems, and they have more than {} ways through its references",
                limits::MAX_SCHEMA_WAYS
            ));
        }
        Ok(())
    }
}
