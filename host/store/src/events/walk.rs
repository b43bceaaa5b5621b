//! Walking over a partition's events in order: all of them, those of one type or source, or those of both.

use super::rows::{Place, key};
use crate::database::{Database, Family, Rows};
use crate::error::{Damage, StoreError};
use crate::wire::after_prefix;

/// The first and the last place that may be visited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: Place,
    pub(super) last: Place,
}

/// Places that all of some ordered lists have in common, in order.
pub(super) struct Walk<'a> {
    lists: Vec<List<'a>>,
    backward: bool,
    started: bool,
}

/// The rows of one prefix; their keys end with a place.
struct List<'a> {
    prefix: Vec<u8>,
    rows: Rows<'a>,
}

impl<'a> Walk<'a> {
    /// A walk over what the lists with these prefixes have in common within `span`.
    pub(super) fn new(
        database: &'a Database,
        family: &Family<'_>,
        prefixes: Vec<Vec<u8>>,
        span: Span,
        backward: bool,
    ) -> Self {
        let lists = prefixes.into_iter().map(|prefix| {
            let lower = key(&prefix, &span.first);
            let upper = after_prefix(&key(&prefix, &span.last));
            List { rows: database.rows(family, lower, upper), prefix }
        });
        Self { lists: lists.collect(), backward, started: false }
    }

    /// The next place; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Place>, StoreError> {
        let (backward, started) = (self.backward, std::mem::replace(&mut self.started, true));
        let Some((leader, others)) = self.lists.split_first_mut() else { return Ok(None) };
        match (started, backward) {
            (false, false) => leader.rows.first(),
            (false, true) => leader.rows.last(),
            (true, false) => leader.rows.forward(),
            (true, true) => leader.rows.back(),
        }
        while let Some(place) = leader.place()? {
            // The first list that has something else leads all to it.
            let mut other_place = None;
            for other in &mut *others {
                other.go_to(&place, backward);
                match other.place()? {
                    Some(found) if found == place => {}
                    Some(found) => {
                        other_place = Some(found);
                        break;
                    }
                    None => return Ok(None),
                }
            }
            match other_place {
                None => return Ok(Some(place)),
                Some(found) => leader.go_to(&found, backward),
            }
        }
        Ok(None)
    }

    /// The value of the leading list's row at the place just visited.
    pub(super) fn value(&self) -> Option<&[u8]> {
        self.lists.first()?.rows.row().map(|(_, value)| value)
    }
}

impl List<'_> {
    fn go_to(&mut self, place: &Place, backward: bool) {
        let key = key(&self.prefix, place);
        if backward {
            self.rows.seek_back(&key);
        } else {
            self.rows.seek(&key);
        }
    }

    fn place(&self) -> Result<Option<Place>, StoreError> {
        match self.rows.row() {
            Some((key, _)) => match key.strip_prefix(&*self.prefix).map(Place::try_from) {
                Some(Ok(place)) => Ok(Some(place)),
                _ => Err(Damage::new("index of events", "a key in it has the wrong length").into()),
            },
            None => self.rows.check("an index of events").map(|()| None),
        }
    }
}
