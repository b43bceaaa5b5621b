//! A durable key-value space of the plugin's own, with a quota. For monitors and sinks.
//!
//! What a monitor writes becomes durable with its next checkpoint, together with its state and signals: after a crash all three
//! are of the same moment. In native builds the space is a map that lives as long as the test's thread.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::state::SavedState;

/// The value of a key, the plugin's own latest writes included.
///
/// # Errors
/// When the host cannot read it.
pub fn get(key: &str) -> Result<Option<Vec<u8>>> {
    #[cfg(target_arch = "wasm32")]
    return Ok(crate::bindings::imports::key_value::get(key)?);
    #[cfg(not(target_arch = "wasm32"))]
    Ok(crate::testing::host::get(key))
}

/// Sets the value of a key.
///
/// # Errors
/// When the quota is used up, or the host cannot write.
pub fn put(key: &str, value: &[u8]) -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    return Ok(crate::bindings::imports::key_value::put(key, value)?);
    #[cfg(not(target_arch = "wasm32"))]
    {
        crate::testing::host::put(key, value);
        Ok(())
    }
}

/// Removes a key; it need not exist.
///
/// # Errors
/// When the host cannot write.
pub fn delete(key: &str) -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    return Ok(crate::bindings::imports::key_value::delete(key)?);
    #[cfg(not(target_arch = "wasm32"))]
    {
        crate::testing::host::delete(key);
        Ok(())
    }
}

/// The value of a key that [`store`] wrote.
///
/// # Errors
/// As [`get`], and when the bytes are not a `T`.
pub fn load<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    get(key)?.map(|bytes| SavedState::from_bytes(0, bytes).read()).transpose()
}

/// Sets the value of a key, encoded as [`SavedState`] is.
///
/// # Errors
/// As [`put`], and when the value cannot be encoded.
pub fn store<T: Serialize>(key: &str, value: &T) -> Result<()> {
    put(key, SavedState::new(0, value)?.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_loads_and_deletes() {
        store("counts", &(1_u32, "two".to_owned())).unwrap();
        assert_eq!(load("counts").unwrap(), Some((1_u32, "two".to_owned())));
        put("raw", &[]).unwrap();
        assert!(load::<u64>("raw").is_err());
        delete("counts").unwrap();
        delete("counts").unwrap();
        assert_eq!(load::<(u32, String)>("counts").unwrap(), None);
    }
}
