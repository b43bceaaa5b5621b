//! The ways from schemas that ask what was evaluated through all that evaluates it with them.
//!
//! The validator goes all of them at the first judgement, and remembers of each only where it is: through references that meet again
//! their number multiplies. Nothing counts meanwhile, so they are gone and counted here before.

use std::collections::{HashMap, HashSet};
use std::ptr;

use serde_json::{Map, Value};
use telemetry_core::limits;

use super::{Found, IN_PLACE, Target, within_depth};
use crate::schema::places::{Place, child_of, is_reference};

/// The error says that they are too many.
pub(super) fn bounded(found: &Found<'_>) -> Result<(), String> {
    let mut ways = Ways { found, targets: HashMap::new(), on_path: HashSet::new(), steps: 0 };
    found.unevaluated.iter().try_for_each(|(members, place)| ways.from(members, *place, 1))
}

struct Ways<'f, 's> {
    found: &'f Found<'s>,
    /// Where references lead, each by its own place.
    targets: HashMap<*const Value, Option<Target<'s>>>,
    /// What was referred to on the present way.
    on_path: HashSet<*const Value>,
    /// Schemas and references that were met, on all ways.
    steps: usize,
}

impl<'s> Ways<'_, 's> {
    fn from(&mut self, members: &'s Map<String, Value>, place: Place, depth: usize) -> Result<(), String> {
        within_depth(depth)?;
        self.count()?;
        for (name, inner) in members {
            if is_reference(name) {
                self.follow(inner, depth)?;
            } else if IN_PLACE.contains(&name.as_str()) {
                self.below(inner, child_of(place, name, inner), depth)?;
            }
        }
        Ok(())
    }

    /// A schema, or those in a list or under names.
    fn below(&mut self, value: &'s Value, place: Place, depth: usize) -> Result<(), String> {
        match (place, value) {
            (Place::Schema, Value::Object(members)) => self.from(members, place, depth + 1),
            (Place::List, Value::Array(schemas)) => {
                schemas.iter().try_for_each(|schema| self.below(schema, Place::Schema, depth))
            }
            (Place::Map, Value::Object(schemas)) => {
                schemas.values().try_for_each(|schema| self.below(schema, Place::Schema, depth))
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, reference: &'s Value, depth: usize) -> Result<(), String> {
        self.count()?;
        let found = self.found;
        let lookup = || found.target(reference.as_str()?);
        let target = *self.targets.entry(ptr::from_ref(reference)).or_insert_with(lookup);
        let Some((target, place, _)) = target else { return Ok(()) };
        let (Some(members), step) = (target.as_object(), ptr::from_ref(target)) else { return Ok(()) };
        if !self.on_path.insert(step) {
            return Ok(());
        }
        self.from(members, place, depth + 1)?;
        self.on_path.remove(&step);
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
