//! `plugins.policy` and `plugins.trusted_keys`: which components a host runs at all.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a plugin must show before it is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginPolicy {
    /// A manifest with a signature by one of `trusted_keys`, and no older version than one that was installed or ran.
    Signed,
    /// The hash that was noted when it was installed, in the folder's `plugins.lock`, or the one in
    /// `plugins.settings.NAME.sha256`.
    #[default]
    Pinned,
    /// Nothing: whatever lies in the folder is loaded.
    Any,
}

impl PluginPolicy {
    /// As in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Pinned => "pinned",
            Self::Any => "any",
        }
    }
}

impl fmt::Display for PluginPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A minisign public key, as the second line of a `.pub` file has it.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey {
    text: String,
    key: PublicKey,
}

impl TrustedKey {
    /// Parses the key's line.
    pub fn parse(text: &str) -> Result<Self, TrustedKeyError> {
        let key = PublicKey::from_base64(text).map_err(|_| TrustedKeyError)?;
        Ok(Self { text: text.to_owned(), key })
    }

    /// The key's line.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key's id, as minisign prints it.
    pub fn id(&self) -> String {
        key_id(&self.text).unwrap_or_default()
    }

    /// Whether `signature` is this key's over `message`, its trusted comment included.
    pub(crate) fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        const NO_LEGACY_FORM: bool = false;
        self.key.verify(message, signature, NO_LEGACY_FORM).is_ok()
    }
}

/// The id in the line of a minisign key or signature: the eight bytes after the algorithm's two, as minisign prints them.
pub(crate) fn key_id(line: &str) -> Option<String> {
    let bytes = STANDARD.decode(line).ok()?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// A text that is no minisign public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a minisign public key: the line that begins with RW of a .pub file")]
pub struct TrustedKeyError;

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({})", self.text)
    }
}

impl Serialize for TrustedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TrustedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for TrustedKey {
    fn schema_name() -> Cow<'static, str> {
        "TrustedKey".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^RW[A-Za-z0-9+/]{54}$",
            "description": "A minisign public key: the line of a .pub file that begins with RW."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_keys_are_taken() {
        // The key of minisign's own documentation.
        let text = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        let key = TrustedKey::parse(text).unwrap();
        assert_eq!((key.as_str(), key.id().as_str()), (text, "E7620F1842B4E81F"));
        assert_eq!(serde_json::from_value::<TrustedKey>(text.into()).unwrap(), key);
        for wrong in
            ["", "RW", "untrusted comment: x", &text[..50], &format!("{text}="), &text.replace("RW", "AA")]
        {
            assert_eq!(TrustedKey::parse(wrong), Err(TrustedKeyError), "{wrong}");
        }
    }
}
