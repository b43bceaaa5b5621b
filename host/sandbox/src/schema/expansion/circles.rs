//! References in a circle of parts, which are refused.
//!
//! What evaluates with a schema that asks what was evaluated, the validator compiles to parts that share each other where references lead
//! back. They own each other: who drops the schema does not drop them, so that each that is compiled leaks. And it is not to be counted
//! beforehand what is compiled, and merged, of parts that are shared while they are not complete. (Whole schemas do not own what they refer
//! to in a circle.) So it is looked here whether there is a circle through a reference that such a part has. There may be one that the
//! validator does not make, since it compiles what is whole only once; never the other way round.

use std::collections::HashMap;
use std::ptr;

use serde_json::{Map, Value};

use super::{BELOW, DEFINITIONS, Found, IN_PLACE, UNEVALUATED};
use crate::schema::places::{Place, child_of, is_reference};

/// What of a schema is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// All of it.
    Whole,
    /// What it evaluates as a part of another: with all of it.
    Part,
    /// Only what it evaluates.
    Evaluated,
}

/// What one of them has of another.
#[derive(Clone, Copy)]
struct Edge {
    to: usize,
    /// Whether it is a reference of a part: these alone own something in a circle.
    is_owning: bool,
}

/// Something that is compiled, and what the search knows of it.
#[derive(Default)]
struct Node {
    edges: Vec<Edge>,
    /// Edges that were gone.
    gone: usize,
    /// When it was met first; 0 for never.
    met: usize,
    /// The earliest that it is known to lead to.
    back: usize,
    /// Whether it leads to something that the search came from.
    is_open: bool,
}

/// Whether there are such circles in a schema.
pub(super) fn are_in(found: &Found<'_>) -> bool {
    if found.unevaluated.is_empty() {
        return false;
    }
    let mut graph = Graph { found, numbers: HashMap::new(), nodes: Vec::new(), unseen: Vec::new() };
    graph.number(found.root, Place::Root, Kind::Whole);
    while let Some((number, value, place, kind)) = graph.unseen.pop() {
        let edges = graph.edges(value, place, kind);
        if let Some(node) = graph.nodes.get_mut(number) {
            node.edges = edges;
        }
    }
    // All numbers are those of nodes.
    search(&mut graph.nodes).unwrap_or(true)
}

struct Graph<'f, 's> {
    found: &'f Found<'s>,
    numbers: HashMap<(*const Value, Kind), usize>,
    nodes: Vec<Node>,
    /// Those whose edges are not known yet.
    unseen: Vec<(usize, &'s Value, Place, Kind)>,
}

impl<'s> Graph<'_, 's> {
    fn number(&mut self, value: &'s Value, place: Place, kind: Kind) -> usize {
        let next = self.nodes.len();
        let number = *self.numbers.entry((ptr::from_ref(value), kind)).or_insert(next);
        if number == next {
            self.nodes.push(Node::default());
            self.unseen.push((number, value, place, kind));
        }
        number
    }

    fn edge(&mut self, value: &'s Value, place: Place, kind: Kind) -> Edge {
        Edge { to: self.number(value, place, kind), is_owning: false }
    }

    fn edges(&mut self, value: &'s Value, place: Place, kind: Kind) -> Vec<Edge> {
        match (value, kind) {
            (Value::Object(members), _) if matches!(place, Place::Root | Place::Schema) => match kind {
                Kind::Whole => self.of_whole(value, members, place),
                Kind::Part => {
                    [Kind::Whole, Kind::Evaluated].map(|kind| self.edge(value, place, kind)).to_vec()
                }
                Kind::Evaluated => self.of_evaluated(members, place),
            },
            (Value::Object(members), _) => {
                members.iter().filter_map(|(name, inner)| self.below(place, name, inner, kind)).collect()
            }
            (Value::Array(values), _) => {
                values.iter().filter_map(|inner| self.below(place, "", inner, kind)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn of_whole(&mut self, value: &'s Value, members: &'s Map<String, Value>, place: Place) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (name, inner) in members.iter().filter(|(name, _)| !DEFINITIONS.contains(&name.as_str())) {
            let reference = is_reference(name).then(|| self.target(inner)).flatten();
            edges.extend(reference.map(|(target, place)| self.edge(target, place, Kind::Whole)));
            edges.extend(self.below(place, name, inner, Kind::Whole));
            if UNEVALUATED.contains(&name.as_str()) {
                edges.push(self.edge(value, place, Kind::Evaluated));
            }
        }
        edges
    }

    fn of_evaluated(&mut self, members: &'s Map<String, Value>, place: Place) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (name, inner) in members {
            if is_reference(name) {
                if let Some((target, place)) = self.target(inner) {
                    edges.push(Edge { is_owning: true, ..self.edge(target, place, Kind::Part) });
                }
            } else if IN_PLACE.contains(&name.as_str()) {
                edges.extend(self.below(place, name, inner, Kind::Part));
            } else if BELOW.contains(&name.as_str()) {
                edges.extend(self.below(place, name, inner, Kind::Whole));
            }
        }
        edges
    }

    fn below(&mut self, place: Place, name: &str, inner: &'s Value, kind: Kind) -> Option<Edge> {
        match child_of(place, name, inner) {
            Place::Data => None,
            below => Some(self.edge(inner, below, kind)),
        }
    }

    fn target(&self, reference: &Value) -> Option<(&'s Value, Place)> {
        self.found.target(reference.as_str()?).map(|(target, place, _)| (target, place))
    }
}

/// Whether an owning edge is in a circle: both its ends are in one strongly connected component. Tarjan's algorithm, without calls that
/// nest. `None` where an edge leads to no node.
fn search(nodes: &mut [Node]) -> Option<bool> {
    let (mut met, mut open, mut way) = (0, Vec::new(), Vec::new());
    for start in 0..nodes.len() {
        if nodes.get(start)?.met == 0 {
            way.push(start);
        }
        while let Some(&at) = way.last() {
            let node = nodes.get_mut(at)?;
            if node.met == 0 {
                met += 1;
                (node.met, node.back, node.is_open) = (met, met, true);
                open.push(at);
            }
            if let Some(edge) = node.edges.get(node.gone).copied() {
                let target = nodes.get(edge.to)?;
                // It is looked at again when the search has come back from there.
                if target.met == 0 {
                    way.push(edge.to);
                    continue;
                }
                let (is_open, back) = (target.is_open, target.back);
                if is_open && edge.is_owning {
                    return Some(true);
                }
                let node = nodes.get_mut(at)?;
                node.gone += 1;
                if is_open {
                    node.back = node.back.min(back);
                }
                continue;
            }
            way.pop();
            if node.back < node.met {
                continue;
            }
            // Nothing that was met since leads further back.
            while let Some(closed) = open.pop() {
                nodes.get_mut(closed)?.is_open = false;
                if closed == at {
                    break;
                }
            }
        }
    }
    Some(false)
}
