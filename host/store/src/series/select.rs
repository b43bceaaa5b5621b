//! Which series of a partition a selection means: set algebra on its postings.
//!
//! No series' labels are looked at: a filter is asked about each distinct text of its label instead.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use telemetry_core::{LabelFilter, LabelMatcher, MetricSelection};

use super::partition_index::PartitionIndex;
use super::posting::Postings;

type Values = HashMap<Box<str>, Postings>;

impl PartitionIndex {
    /// The series that `selection` means.
    pub(super) fn select(&self, selection: &MetricSelection) -> RoaringBitmap {
        let mut found = match &selection.names {
            None => self.all.clone(),
            Some(names) => {
                let mut found = RoaringBitmap::new();
                for postings in names.iter().filter_map(|name| self.names.get(name.as_str())) {
                    postings.add_to(&mut found);
                }
                found
            }
        };
        // Those that need no search first: they leave less for the others.
        let mut filters: Vec<&LabelFilter> = selection.filters.iter().collect();
        filters.sort_by_key(|filter| matches!(filter.matcher, LabelMatcher::Regex(_) | LabelMatcher::Not(_)));
        for filter in filters {
            if found.is_empty() {
                break;
            }
            self.narrow(&mut found, filter);
        }
        found
    }

    fn narrow(&self, found: &mut RoaringBitmap, filter: &LabelFilter) {
        let values = self.labels.get(filter.key.as_str());
        // A negation also means the series without the label, so what it does not mean is taken away.
        let absent = filter.matches(None);
        let mut set = RoaringBitmap::new();
        if let Some(values) = values {
            match texts(&filter.matcher) {
                Some(texts) => {
                    texts.filter_map(|text| values.get(text)).for_each(|postings| postings.add_to(&mut set));
                }
                None => matching(values, |text| filter.matches(Some(text)) != absent, &mut set),
            }
        }
        if absent {
            *found -= set;
        } else {
            *found &= set;
        }
    }
}

/// The texts that a matcher names, or excludes, one by one; `None` when every text must be asked about.
fn texts(matcher: &LabelMatcher) -> Option<Box<dyn Iterator<Item = &str> + '_>> {
    match matcher {
        LabelMatcher::Equal(text) => Some(Box::new(std::iter::once(text.as_str()))),
        LabelMatcher::In(texts) => Some(Box::new(texts.iter().map(String::as_str))),
        LabelMatcher::Not(inner) if matches!(**inner, LabelMatcher::Equal(_) | LabelMatcher::In(_)) => {
            texts(inner)
        }
        LabelMatcher::Not(_) | LabelMatcher::Regex(_) => None,
    }
}

fn matching(values: &Values, wanted: impl Fn(&str) -> bool, set: &mut RoaringBitmap) {
    for (_, postings) in values.iter().filter(|(text, _)| wanted(text)) {
        postings.add_to(set);
    }
}
