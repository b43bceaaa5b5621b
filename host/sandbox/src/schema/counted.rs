//! A foreign schema, with what counts in it, and what is known of it before it is compiled.

use std::collections::HashMap;

use jsonschema::Draft;
use serde_json::{Map, Value};
use telemetry_core::limits;

use super::budget::{Copied, KEYWORD, Weight};
use super::expansion::{self, Compiled};
use super::measure::{bytes_of, most_compared};
use super::places::{self, Place, child_of, draft_of, is_identifier, is_naming, is_reference, translated};
use super::{anchors, constant, expressions};

/// Bytes of a schema's own text that count as one step.
const BYTES_PER_STEP: usize = 16;
/// Bytes that a schema itself takes, and each of its keywords, as long as it is no validator.
const SCHEMA_BYTES: usize = 600;
const KEYWORD_BYTES: usize = 150;
/// Keywords whose `false` is no schema that something is judged by: they have one fault for all that is not allowed.
const CLOSING: [&str; 5] =
    ["additionalItems", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties"];
/// Keywords whose arrays name what has to be there: each name that is not is a fault.
const REQUIRING: [&str; 3] = ["dependencies", "dependentRequired", "required"];
/// Keywords whose items the schemas for schemas compare with each other.
const COMPARED: [&str; 5] = ["dependencies", "dependentRequired", "enum", "required", "type"];
/// Keywords of alternatives, which keep the faults of each, and one of ours, whose fault is always a copy.
const COPYING: [&str; 3] = ["anyOf", constant::KEYWORD, "oneOf"];

/// A schema with what counts in it.
pub(super) struct Counted {
    pub(super) schema: Value,
    /// Whether items of arrays are compared with each other.
    pub(super) has_unique: bool,
    /// What is copied for a fault.
    pub(super) copied: Copied,
    /// What searching for all that one `unevaluatedProperties` merges costs for each byte of a name.
    pub(super) name_steps: usize,
    /// Bytes of the longest place of a schema within it.
    pub(super) longest_path: usize,
    /// Bytes that it is taken to need, besides those of its text.
    pub(super) memory: usize,
}

/// The same schema, with what counts in it. The error says what such a schema may not have.
pub(super) fn counted(root: &Value) -> Result<Counted, String> {
    let mut walk = Walk {
        root,
        draft: draft_of(root),
        depth: 0,
        patterns: HashMap::new(),
        pattern_bytes: 0,
        copies: 0,
        excluded: 0,
        has_unique: false,
        has_alternatives: false,
        has_names: false,
    };
    let schema = walk.schema(root, Place::Root)?;
    let Compiled { schemas, values, path_bytes, longest_path, merged, name_steps } =
        expansion::bounded(root, &walk.patterns)?;
    let named_bytes = anchors::path_bytes(&schema);
    if named_bytes > limits::MAX_SCHEMA_PATH_BYTES {
        let limit = limits::MAX_SCHEMA_PATH_BYTES;
        return Err(format!(
            "the places that its anchors name, and where they are referred to, are longer than {limit} bytes"
        ));
    }
    let sizes = [
        (named_bytes, 1),
        (schemas, limits::SCHEMA_OBJECT_BYTES),
        (values, limits::SCHEMA_VALUE_BYTES),
        (path_bytes, 1),
        (merged, limits::SCHEMA_MERGED_BYTES),
        (walk.pattern_bytes, 1),
        (walk.excluded, 1),
    ];
    let memory =
        sizes.into_iter().fold(0_usize, |sum, (count, each)| sum.saturating_add(count.saturating_mul(each)));
    let copied = match (walk.has_alternatives, walk.has_names) {
        (false, _) => Copied::Nothing,
        (true, false) => Copied::Part,
        (true, true) => Copied::Whole,
    };
    Ok(Counted { schema, has_unique: walk.has_unique, copied, name_steps, longest_path, memory })
}

struct Walk<'s> {
    root: &'s Value,
    draft: Draft,
    /// Levels of schemas around what is looked at.
    depth: usize,
    /// Each pattern, with what searching for it costs.
    patterns: HashMap<&'s str, usize>,
    pattern_bytes: usize,
    /// Bytes of all values, each for every schema that it stands in.
    copies: usize,
    /// Bytes of the schemas under `not`, which are kept for its faults.
    excluded: usize,
    has_unique: bool,
    has_alternatives: bool,
    has_names: bool,
}

impl<'s> Walk<'s> {
    /// What stands at a place, with what counts in it.
    fn value(&mut self, value: &'s Value, place: Place) -> Result<Value, String> {
        match (place, value) {
            (Place::Schema, _) => self.schema(value, place),
            (Place::Map | Place::Components, Value::Object(members)) => {
                // What else there is among components nothing can refer to.
                let within = members.iter().filter_map(|(name, inner)| match child_of(place, name, inner) {
                    Place::Data => None,
                    below => Some((name, inner, below)),
                });
                let each = within
                    .map(|(name, inner, below)| Ok::<_, String>((name.clone(), self.value(inner, below)?)));
                each.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            (Place::List, Value::Array(schemas)) => {
                let each = schemas.iter().map(|schema| self.value(schema, Place::Schema));
                each.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            _ => Ok(value.clone()),
        }
    }

    /// A schema behind what counts it.
    fn schema(&mut self, schema: &'s Value, place: Place) -> Result<Value, String> {
        match schema {
            Value::Object(members) => {
                self.depth = self.depth.saturating_add(1);
                if self.depth > limits::MAX_SCHEMA_NESTING {
                    let limit = limits::MAX_SCHEMA_NESTING;
                    return Err(format!("schemas are nested in it deeper than {limit} levels"));
                }
                self.count_copies(members.len().saturating_mul(KEYWORD_BYTES).saturating_add(SCHEMA_BYTES))?;
                let counted = self.members(members, place)?;
                self.depth = self.depth.saturating_sub(1);
                Ok(counted)
            }
            // True allows whatever it is.
            Value::Bool(false) => {
                let weight = Weight { steps: 1, faults: 1, ..Weight::default() };
                Ok(put_behind(Map::new(), weight, schema.clone()))
            }
            _ => Ok(schema.clone()),
        }
    }

    fn members(&mut self, members: &'s Map<String, Value>, place: Place) -> Result<Value, String> {
        let is_named = !(places::refers_alone(self.root) && members.contains_key("$ref"));
        let (mut before, mut behind) = (Map::new(), Map::new());
        let mut weight = Weight { steps: 1, ..Weight::default() };
        for (name, value) in members {
            if name == KEYWORD || (name == constant::KEYWORD && self.draft == Draft::Draft4) {
                continue;
            }
            let counted = self.member(name, value, place)?;
            let own = self.weighed(name, value, child_of(place, name, value))?;
            weight = Weight {
                steps: weight.steps.saturating_add(own.steps),
                faults: weight.faults.saturating_add(own.faults),
                lists: weight.lists.saturating_add(own.lists),
                bytes: weight.bytes.saturating_add(own.bytes),
                of_text: weight.of_text.saturating_add(own.of_text),
                of_names: weight.of_names.saturating_add(own.of_names),
            };
            if name == "not" {
                let bytes = bytes_of(&counted);
                self.excluded = self.excluded.saturating_add(bytes);
                weight.bytes = weight.bytes.saturating_add(bytes as u64);
            }
            let is_before = name == "$schema" || (is_named && is_naming(self.root, name));
            let to = if is_before { &mut before } else { &mut behind };
            to.insert(name.clone(), counted);
        }
        Ok(put_behind(before, weight, Value::Object(behind)))
    }

    /// The value of a keyword, with what counts in it.
    fn member(&mut self, name: &str, value: &'s Value, place: Place) -> Result<Value, String> {
        self.has_unique |= name == "uniqueItems";
        self.has_names |= name == "propertyNames";
        self.has_alternatives |= COPYING.contains(&name);
        match (name, value) {
            // Whatever it says, the validator goes to the root.
            ("$recursiveRef", to) if to != "#" => Err("its $recursiveRef may only be #".to_owned()),
            (key, Value::String(reference)) if is_reference(key) => {
                translated(self.root, reference).map(Value::String)
            }
            // Each reference keeps it.
            (key @ ("$id" | "id"), Value::String(id))
                if place == Place::Root
                    && id.len() > limits::MAX_SCHEMA_IDENTIFIER_BYTES
                    && is_identifier(self.root, key) =>
            {
                let limit = limits::MAX_SCHEMA_IDENTIFIER_BYTES;
                Err(format!("its identifier is longer than {limit} bytes"))
            }
            // One that only names an anchor does not change where references lead.
            (key @ ("$id" | "id"), Value::String(id))
                if place != Place::Root && !id.starts_with('#') && is_identifier(self.root, key) =>
            {
                Err(format!("a schema within it has the identifier {id}; only the whole may have one"))
            }
            // The validator would read what stands in it by other rules than those by which it is looked at here.
            ("$schema", _) if place != Place::Root => {
                Err("a schema within it says which draft it is of; only the whole may".to_owned())
            }
            (key, Value::Bool(false)) if CLOSING.contains(&key) => Ok(value.clone()),
            _ => self.value(value, child_of(place, name, value)),
        }
    }

    /// What a keyword weighs without the schemas in it.
    fn weighed(&mut self, name: &str, value: &'s Value, place: Place) -> Result<Weight, String> {
        if COMPARED.contains(&name) && most_compared(value) > limits::MAX_COMPARED_VALUES {
            return Err(format!("its {name} has too many items to compare with each other"));
        }
        // Their fault lists what is not allowed.
        let is_listing = matches!(
            (name, value),
            ("additionalProperties", Value::Bool(false)) | ("unevaluatedItems" | "unevaluatedProperties", _)
        );
        let is_requiring = REQUIRING.contains(&name);
        let names = if is_requiring { names_in(value) } else { 0 };
        let text = if place == Place::Data || is_requiring { value.to_string().len() } else { 0 };
        // The values to choose from are shared by all faults.
        let bytes = if name == "enum" { 0 } else { text };
        let steps = if place == Place::Data {
            self.count_copies(bytes_of(value))?;
            text / BYTES_PER_STEP + 1
        } else {
            let entries = value.as_array().map(Vec::len).or(value.as_object().map(Map::len)).unwrap_or(1);
            entries.saturating_add(names)
        };
        let (of_text, of_names) = match (name, value) {
            ("pattern", Value::String(pattern)) => (self.searching([pattern.as_str()])?, 0),
            // The same name may be searched for each of them.
            ("patternProperties", Value::Object(patterns)) => {
                (0, self.searching(patterns.keys().map(String::as_str))?)
            }
            _ => (0, 0),
        };
        Ok(Weight {
            steps: steps as u64,
            faults: 1 + names as u64,
            lists: u64::from(is_listing),
            bytes: bytes as u64,
            of_text: of_text as u64,
            of_names: of_names as u64,
        })
    }

    /// Counts bytes that stand in all the schemas around them.
    fn count_copies(&mut self, bytes: usize) -> Result<(), String> {
        self.copies = self.copies.saturating_add(bytes.saturating_mul(self.depth));
        if self.copies > limits::MAX_SCHEMA_COPIES_BYTES {
            return Err("it is too large for how deep it is nested".to_owned());
        }
        Ok(())
    }

    /// What searching for all of some expressions costs for each byte of a text.
    fn searching(&mut self, patterns: impl IntoIterator<Item = &'s str>) -> Result<usize, String> {
        let mut steps = 0_usize;
        for pattern in patterns {
            let own = match self.patterns.get(pattern) {
                Some(own) => *own,
                None => self.learn(pattern)?,
            };
            steps = steps.saturating_add(own);
        }
        Ok(steps)
    }

    /// What searching for an expression costs that is met for the first time: the validator compiles each of them once.
    fn learn(&mut self, pattern: &'s str) -> Result<usize, String> {
        if self.patterns.len() >= limits::MAX_SCHEMA_PATTERNS {
            return Err(format!("it has more than {} different patterns", limits::MAX_SCHEMA_PATTERNS));
        }
        let expression = expressions::weighed(pattern)?;
        self.pattern_bytes = self.pattern_bytes.saturating_add(expression.bytes);
        if self.pattern_bytes > limits::MAX_SCHEMA_PATTERNS_MEMORY {
            let limit = limits::MAX_SCHEMA_PATTERNS_MEMORY;
            return Err(format!("its patterns take more than {limit} bytes when they are compiled"));
        }
        self.patterns.insert(pattern, expression.steps);
        Ok(expression.steps)
    }
}

/// A schema behind one that counts, with the keywords that stand before that.
fn put_behind(mut before: Map<String, Value>, weight: Weight, schema: Value) -> Value {
    let counting = Map::from_iter([(KEYWORD.to_owned(), weight.to_value())]);
    before.insert("allOf".to_owned(), Value::Array(vec![Value::Object(counting), schema]));
    Value::Object(before)
}

/// How many names there are in the arrays of a keyword.
fn names_in(value: &Value) -> usize {
    match value {
        Value::Array(names) => names.len(),
        Value::Object(members) => members.values().filter_map(Value::as_array).map(Vec::len).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What counts, and the schema behind it.
    fn parts(schema: &Value) -> (Weight, &Value) {
        (Weight::of(&schema["allOf"][0][KEYWORD]), &schema["allOf"][1])
    }

    #[test]
    fn each_schema_stands_behind_what_counts_it_and_its_name_before() {
        let root = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://a.example/",
            "items": {"$anchor": "a", "enum": [1, 2]}, "additionalProperties": false, "contains": false});
        let counted = counted(&root).unwrap().schema;
        assert_eq!((&counted["$schema"], &counted["$id"]), (&root["$schema"], &root["$id"]));
        let (_, behind) = parts(&counted);
        assert_eq!((behind.get("$id"), behind.get("additionalProperties")), (None, Some(&json!(false))));
        let item = &behind["items"];
        assert_eq!((item.get("$anchor"), parts(item).1), (Some(&json!("a")), &json!({"enum": [1, 2]})));
        assert_eq!(parts(&behind["contains"]).1, &json!(false));
    }

    #[test]
    fn beside_a_reference_of_old_drafts_nothing_names_a_schema() {
        let draft = "http://json-schema.org/draft-07/schema#";
        let root =
            json!({"$schema": draft, "$id": "a.json", "$ref": "#/definitions/a", "definitions": {"a": {}}});
        let counted = counted(&root).unwrap().schema;
        assert_eq!((counted.get("$id"), counted.get("$schema")), (None, Some(&json!(draft))));
        assert_eq!(parts(&counted).1["$ref"], "#/allOf/1/definitions/a");
    }

    #[test]
    fn what_a_schema_has_by_itself_weighs() {
        let weight = |schema: Value| parts(&counted(&schema).unwrap().schema).0;
        let nothing = weight(json!({}));
        assert_eq!(nothing, Weight { steps: 1, ..Weight::default() });
        let names: Vec<String> = (0..100).map(|name| name.to_string()).collect();
        // Each name that is not there is a fault, wherever it has to be.
        let required = weight(json!({ "required": names }));
        assert_eq!((required.faults, required.lists), (101, 0));
        assert!(required.bytes > 400 && required.steps > 20, "{required:?}");
        let dependencies = weight(json!({"dependencies": {"a": names, "b": {"required": names}}}));
        assert!(dependencies.faults == 101 && dependencies.steps > 100, "{dependencies:?}");
        let closed = weight(json!({"additionalProperties": false, "unevaluatedProperties": {}}));
        assert_eq!((closed.faults, closed.lists), (2, 2));
        // What is excluded is repeated, what may be chosen from is not.
        let choice = json!({"enum": names});
        assert!(weight(json!({"not": choice})).bytes > 100 * size_of::<Value>() as u64);
        assert_eq!(weight(choice).bytes, 0);
    }

    #[test]
    fn what_is_copied_for_a_fault_is_known() {
        let copied = |schema: Value| counted(&schema).unwrap().copied;
        assert_eq!(copied(json!({"properties": {"anyOf": {"propertyNames": {}}}})), Copied::Nothing);
        assert_eq!(copied(json!({"items": {"oneOf": [{}]}})), Copied::Part);
        assert_eq!(copied(json!({"items": {"const": 1}})), Copied::Part);
        assert_eq!(copied(json!({"items": {"anyOf": [{}]}, "propertyNames": {}})), Copied::Whole);
    }

    #[test]
    fn large_values_are_not_nested_deep() {
        let numbers = json!({"enum": (0..40_000).collect::<Vec<_>>()});
        let nested = |depth: usize| (0..depth).fold(numbers.clone(), |inner, _| json!({"items": inner}));
        assert!(counted(&nested(5)).is_ok());
        assert!(counted(&nested(60)).err().unwrap().contains("how deep"));
    }
}
