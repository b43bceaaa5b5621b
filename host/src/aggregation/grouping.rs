//! Which series of a metric belong together.

use std::collections::HashMap;

use telemetry_core::{Context, limits};

use crate::query::QueryError;

/// The text of each label a group is made by, in the asked order; `None` where its series lack the label.
pub(super) type GroupKey = Vec<Option<String>>;

/// The groups of one metric.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    /// The group of each series.
    pub(super) groups: Vec<u32>,
    /// The labels' texts of each group.
    pub(super) keys: Vec<GroupKey>,
}

impl Grouping {
    /// Groups series by their contexts' `labels`; at most `groups_left` groups. Without labels all are of group 0.
    pub(super) fn by_labels<'a>(
        labels: &[String],
        contexts: impl ExactSizeIterator<Item = &'a Context>,
        groups_left: usize,
    ) -> Result<Self, QueryError> {
        if labels.is_empty() {
            return Ok(Self { groups: vec![0; contexts.len()], keys: vec![Vec::new()] });
        }
        let mut grouping = Self::default();
        let mut known: HashMap<GroupKey, u32> = HashMap::new();
        for context in contexts {
            // Few labels are looked for; the others' texts are not even unpacked.
            let key: GroupKey = labels.iter().map(|label| context.label(label)).collect();
            let group = match known.get(&key) {
                Some(group) => *group,
                None if grouping.keys.len() >= groups_left => return Err(too_many_groups()),
                None => {
                    let group = u32::try_from(grouping.keys.len()).map_err(|_| too_many_groups())?;
                    grouping.keys.push(key.clone());
                    known.insert(key, group);
                    group
                }
            };
            grouping.groups.push(group);
        }
        Ok(grouping)
    }
}

pub(super) fn too_many_groups() -> QueryError {
    QueryError::TooLarge {
        what: "groups",
        limit: limits::MAX_QUERY_GROUPS as u64,
        remedy: "name fewer metrics, filter the series or group by fewer labels",
    }
}
