//! What a trial run works with in place of the host's own: nothing that it writes is seen by anybody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry_core::extension::{KeyValuePort, PortError};
use telemetry_core::limits;

/// A key-value space that reads what is committed and keeps writes to itself.
pub(crate) struct TrialKeyValue {
    committed: Arc<dyn KeyValuePort>,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    writes: BTreeMap<(String, String), Option<Vec<u8>>>,
    bytes: usize,
}

impl TrialKeyValue {
    pub(crate) fn over(committed: Arc<dyn KeyValuePort>) -> Self {
        Self { committed, own: Mutex::default() }
    }
}

impl KeyValuePort for TrialKeyValue {
    fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        let place = (plugin.to_owned(), key.to_owned());
        if let Some(value) = self.own.lock().writes.get(&place) {
            return Ok(value.clone());
        }
        self.committed.get(plugin, key)
    }

    fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError> {
        let mut own = self.own.lock();
        let bytes = own.bytes.saturating_add(key.len()).saturating_add(value.map_or(0, <[u8]>::len));
        if bytes > limits::MAX_BUFFERED_WRITE_BYTES {
            return Err(PortError::Quota {
                what: "bytes written in a trial run",
                limit: limits::MAX_BUFFERED_WRITE_BYTES as u64,
            });
        }
        own.bytes = bytes;
        own.writes.insert((plugin.to_owned(), key.to_owned()), value.map(<[u8]>::to_vec));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl KeyValuePort for Fixed {
        fn get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
            Ok((key == "a").then(|| b"committed".to_vec()))
        }
        fn write(&self, _: &str, _: &str, _: Option<&[u8]>) -> Result<(), PortError> {
            panic!("a trial run wrote")
        }
    }

    #[test]
    fn writes_are_seen_by_the_trial_alone() {
        let space = TrialKeyValue::over(Arc::new(Fixed));
        assert_eq!(space.get("p", "a").unwrap().unwrap(), b"committed");
        space.write("p", "a", Some(b"mine")).unwrap();
        space.write("p", "b", None).unwrap();
        assert_eq!(space.get("p", "a").unwrap().unwrap(), b"mine");
        assert_eq!(space.get("p", "b").unwrap(), None);
        let large = vec![0; limits::MAX_BUFFERED_WRITE_BYTES];
        assert!(matches!(space.write("p", "c", Some(&large)), Err(PortError::Quota { .. })));
    }
}
