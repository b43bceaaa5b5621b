//! The places within events' `data` that are asked for, as a tree: one pass over the JSON finds them all.
//!
//! Places are JSON pointers (RFC 6901) from the top of `data`.

use serde_json::Value;

use crate::limits::{MAX_PLACE_BYTES, MAX_PLACE_STEPS, MAX_PLACES};

/// Why places cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// There are more than [`MAX_PLACES`].
    #[error("{0} places are asked for; the limit is {MAX_PLACES}")]
    TooMany(usize),
    /// One is longer than [`MAX_PLACE_BYTES`].
    #[error("place {0} is longer than {MAX_PLACE_BYTES} bytes")]
    TooLong(usize),
    /// One leads deeper than [`MAX_PLACE_STEPS`].
    #[error("place {0} has more than {MAX_PLACE_STEPS} steps")]
    TooDeep(usize),
    /// One is no JSON pointer.
    #[error(
        "place {0} is no JSON pointer: it is empty or starts with \"/\", and \"~\" stands for itself as \"~0\""
    )]
    NoPointer(usize),
}

/// Places within events' `data`: JSON pointers (RFC 6901) from its top, such as `/command_id`.
#[derive(Debug)]
pub struct Places {
    pointers: Vec<String>,
    pub(super) tree: Node,
}

impl Places {
    /// The places of these pointers.
    ///
    /// # Errors
    /// When there are too many, one is too long, or one is no pointer.
    pub fn new(pointers: Vec<String>) -> Result<Self, PlaceError> {
        let tree = Node::of(&pointers)?;
        Ok(Self { pointers, tree })
    }

    /// The pointers, as they were asked for.
    pub fn pointers(&self) -> &[String] {
        &self.pointers
    }
}

impl PartialEq for Places {
    fn eq(&self, other: &Self) -> bool {
        self.pointers == other.pointers
    }
}

impl Eq for Places {}

/// One step of the tree: a key, or a number within an array.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The places that end here, by their numbers; more than one where a place is asked for twice.
    pub(super) ends: Vec<usize>,
    /// What is asked for below.
    pub(super) children: Vec<Child>,
    /// Of those children that an array may have too: the number of the element and the place among the children, by number.
    pub(super) elements: Vec<(usize, usize)>,
}

/// What is asked for below a key.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) key: String,
    /// How the key stands in compact JSON.
    pub(super) member: String,
    pub(super) node: Node,
}

impl Node {
    /// The tree of the places, numbered as they come.
    fn of(places: &[String]) -> Result<Self, PlaceError> {
        if places.len() > MAX_PLACES {
            return Err(PlaceError::TooMany(places.len()));
        }
        let mut root = Self::default();
        for (number, place) in places.iter().enumerate() {
            if place.len() > MAX_PLACE_BYTES {
                return Err(PlaceError::TooLong(number));
            }
            if !place.is_empty() && !place.starts_with('/') {
                return Err(PlaceError::NoPointer(number));
            }
            if place.matches('/').count() > MAX_PLACE_STEPS {
                return Err(PlaceError::TooDeep(number));
            }
            let mut node = &mut root;
            for step in place.split('/').skip(1) {
                node = node.below(unescaped(step).ok_or(PlaceError::NoPointer(number))?);
            }
            node.ends.push(number);
        }
        Ok(root)
    }

    fn below(&mut self, key: String) -> &mut Self {
        let place = self.child(&key).map_or(self.children.len(), |(place, _)| place);
        if place == self.children.len() {
            let member = format!("{}:", Value::from(key.as_str()));
            if let Some(number) = element(&key) {
                let at = self.elements.partition_point(|&(before, _)| before < number);
                self.elements.insert(at, (number, place));
            }
            self.children.push(Child { key, member, node: Self::default() });
        }
        // It was found or added just now.
        #[allow(clippy::indexing_slicing, reason = "below the length: found, or pushed one line above")]
        &mut self.children[place].node
    }

    /// The child of a key, and its place among the children.
    pub(super) fn child(&self, key: &str) -> Option<(usize, &Self)> {
        let mut children = self.children.iter().enumerate();
        children.find(|(_, child)| child.key == key).map(|(place, child)| (place, &child.node))
    }
}

fn unescaped(step: &str) -> Option<String> {
    if !step.contains('~') {
        return Some(step.to_owned());
    }
    let mut key = String::with_capacity(step.len());
    let mut rest = step.chars();
    while let Some(next) = rest.next() {
        key.push(match next {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(key)
}

/// The number that a key is of an array's element: decimal digits without a zero before them.
fn element(key: &str) -> Option<usize> {
    let plain = key.bytes().all(|byte| byte.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
    if plain { key.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(places: &[&str]) -> Result<Node, PlaceError> {
        let pointers = places.iter().map(|place| (*place).to_owned()).collect();
        Places::new(pointers).map(|places| places.tree)
    }

    #[test]
    fn places_share_their_beginnings() {
        let tree = of(&["/a/b", "", "/a/c~1d~0", "/a/b"]).unwrap();
        assert_eq!(tree.ends, [1]);
        let [Child { member, node, .. }] = &tree.children[..] else { panic!("{tree:?}") };
        let below: Vec<_> =
            node.children.iter().map(|child| (child.key.as_str(), &child.node.ends[..])).collect();
        assert_eq!((member.as_str(), below), ("\"a\":", vec![("b", &[0, 3][..]), ("c/d~", &[2][..])]));
    }

    #[test]
    fn what_is_no_pointer_is_refused_by_its_number() {
        assert_eq!(of(&["/a", "b"]).unwrap_err(), PlaceError::NoPointer(1));
        assert_eq!(of(&["/~2"]).unwrap_err(), PlaceError::NoPointer(0));
        assert_eq!(of(&["/~"]).unwrap_err(), PlaceError::NoPointer(0));
        let long = format!("/{}", "x".repeat(MAX_PLACE_BYTES));
        assert_eq!(of(&[&long]).unwrap_err(), PlaceError::TooLong(0));
        assert!(of(&[&"/a".repeat(MAX_PLACE_STEPS)]).is_ok());
        assert_eq!(of(&["", &"/a".repeat(MAX_PLACE_STEPS + 1)]).unwrap_err(), PlaceError::TooDeep(1));
        assert_eq!(of(&vec!["/a"; MAX_PLACES + 1]).unwrap_err(), PlaceError::TooMany(MAX_PLACES + 1));
    }

    #[test]
    fn elements_stand_in_the_order_of_an_array() {
        let tree = of(&["/7", "/x", "/0", "/01", "/10", "/7/a", "/0"]).unwrap();
        let keys: Vec<_> = tree
            .elements
            .iter()
            .map(|&(number, place)| (number, tree.children[place].key.as_str()))
            .collect();
        assert_eq!(keys, [(0, "0"), (7, "7"), (10, "10")]);
    }

    #[test]
    fn elements_are_numbers_as_json_pointers_write_them() {
        assert_eq!((element("0"), element("17")), (Some(0), Some(17)));
        for other in ["", "-", "01", "1a", "+1", "99999999999999999999999"] {
            assert_eq!(element(other), None, "{other}");
        }
    }
}
