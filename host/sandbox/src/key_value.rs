//! A plugin's key-value space as its instance sees it: written through for sinks, buffered until the checkpoint for monitors.
//!
//! Invariant: an instance reads its own latest writes; a buffered write is forgotten only when its checkpoint is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry_core::extension::{KeyValuePort, KeyValueWrite, PortError};
use telemetry_core::limits;

/// The key-value space of one instance.
pub(crate) struct KeyValueSpace {
    plugin: Arc<str>,
    port: Arc<dyn KeyValuePort>,
    /// None for a space that is written through.
    buffer: Option<WriteBuffer>,
}

#[derive(Debug, Default)]
struct WriteBuffer {
    writes: BTreeMap<String, Buffered>,
    bytes: usize,
    /// Raised by each checkpoint: writes of a lower round are in it.
    round: u64,
}

#[derive(Debug)]
struct Buffered {
    value: Option<Vec<u8>>,
    round: u64,
}

impl KeyValueSpace {
    /// Writes go to the port at once.
    pub(crate) fn written_through(plugin: Arc<str>, port: Arc<dyn KeyValuePort>) -> Self {
        Self { plugin, port, buffer: None }
    }

    /// Writes wait for a checkpoint.
    pub(crate) fn buffered(plugin: Arc<str>, port: Arc<dyn KeyValuePort>) -> Self {
        Self { plugin, port, buffer: Some(WriteBuffer::default()) }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        check_key(key)?;
        match self.buffer.as_ref().and_then(|buffer| buffer.writes.get(key)) {
            Some(write) => Ok(write.value.clone()),
            None => self.port.get(&self.plugin, key),
        }
    }

    pub(crate) fn write(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), PortError> {
        check_key(&key)?;
        let size = value.as_ref().map_or(0, Vec::len);
        if size > limits::MAX_PLUGIN_VALUE_BYTES {
            return Err(PortError::Quota {
                what: "bytes in one value",
                limit: limits::MAX_PLUGIN_VALUE_BYTES as u64,
            });
        }
        match &mut self.buffer {
            None => self.port.write(&self.plugin, &key, value.as_deref()),
            Some(buffer) => buffer.put(key, value),
        }
    }

    /// The buffered writes, for a checkpoint.
    pub(crate) fn checkpoint(&mut self) -> Vec<KeyValueWrite> {
        let Some(buffer) = &mut self.buffer else { return Vec::new() };
        buffer.round += 1;
        buffer
            .writes
            .iter()
            .map(|(key, write)| KeyValueWrite { key: key.clone(), value: write.value.clone() })
            .collect()
    }

    /// The last checkpoint is durable: what it held is read from the port from now on.
    pub(crate) fn committed(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            let round = buffer.round;
            buffer.writes.retain(|_, write| write.round >= round);
            buffer.bytes = buffer.writes.iter().map(|(key, write)| cost(key, write.value.as_deref())).sum();
        }
    }
}

impl WriteBuffer {
    fn put(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), PortError> {
        let old = self.writes.get(&key).map_or(0, |write| cost(&key, write.value.as_deref()));
        let bytes = self.bytes.saturating_sub(old).saturating_add(cost(&key, value.as_deref()));
        if bytes > limits::MAX_BUFFERED_WRITE_BYTES {
            return Err(PortError::Quota {
                what: "bytes written between two checkpoints",
                limit: limits::MAX_BUFFERED_WRITE_BYTES as u64,
            });
        }
        self.bytes = bytes;
        self.writes.insert(key, Buffered { value, round: self.round });
        Ok(())
    }
}

/// Also a deletion costs memory.
fn cost(key: &str, value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + 64
}

fn check_key(key: &str) -> Result<(), PortError> {
    if key.is_empty() {
        return Err(PortError::Unsupported("a key must not be empty".to_owned()));
    }
    if key.len() > limits::MAX_PLUGIN_KEY_BYTES {
        return Err(PortError::Quota {
            what: "bytes in one key",
            limit: limits::MAX_PLUGIN_KEY_BYTES as u64,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Committed(Mutex<BTreeMap<String, Vec<u8>>>);

    impl KeyValuePort for Committed {
        fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
            Ok(self.0.lock().get(&format!("{plugin}/{key}")).cloned())
        }
        fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError> {
            let key = format!("{plugin}/{key}");
            match value {
                Some(value) => self.0.lock().insert(key, value.to_vec()),
                None => self.0.lock().remove(&key),
            };
            Ok(())
        }
    }

    #[test]
    fn a_monitor_sees_its_own_writes_and_they_wait_for_the_checkpoint() {
        let port = Arc::new(Committed::default());
        port.write("p", "a", Some(b"old")).unwrap();
        let mut space = KeyValueSpace::buffered("p".into(), Arc::clone(&port) as Arc<dyn KeyValuePort>);
        assert_eq!(space.get("a").unwrap().unwrap(), b"old");
        space.write("a".to_owned(), Some(b"new".to_vec())).unwrap();
        space.write("b".to_owned(), None).unwrap();
        assert_eq!(space.get("a").unwrap().unwrap(), b"new");
        assert_eq!(port.get("p", "a").unwrap().unwrap(), b"old");
        let writes = space.checkpoint();
        assert_eq!(writes.len(), 2);
        // Not yet durable: the next checkpoint holds them again, with what came later.
        space.write("c".to_owned(), Some(b"later".to_vec())).unwrap();
        for write in &writes {
            port.write("p", &write.key, write.value.as_deref()).unwrap();
        }
        space.committed();
        assert_eq!(space.get("a").unwrap().unwrap(), b"new");
        let writes = space.checkpoint();
        assert_eq!(writes, [KeyValueWrite { key: "c".to_owned(), value: Some(b"later".to_vec()) }]);
    }

    #[test]
    fn a_write_after_the_checkpoint_outlives_its_commit() {
        let mut space = KeyValueSpace::buffered("p".into(), Arc::new(Committed::default()));
        space.write("a".to_owned(), Some(b"1".to_vec())).unwrap();
        space.checkpoint();
        space.write("a".to_owned(), Some(b"2".to_vec())).unwrap();
        space.committed();
        assert_eq!(space.get("a").unwrap().unwrap(), b"2");
    }

    #[test]
    fn limits() {
        let mut space = KeyValueSpace::buffered("p".into(), Arc::new(Committed::default()));
        let value = vec![0; limits::MAX_PLUGIN_VALUE_BYTES];
        let room = limits::MAX_BUFFERED_WRITE_BYTES / limits::MAX_PLUGIN_VALUE_BYTES;
        let kept = (0..100).filter(|n| space.write(n.to_string(), Some(value.clone())).is_ok()).count();
        assert_eq!(kept, room - 1);
        assert!(space.write("0".to_owned(), Some(Vec::new())).is_ok(), "an overwrite makes room");
        assert!(space.write(String::new(), None).is_err());
        assert!(space.write("k".repeat(limits::MAX_PLUGIN_KEY_BYTES + 1), None).is_err());
        let oversized = vec![0; limits::MAX_PLUGIN_VALUE_BYTES + 1];
        assert!(matches!(space.write("k".to_owned(), Some(oversized)), Err(PortError::Quota { .. })));
    }
}
