//! What plugins keep: monitors' cursors with their state, and each plugin's key-value space.
//!
//! Invariants: a plugin's usage counts exactly the keys and values that are stored for it, and no write, a checkpoint's
//! included, makes it grow beyond what it may keep, [`PLUGIN_KEY_VALUE_BYTES`] at most.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rocksdb::WriteBatch;
use telemetry_core::extension::{KeyValueWrite, SavedState};
use telemetry_core::limits::PLUGIN_KEY_VALUE_BYTES;

use crate::database::{Family, Promise};
use crate::engine::Engine;
use crate::envelope;
use crate::error::{Damage, StoreError};
use crate::families::PLUGIN_STATE;
use crate::wire::{Reader, after_prefix, put_bytes, put_varint};

const CURSOR: u8 = 0x01;
const VALUE: u8 = 0x02;
const VERSION: u8 = 1;

/// Where a monitor goes on, and with which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedCursor {
    /// The next sequence number it reads.
    pub next_sequence: u64,
    /// Its state at that point.
    pub state: Option<SavedState>,
}

/// Bytes stored for each plugin, counted when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct PluginUsage {
    plugins: Mutex<HashMap<String, Arc<Mutex<Option<u64>>>>>,
    /// Of plugins that may keep less than the most there is.
    limits: Mutex<HashMap<String, u64>>,
}

impl PluginUsage {
    /// What a plugin may keep from now on.
    pub(crate) fn limit(&self, plugin: &str, bytes: u64) {
        self.limits.lock().insert(plugin.to_owned(), bytes);
    }

    fn limit_of(&self, plugin: &str) -> u64 {
        let limit = self.limits.lock().get(plugin).copied();
        limit.map_or(PLUGIN_KEY_VALUE_BYTES, |limit| limit.min(PLUGIN_KEY_VALUE_BYTES))
    }

    fn of(&self, plugin: &str) -> Arc<Mutex<Option<u64>>> {
        let mut plugins = self.plugins.lock();
        match plugins.get(plugin) {
            Some(usage) => Arc::clone(usage),
            None => Arc::clone(plugins.entry(plugin.to_owned()).or_default()),
        }
    }
}

impl SavedCursor {
    /// The row's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        put_varint(&mut payload, self.next_sequence);
        match &self.state {
            None => payload.push(0),
            Some(state) => {
                payload.push(1);
                put_varint(&mut payload, u64::from(state.version));
                put_bytes(&mut payload, &state.bytes);
            }
        }
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("cursor", envelope::open("cursor", VERSION, value)?);
        let next_sequence = reader.varint()?;
        let state = match reader.byte()? {
            0 => None,
            _ => Some(SavedState { version: reader.varint32()?, bytes: reader.bytes()?.to_vec() }),
        };
        reader.finish()?;
        Ok(Self { next_sequence, state })
    }
}

/// Whether a row is as this module writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    match key {
        [CURSOR, ..] => SavedCursor::decode(value).map(drop),
        [VALUE, ..] => envelope::open("plugin's value", VERSION, value).map(drop),
        _ => Err(Damage::new("row", "its kind is not known")),
    }
}

/// Key of a monitor's cursor.
pub(crate) fn cursor_key(monitor: &str) -> Vec<u8> {
    let mut key = vec![CURSOR];
    key.extend_from_slice(monitor.as_bytes());
    key
}

fn space_prefix(plugin: &str) -> Vec<u8> {
    let mut key = vec![VALUE];
    put_bytes(&mut key, plugin.as_bytes());
    key
}

fn value_key(plugin: &str, key: &str) -> Vec<u8> {
    let mut full = space_prefix(plugin);
    full.extend_from_slice(key.as_bytes());
    full
}

impl Engine {
    /// The last checkpoint of a monitor.
    pub(crate) fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError> {
        let family = self.database.family(PLUGIN_STATE)?;
        let value = self.database.get(&family, &cursor_key(monitor))?;
        Ok(value.map(|value| SavedCursor::decode(&value)).transpose()?)
    }

    /// All monitors with the next sequence number each reads.
    pub(crate) fn cursors(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let family = self.database.family(PLUGIN_STATE)?;
        let mut rows = self.database.rows(&family, vec![CURSOR], vec![CURSOR + 1]);
        let mut cursors = Vec::new();
        rows.first();
        while let Some((key, value)) = rows.row() {
            let name = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            match SavedCursor::decode(value) {
                Ok(cursor) => cursors.push((name, cursor.next_sequence)),
                Err(damage) => {
                    let text = format!("the cursor of monitor {name} is set aside: {}", damage.reason);
                    self.database.reports().add(text);
                }
            }
            rows.forward();
        }
        rows.check("cursors")?;
        Ok(cursors)
    }

    /// The value of a plugin's key.
    pub(crate) fn plugin_get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.database.family(PLUGIN_STATE)?;
        let value = self.database.get(&family, &value_key(plugin, key))?;
        Ok(value
            .map(|value| envelope::open("plugin value", VERSION, &value).map(<[u8]>::to_vec))
            .transpose()?)
    }

    /// Stores or (with `None`) deletes a plugin's key.
    pub(crate) fn plugin_write(
        &self,
        plugin: &str,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let write = KeyValueWrite { key: key.to_owned(), value: value.map(<[u8]>::to_vec) };
        self.commit_plugin_writes(plugin, &[write], WriteBatch::new())
    }

    /// Commits a plugin's writes together with `batch`, unless they make its space grow beyond the quota. A space that is
    /// beyond it already may shrink.
    pub(crate) fn commit_plugin_writes(
        &self,
        plugin: &str,
        writes: &[KeyValueWrite],
        mut batch: WriteBatch,
    ) -> Result<(), StoreError> {
        if writes.is_empty() {
            return self.database.commit(batch, Promise::Acknowledged);
        }
        let family = self.database.family(PLUGIN_STATE)?;
        let usage = self.usage.of(plugin);
        let mut usage = usage.lock();
        let used_before = self.counted(plugin, &family, &mut usage)?;
        let mut used = used_before;
        let mut sizes: HashMap<&str, u64> = HashMap::new();
        for KeyValueWrite { key, value } in writes {
            let full = value_key(plugin, key);
            let before = match sizes.get(key.as_str()) {
                Some(size) => *size,
                None => self.stored_size(&family, key, &full)?,
            };
            let after = value.as_ref().map_or(0, |value| size_of_row(key, value.len()));
            match value {
                Some(value) => batch.put_cf(&family, &full, envelope::wrap(VERSION, value)),
                None => batch.delete_cf(&family, &full),
            }
            used = used.saturating_sub(before).saturating_add(after);
            sizes.insert(key, after);
        }
        let limit = self.usage.limit_of(plugin);
        if used > used_before.max(limit) {
            let plugin = plugin.to_owned();
            return Err(StoreError::PluginQuota { plugin, used, limit });
        }
        self.database.commit(batch, Promise::Acknowledged)?;
        *usage = Some(used);
        Ok(())
    }

    /// Bytes of a plugin's keys and values.
    pub(crate) fn plugin_usage(&self, plugin: &str) -> Result<u64, StoreError> {
        let family = self.database.family(PLUGIN_STATE)?;
        let usage = self.usage.of(plugin);
        let mut usage = usage.lock();
        self.counted(plugin, &family, &mut usage)
    }

    fn counted(
        &self,
        plugin: &str,
        family: &Family<'_>,
        usage: &mut MutexGuard<'_, Option<u64>>,
    ) -> Result<u64, StoreError> {
        if let Some(used) = **usage {
            return Ok(used);
        }
        let prefix = space_prefix(plugin);
        let mut rows = self.database.rows(family, prefix.clone(), after_prefix(&prefix));
        let mut used = 0_u64;
        rows.first();
        while let Some((key, value)) = rows.row() {
            let key_bytes = key.len().saturating_sub(prefix.len());
            let value_bytes = value.len().saturating_sub(envelope::ENVELOPE_BYTES);
            used = used.saturating_add(key_bytes.saturating_add(value_bytes) as u64);
            rows.forward();
        }
        rows.check("a plugin's values")?;
        **usage = Some(used);
        Ok(used)
    }

    fn stored_size(&self, family: &Family<'_>, key: &str, full: &[u8]) -> Result<u64, StoreError> {
        let value = self.database.get(family, full)?;
        Ok(value.map_or(0, |value| size_of_row(key, value.len().saturating_sub(envelope::ENVELOPE_BYTES))))
    }
}

fn size_of_row(key: &str, value_bytes: usize) -> u64 {
    key.len().saturating_add(value_bytes) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        let state = Some(SavedState { version: 3, bytes: vec![1, 2, 3] });
        for cursor in [SavedCursor { next_sequence: 7, state }, SavedCursor::default()] {
            assert_eq!(SavedCursor::decode(&cursor.encode()).unwrap(), cursor);
        }
        assert!(SavedCursor::decode(b"damaged").is_err());
    }

    #[test]
    fn no_plugin_reaches_into_anothers_space() {
        let (one, two) = (space_prefix("a"), space_prefix("ab"));
        assert!(!value_key("ab", "x").starts_with(&one));
        assert!(!value_key("a", "bx").starts_with(&two));
    }
}
