//! A bound on what compiling a foreign schema costs.
//!
//! Where a schema has `unevaluatedProperties` or `unevaluatedItems`, the validator compiles what may evaluate them once more, and
//! every reference in it each time that it is met. It calls itself for what refers to something that refers to something, and
//! what it keeps of them is a chain, which is let go by as many calls as it is long. So the same way is walked here first, and only
//! counted. What it keeps of a schema has the places of all schemas as texts, many times each: they are counted, too.

mod circles;
#[cfg(test)]
mod tests;
mod ways;

use std::collections::{HashMap, HashSet};
use std::ptr;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use telemetry_core::limits;

use super::places::{BEHIND, DEFINITIONS, Place, child_of, is_identifier, is_reference, target_of};

/// Keywords for which schemas are compiled once more.
const UNEVALUATED: [&str; 2] = ["unevaluatedItems", MERGING];
/// That of them which merges what evaluates with it: each time that it is compiled, when it is first judged by.
const MERGING: &str = "unevaluatedProperties";
/// Keywords whose schemas evaluate what the whole does: they are compiled once more as well.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "then"];
/// Keywords whose schemas are compiled then as if they stood alone.
const BELOW: [&str; 5] =
    ["additionalProperties", "contains", "patternProperties", "unevaluatedItems", "unevaluatedProperties"];
/// Bytes of a text that count as one more value.
const BYTES_PER_VALUE: usize = 16;
/// How often the place of a schema is kept, with those of the one that counts before it.
const PLACES_OF_SCHEMA: usize = 8;
/// And once more for each of its keywords, as text and as address.
const PLACES_OF_KEYWORD: usize = 3;
/// Bytes of the place of an item among others.
const INDEX_BYTES: usize = 8;

/// How a schema is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// With all that it has.
    Whole,
    /// As a part of one that asks what was evaluated.
    Part,
}

/// A schema that merges, by where its members are.
type Merging = *const Map<String, Value>;

/// A schema that a reference leads to, and the bytes of its place.
type Target<'s> = (&'s Value, Place, usize);

/// Where something stands.
#[derive(Clone, Copy, Debug)]
struct At {
    /// Levels that it is nested in, with those of what refers to it.
    depth: usize,
    /// Bytes of its place.
    path: usize,
}

impl At {
    fn below(self, name: &str) -> Self {
        Self { depth: self.depth + 1, path: path_below(self.path, name) }
    }
}

/// What a schema is compiled to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compiled {
    /// Schemas.
    pub(super) schemas: usize,
    /// Values, and parts of long texts as such.
    pub(super) values: usize,
    /// Bytes of all places that are kept.
    pub(super) path_bytes: usize,
    /// Bytes of the longest of them.
    pub(super) longest_path: usize,
    /// Names and patterns that are merged, and parts of long ones as such.
    pub(super) merged: usize,
    /// What searching for all patterns that are merged into one costs for each byte of a name.
    pub(super) name_steps: usize,
}

/// What a schema is compiled to, with what searching for each of its patterns costs; the error says why that is too much.
pub(super) fn bounded(root: &Value, pattern_steps: &HashMap<&str, usize>) -> Result<Compiled, String> {
    let mut found = Found { root, anchors: HashMap::new(), unevaluated: Vec::new() };
    found.look(root, Place::Root, 0)?;
    if circles::are_in(&found) {
        return Err("what \"unevaluatedProperties\" and \"unevaluatedItems\" are asked about by references leads back to them by references; \
                    say them in the schema that they refer to, or \"additionalProperties\" and \"items\" instead"
            .to_owned());
    }
    let mut walk = Walk {
        found,
        targets: HashMap::new(),
        on_path: HashSet::new(),
        heights: HashMap::new(),
        merging: HashMap::new(),
        compiled: Compiled::default(),
    };
    // All places stand behind the schema's identifier.
    let names = ["$id", "id"].into_iter().filter_map(|key| root.get(key)?.as_str());
    let path = names.map(str::len).max().unwrap_or_default();
    walk.visit(root, Place::Root, Way::Whole, At { depth: 1, path })?;
    let Walk { found, merging, mut compiled, .. } = walk;
    for (members, merged) in ways::merged(&found, pattern_steps)? {
        let times = merging.get(&members).copied().unwrap_or(0);
        compiled.merged = compiled.merged.saturating_add(merged.values.saturating_mul(times));
        compiled.name_steps = compiled.name_steps.max(merged.name_steps);
    }
    Ok(compiled)
}

/// What has to be known before the walk.
struct Found<'s> {
    root: &'s Value,
    anchors: HashMap<&'s str, Target<'s>>,
    /// The schemas that ask what was evaluated, with their places.
    unevaluated: Vec<(&'s Map<String, Value>, Place)>,
}

impl<'s> Found<'s> {
    fn look(&mut self, value: &'s Value, place: Place, path: usize) -> Result<(), String> {
        match value {
            Value::Object(members) => {
                let is_schema = matches!(place, Place::Root | Place::Schema);
                let inside = if is_schema { path + BEHIND.len() } else { path };
                if is_schema && UNEVALUATED.iter().any(|name| members.contains_key(*name)) {
                    self.unevaluated.push((members, place));
                }
                for (name, inner) in members {
                    if is_schema {
                        self.note(name, inner, (value, place, path))?;
                    }
                    self.look_below(place, name, inner, inside)?;
                }
            }
            Value::Array(values) => {
                for inner in values {
                    self.look_below(place, "", inner, path)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn look_below(&mut self, place: Place, name: &str, inner: &'s Value, path: usize) -> Result<(), String> {
        match child_of(place, name, inner) {
            Place::Data => Ok(()),
            below => self.look(inner, below, path_below(path, name)),
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
            Some((other, ..)) if !ptr::eq(other, target.0) => {
                Err(format!("more than one schema within it has the anchor {anchor}"))
            }
            _ => Ok(()),
        }
    }

    fn target(&self, reference: &str) -> Option<Target<'s>> {
        let pointed = target_of(self.root, reference).map(|(value, place)| {
            // Behind each step of it a schema may stand.
            let steps = reference.bytes().filter(|byte| *byte == b'/').count();
            (value, place, reference.len() + steps * BEHIND.len())
        });
        pointed.or_else(|| {
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
    /// How often each schema is compiled that merges.
    merging: HashMap<Merging, usize>,
    compiled: Compiled,
}

impl<'s> Walk<'s> {
    /// How many levels a value has, with those of what it refers to.
    fn visit(&mut self, value: &'s Value, place: Place, way: Way, at: At) -> Result<usize, String> {
        within_depth(at.depth)?;
        self.count(1)?;
        let is_schema = matches!(place, Place::Root | Place::Schema);
        if is_schema {
            self.place(at.path, value.as_object().map_or(0, Map::len))?;
        }
        let mut height = 0;
        match value {
            Value::Object(members) if is_schema => {
                let behind = At { path: at.path + BEHIND.len(), ..at };
                if way == Way::Part {
                    // Twice by itself: as what counts and as what stands behind it.
                    for _ in 0..2 {
                        height = height.max(self.whole(members, place, behind)?);
                    }
                    height = height.max(self.part(members, place, behind)?);
                } else {
                    height = self.whole(members, place, behind)?;
                }
            }
            Value::Object(members) => {
                for (name, inner) in members {
                    self.count(name.len() / BYTES_PER_VALUE)?;
                    let below = child_of(place, name, inner);
                    height = height.max(self.visit(inner, below, way, at.below(name))?);
                }
            }
            Value::Array(values) => {
                for inner in values {
                    let below = child_of(place, "", inner);
                    height = height.max(self.visit(inner, below, way, at.below(""))?);
                }
            }
            Value::String(text) => self.count(text.len() / BYTES_PER_VALUE)?,
            _ => {}
        }
        Ok(height + 1)
    }

    fn whole(&mut self, members: &'s Map<String, Value>, place: Place, at: At) -> Result<usize, String> {
        let mut height = 0;
        for (name, inner) in members {
            let name = name.as_str();
            if DEFINITIONS.contains(&name) {
                continue;
            }
            if is_reference(name) {
                height = height.max(self.follow(inner, Way::Whole, at)?);
            }
            let below = child_of(place, name, inner);
            height = height.max(self.visit(inner, below, Way::Whole, at.below(name))?);
            if UNEVALUATED.contains(&name) {
                height = height.max(self.part(members, place, at)?);
            }
            if name == MERGING {
                let times = self.merging.entry(ptr::from_ref(members)).or_default();
                *times = times.saturating_add(1);
            }
        }
        Ok(height)
    }

    fn part(&mut self, members: &'s Map<String, Value>, place: Place, at: At) -> Result<usize, String> {
        let mut height = 0;
        for (name, inner) in members {
            let name = name.as_str();
            let way = if IN_PLACE.contains(&name) { Way::Part } else { Way::Whole };
            if is_reference(name) {
                height = height.max(self.follow(inner, Way::Part, at)?);
            } else if way == Way::Part || BELOW.contains(&name) {
                let below = child_of(place, name, inner);
                height = height.max(self.visit(inner, below, way, at.below(name))?);
            } else {
                // Names are kept, not what they name.
                let names = inner.as_object().into_iter().flat_map(Map::keys);
                self.count(1 + names.map(|name| 1 + name.len() / BYTES_PER_VALUE).sum::<usize>())?;
            }
        }
        Ok(height)
    }

    /// The levels that a reference adds to the schema that has it: its own, and those of what it leads to.
    fn follow(&mut self, reference: &'s Value, way: Way, at: At) -> Result<usize, String> {
        let Some(text) = reference.as_str() else { return Ok(0) };
        let found = &self.found;
        let target = *self.targets.entry(ptr::from_ref(reference)).or_insert_with(|| found.target(text));
        // What leads nowhere is told by others.
        let Some((target, place, path)) = target else { return Ok(0) };
        // What is compiled as a part stands where the reference does.
        let at = At { depth: at.depth + 2, path: if way == Way::Part { at.path } else { path } };
        let step = (ptr::from_ref(target), way);
        let is_kept = way == Way::Whole || self.found.unevaluated.is_empty();
        if let Some(height) = self.heights.get(&step).filter(|_| is_kept) {
            within_depth(at.depth + height)?;
            return Ok(height + 1);
        }
        // It leads back to what is being compiled.
        if !self.on_path.insert(step) {
            return Ok(0);
        }
        let height = self.visit(target, place, way, at)?;
        self.on_path.remove(&step);
        self.heights.insert(step, height);
        Ok(height + 1)
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.compiled.values = self.compiled.values.saturating_add(values);
        // Otherwise nothing is visited twice.
        if !self.found.unevaluated.is_empty() && self.compiled.values > limits::MAX_SCHEMA_EXPANSION {
            return Err(format!(
                "it has unevaluatedProperties or unevaluatedItems, and with its references followed it is larger than {} values",
                limits::MAX_SCHEMA_EXPANSION
            ));
        }
        Ok(())
    }

    /// Counts a schema with so many keywords, and what is kept of its place.
    fn place(&mut self, path: usize, keywords: usize) -> Result<(), String> {
        let times = PLACES_OF_SCHEMA.saturating_add(keywords.saturating_mul(PLACES_OF_KEYWORD));
        let compiled = &mut self.compiled;
        compiled.schemas = compiled.schemas.saturating_add(1);
        compiled.longest_path = compiled.longest_path.max(path);
        compiled.path_bytes = compiled.path_bytes.saturating_add(path.saturating_mul(times));
        if compiled.path_bytes > limits::MAX_SCHEMA_PATH_BYTES {
            return Err(format!(
                "the places of all schemas in it, each as often as it is kept, are longer than {} bytes",
                limits::MAX_SCHEMA_PATH_BYTES
            ));
        }
        Ok(())
    }
}

/// Bytes of the place of what stands below another one, under its name or as an item.
pub(super) fn path_below(path: usize, name: &str) -> usize {
    let escaped = name.bytes().filter(|byte| matches!(byte, b'~' | b'/')).count();
    path + 1 + INDEX_BYTES.max(name.len() + escaped)
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
