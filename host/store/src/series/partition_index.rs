//! The postings of one partition, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use telemetry_core::SeriesKey;

use super::posting::Postings;

/// Text, pointer, list and table entry of one list, about, in bytes.
const LIST_BYTES: usize = 96;
/// A series in a list, about, in bytes: two in a bitmap's array, more where a list of few becomes a bitmap.
const ENTRY_BYTES: usize = 3;

/// Which series have which name, and which label texts.
#[derive(Debug, Default)]
pub(super) struct PartitionIndex {
    /// All series of the partition.
    pub(super) all: RoaringBitmap,
    /// By metric name.
    pub(super) names: HashMap<Arc<str>, Postings>,
    /// By label, then by its text.
    pub(super) labels: HashMap<Box<str>, HashMap<Box<str>, Postings>>,
    /// Those whose lists differ from the rows.
    pub(super) unsaved: RoaringBitmap,
    /// The memory it takes, about.
    pub(super) bytes: usize,
}

impl PartitionIndex {
    /// Adds a series, unless it is there already.
    pub(super) fn insert(&mut self, id: u32, key: &SeriesKey) {
        if !self.all.insert(id) {
            return;
        }
        self.unsaved.insert(id);
        self.bytes += 3 * ENTRY_BYTES;
        match self.names.get_mut(&key.name) {
            Some(postings) => postings.insert(id),
            None => {
                self.bytes += LIST_BYTES + key.name.len();
                self.names.entry(Arc::clone(&key.name)).or_default().insert(id);
            }
        }
        if key.context.is_empty() {
            return;
        }
        for (label, value) in key.context.labels() {
            self.bytes += ENTRY_BYTES;
            let values = self.labels.entry(label.into_boxed_str()).or_default();
            match values.get_mut(value.as_str()) {
                Some(postings) => postings.insert(id),
                None => {
                    self.bytes += LIST_BYTES + value.len();
                    values.entry(value.into_boxed_str()).or_default().insert(id);
                }
            }
        }
    }

    /// Measures the memory of lists that were read as a whole.
    pub(super) fn measure(&mut self) {
        let list = |text: &str, postings: &Postings| LIST_BYTES + text.len() + postings.heap_bytes();
        let names: usize = self.names.iter().map(|(name, postings)| list(name, postings)).sum();
        let labels = self.labels.values().flat_map(HashMap::iter);
        let labels: usize = labels.map(|(value, postings)| list(value, postings)).sum();
        self.bytes = names + labels + self.all.serialized_size();
    }
}
