//! A plugin's state on its way to another instance.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::imports::types;
use crate::error::{PluginError, Result};

/// State to continue from in another instance, with the number of its format.
///
/// The bytes are [postcard](https://docs.rs/postcard): compact, and exact for every float (infinities and NaN included). It
/// stores no field names, so a changed struct is a new format: raise the version, keep the old struct for reading.
/// `#[serde(flatten)]`, `#[serde(untagged)]`, `#[serde(skip_serializing_if)]` and `serde_json::Value` cannot be stored in it;
/// store such things as JSON text in a `String`.
///
/// ```
/// use bridge_telemetry_plugin::{PluginError, Result, SavedState};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Counts { seen: u64, refused: u64 }
///
/// fn restore(saved: &SavedState) -> Result<Counts> {
///     match saved.version() {
///         1 => Ok(Counts { seen: saved.read::<u64>()?, refused: 0 }), // version 1 had a single number
///         2 => saved.read(),
///         other => Err(PluginError::unsupported(format!("state version {other}"))),
///     }
/// }
///
/// assert_eq!(restore(&SavedState::new(1, &7_u64)?)?.seen, 7);
/// assert_eq!(restore(&SavedState::new(2, &Counts { seen: 8, refused: 1 })?)?.refused, 1);
/// # Ok::<(), PluginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    version: u32,
    bytes: Vec<u8>,
}

impl SavedState {
    /// Serialises `state` as format `version`.
    ///
    /// # Errors
    /// When `state` uses a serde feature that the format has not; see above.
    pub fn new<T: Serialize + ?Sized>(version: u32, state: &T) -> Result<Self> {
        let bytes = postcard::to_allocvec(state).map_err(|_| {
            PluginError::other("the state cannot be saved: its type needs what the format has not")
        })?;
        Ok(Self { version, bytes })
    }

    /// State in the author's own encoding.
    pub fn from_bytes(version: u32, bytes: Vec<u8>) -> Self {
        Self { version, bytes }
    }

    /// The number of the format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The state in its encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The state in its encoding, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Reads what [`SavedState::new`] wrote.
    ///
    /// # Errors
    /// When the bytes are not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let (state, rest) = postcard::take_from_bytes(&self.bytes).map_err(|_| {
            PluginError::other("the saved state cannot be read: its bytes are of another type")
        })?;
        if rest.is_empty() {
            Ok(state)
        } else {
            Err(PluginError::other("the saved state cannot be read: it is longer than expected"))
        }
    }

    /// Reads the state if it has the given version.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for another version; or when the bytes are not a `T`.
    pub fn read_version<T: DeserializeOwned>(&self, version: u32) -> Result<T> {
        if self.version == version {
            return self.read();
        }
        let found = self.version;
        Err(PluginError::Unsupported(format!(
            "saved state of version {found}; this plugin reads version {version}"
        )))
    }
}

impl From<types::State> for SavedState {
    fn from(state: types::State) -> Self {
        Self { version: state.version, bytes: state.bytes }
    }
}

impl From<SavedState> for types::State {
    fn from(state: SavedState) -> Self {
        Self { version: state.version, bytes: state.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back_exactly() {
        let state = [f64::INFINITY, -0.0, 0.1];
        let back: [f64; 3] = SavedState::new(1, &state).unwrap().read().unwrap();
        assert_eq!(back.map(f64::to_bits), state.map(f64::to_bits));
    }

    #[test]
    fn wrong_bytes_are_errors() {
        assert!(SavedState::from_bytes(1, vec![]).read::<u64>().is_err());
        assert!(SavedState::from_bytes(1, vec![1, 2]).read::<u8>().is_err());
        let other = SavedState::from_bytes(2, vec![1]).read_version::<u8>(1).unwrap_err();
        assert!(matches!(other, PluginError::Unsupported(_)));
    }
}
