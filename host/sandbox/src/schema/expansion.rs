//! A bound on what compiling a foreign schema costs.
//!
//! Where a schema has `unevaluatedProperties` or `unevaluatedItems`, the validator compiles what may evaluate them once more, and
//! every reference in it each time that it is met. And it calls itself for what refers to something that refers to something.
//! So the same way is walked here first, and only counted.

use std::collections::{HashMap, HashSet};
use std::ptr;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use telemetry_core::limits;

use super::places::{Place, child_of, is_identifier, is_reference, target_of};

/// Keywords for which schemas are compiled once more.
const UNEVALUATED: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];
/// Keywords whose schemas evaluate what the whole does: they are compiled once more as well.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "then"];
/// Keywords whose schemas are compiled then as if they stood alone.
const BELOW: [&str; 5] =
    ["additionalProperties", "contains", "patternProperties", "unevaluatedItems", "unevaluatedProperties"];
/// Keywords whose schemas are compiled only where something refers to them.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// Bytes of a text that count as one more value.
const BYTES_PER_VALUE: usize = 16;

/// How a schema is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// With all that it has.
    Whole,
    /// As a part of one that asks what was evaluated.
    Part,
}

/// A schema that a reference leads to.
type Target<'s> = (&'s Value, Place);

/// Refuses a schema that takes too much to compile.
pub(super) fn bounded(root: &Value) -> Result<(), String> {
    let mut found = Found { root, anchors: HashMap::new(), has_unevaluated: false };
    found.look(root, Place::Root)?;
    let mut walk =
        Walk { found, targets: HashMap::new(), on_path: HashSet::new(), heights: HashMap::new(), visited: 0 };
    walk.visit(root, Place::Root, Way::Whole, 1).map(|_| ())
}

/// What has to be known before the walk.
struct Found<'s> {
    root: &'s Value,
    anchors: HashMap<&'s str, Target<'s>>,
    has_unevaluated: bool,
}

impl<'s> Found<'s> {
    fn look(&mut self, value: &'s Value, place: Place) -> Result<(), String> {
        match value {
            Value::Object(members) => {
                let is_schema = matches!(place, Place::Root | Place::Schema);
                for (name, inner) in members {
                    if is_schema {
                        self.has_unevaluated |= UNEVALUATED.contains(&name.as_str());
                        self.note(name, inner, (value, place))?;
                    }
                    self.look_below(place, name, inner)?;
                }
            }
            Value::Array(values) => {
                for inner in values {
                    self.look_below(place, "", inner)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn look_below(&mut self, place: Place, name: &str, inner: &'s Value) -> Result<(), String> {
        match child_of(place, name, inner) {
            Place::Data => Ok(()),
            below => self.look(inner, below),
        }
    }

    fn note(&mut self, name: &str, value: &'s Value, target: Target<'s>) -> Result<(), String> {
        let Some(text) = value.as_str() else { return Ok(()) };
        let anchor = match name {
            "$anchor" | "$dynamicAnchor" => text,
            "$id" | "id" if is_identifier(self.root, name) => match text.strip_prefix('#') {
                Some(anchor) => anchor,
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        match self.anchors.insert(anchor, target) {
            Some((other, _)) if !ptr::eq(other, target.0) => {
                Err(format!("more than one schema within it has the anchor {anchor}"))
            }
            _ => Ok(()),
        }
    }

    fn target(&self, reference: &str) -> Option<Target<'s>> {
        target_of(self.root, reference).or_else(|| {
            let (_, anchor) = reference.split_once('#')?;
            let decoded = || self.anchors.get(&*percent_decode_str(anchor).decode_utf8_lossy());
            self.anchors.get(anchor).or_else(decoded).copied()
        })
    }
}

struct Walk<'s> {
    found: Found<'s>,
    /// Where references lead, each by its own place: their texts may be long.
    targets: HashMap<*const Value, Option<Target<'s>>>,
    /// What was referred to on the present path.
    on_path: HashSet<(*const Value, Way)>,
    /// Levels of what was referred to. It is not walked again where the validator does not compile it again: what is compiled whole is
    /// kept. Within a circle they are less than there are; what is compiled is counted, too.
    heights: HashMap<(*const Value, Way), usize>,
    visited: usize,
}

impl<'s> Walk<'s> {
    /// How many levels a value has, with those of what it refers to.
    fn visit(&mut self, value: &'s Value, place: Place, way: Way, depth: usize) -> Result<usize, String> {
        within_depth(depth)?;
        self.count(1)?;
        let mut height = 0;
        match value {
            Value::Object(members) if matches!(place, Place::Root | Place::Schema) => {
                if way == Way::Part {
                    // Twice by itself: as what counts and as what stands behind it.
                    for _ in 0..2 {
                        height = height.max(self.whole(members, place, depth)?);
                    }
                    height = height.max(self.part(members, place, depth)?);
                } else {
                    height = self.whole(members, place, depth)?;
                }
            }
            Value::Object(members) => {
                for (name, inner) in members {
                    self.count(name.len() / BYTES_PER_VALUE)?;
                    height = height.max(self.visit(inner, child_of(place, name, inner), way, depth + 1)?);
                }
            }
            Value::Array(values) => {
                for inner in values {
                    height = height.max(self.visit(inner, child_of(place, "", inner), way, depth + 1)?);
                }
            }
            Value::String(text) => self.count(text.len() / BYTES_PER_VALUE)?,
            _ => {}
        }
        Ok(height + 1)
    }

    fn whole(
        &mut self,
        members: &'s Map<String, Value>,
        place: Place,
        depth: usize,
    ) -> Result<usize, String> {
        let mut height = 0;
        for (name, inner) in members {
            let name = name.as_str();
            if DEFINITIONS.contains(&name) {
                continue;
            }
            if is_reference(name) {
                height = height.max(self.follow(inner, Way::Whole, depth + 2)?);
            }
            let below = child_of(place, name, inner);
            height = height.max(self.visit(inner, below, Way::Whole, depth + 1)?);
            if UNEVALUATED.contains(&name) {
                height = height.max(self.part(members, place, depth)?);
            }
        }
        Ok(height)
    }

    fn part(&mut self, members: &'s Map<String, Value>, place: Place, depth: usize) -> Result<usize, String> {
        let mut height = 0;
        for (name, inner) in members {
            let name = name.as_str();
            let way = if IN_PLACE.contains(&name) { Way::Part } else { Way::Whole };
            if is_reference(name) {
                height = height.max(self.follow(inner, Way::Part, depth + 2)?);
            } else if way == Way::Part || BELOW.contains(&name) {
                let below = child_of(place, name, inner);
                height = height.max(self.visit(inner, below, way, depth + 1)?);
            } else {
                // Names are kept, not what they name.
                self.count(1 + inner.as_object().map_or(0, Map::len))?;
            }
        }
        Ok(height)
    }

    /// The levels that a reference adds to the schema that has it: its own, and those of what it leads to.
    fn follow(&mut self, reference: &'s Value, way: Way, depth: usize) -> Result<usize, String> {
        let Some(text) = reference.as_str() else { return Ok(0) };
        let found = &self.found;
        let target = *self.targets.entry(ptr::from_ref(reference)).or_insert_with(|| found.target(text));
        // What leads nowhere is told by others.
        let Some((target, place)) = target else { return Ok(0) };
        let step = (ptr::from_ref(target), way);
        let is_kept = way == Way::Whole || !self.found.has_unevaluated;
        if let Some(height) = self.heights.get(&step).filter(|_| is_kept) {
            within_depth(depth + height)?;
            return Ok(height + 1);
        }
        if !self.on_path.insert(step) {
            return Ok(0);
        }
        let height = self.visit(target, place, way, depth)?;
        self.on_path.remove(&step);
        self.heights.insert(step, height);
        Ok(height + 1)
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.visited = self.visited.saturating_add(values);
        // Otherwise nothing is visited twice.
        if self.found.has_unevaluated && self.visited > limits::MAX_SCHEMA_EXPANSION {
            return Err(format!(
                "it has unevaluatedProperties or unevaluatedItems, and with its references followed it is larger than {} values",
                limits::MAX_SCHEMA_EXPANSION
            ));
        }
        Ok(())
    }
}

fn within_depth(depth: usize) -> Result<(), String> {
    if depth > limits::MAX_SCHEMA_DEPTH {
        return Err(format!(
            "with its references followed it is nested deeper than {} levels",
            limits::MAX_SCHEMA_DEPTH
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions of which each refers to the next one twice, with more members.
    fn doubling(more: &Value, reference: impl Fn(usize) -> Value, name: impl Fn(usize) -> Value) -> Value {
        let mut root = json!({"allOf": [reference(0)], "$defs": {}});
        for place in 0..40 {
            let mut definition = json!({"allOf": [reference(place + 1), reference(place + 1)]});
            for members in [&name(place), more] {
                definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            }
            root["$defs"][format!("a{place}")] = definition;
        }
        root["$defs"]["a40"] = name(40);
        root
    }

    #[test]
    fn what_is_compiled_over_and_over_is_refused() {
        let pointer = |place: usize| json!({"$ref": format!("#/$defs/a{place}")});
        let anchor = |place: usize| json!({"$ref": format!("#a{place}")});
        let unnamed = |_: usize| json!({});
        let refused = |schema: &Value| {
            let fault = bounded(schema).unwrap_err();
            assert!(fault.contains("larger than"), "{fault}");
        };
        assert_eq!(bounded(&doubling(&json!({}), pointer, unnamed)), Ok(()));
        for keyword in UNEVALUATED {
            let more = json!({ keyword: false });
            refused(&doubling(&more, pointer, unnamed));
            refused(&doubling(&more, anchor, |place| json!({"$anchor": format!("a{place}")})));
            refused(&doubling(&more, anchor, |place| json!({"$id": format!("#a{place}")})));
            let dynamic = |place: usize| json!({"$dynamicRef": format!("#a{place}")});
            refused(&doubling(&more, dynamic, |place| json!({"$dynamicAnchor": format!("a{place}")})));
            let mut root = doubling(&json!({}), pointer, unnamed);
            root[keyword] = json!(false);
            refused(&root);
        }
        // No references are needed for that.
        let nested =
            (0..40).fold(json!({}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}));
        refused(&nested);
    }

    #[test]
    fn usual_schemas_that_ask_what_was_evaluated_are_not() {
        let tree = json!({
            "$ref": "#/$defs/node", "unevaluatedProperties": false,
            "$defs": {
                "base": {"properties": {"name": {"type": "string"}}},
                "node": {"allOf": [{"$ref": "#/$defs/base"}], "properties": {"below": {"items": {"$ref": "#"}}}},
            },
        });
        assert_eq!(bounded(&tree), Ok(()));
    }

    #[test]
    fn an_anchor_names_one_schema() {
        let twice = json!({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}});
        assert!(bounded(&twice).unwrap_err().contains("anchor x"));
        assert_eq!(bounded(&json!({"$anchor": "x", "$dynamicAnchor": "x"})), Ok(()));
    }

    #[test]
    fn the_last_definition_of_a_chain_may_come_first() {
        let chain = |length: usize| {
            let mut root = json!({"allOf": [], "$defs": {"a0": {}}});
            for place in 0..length {
                let reference = json!({"$ref": format!("#/$defs/a{place}")});
                root["allOf"].as_array_mut().unwrap().push(reference.clone());
                root["$defs"][format!("a{}", place + 1)] = reference;
            }
            bounded(&root)
        };
        assert_eq!(chain(100), Ok(()));
        assert!(chain(200).unwrap_err().contains("nested deeper"));
    }
}
