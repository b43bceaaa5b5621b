//! What a plugin asks for in its manifest, each with the reason that an operator reads before granting it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ByteCount;

/// In place of an origin or of a secret's name: whichever the operator grants. For plugins whose configuration says where
/// they go, such as `webhook`.
pub const ANY: &str = "*";

/// What a plugin asks for beyond its inputs. What is not asked for is never given, whatever the configuration grants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestedGrants {
    /// Origins that a sink sends HTTP requests to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<RequestedOrigin>,
    /// That these origins may be at loopback, private and other addresses that are not public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_addresses: Option<Reasoned>,
    /// Secrets that a sink puts into its requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<RequestedSecret>,
    /// Room in the store for a monitor's or sink's key-value space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_value: Option<RequestedRoom>,
}

/// An origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedOrigin {
    /// Scheme, host and port, such as `"https://hooks.example.com"`; `"*"` for whichever the operator grants.
    pub origin: String,
    /// What it is needed for.
    pub reason: String,
}

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedSecret {
    /// The name by which the plugin asks for it; `"*"` for whichever the operator grants.
    pub name: String,
    /// What it is needed for.
    pub reason: String,
}

/// Something that is asked for by its key alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoned {
    /// What it is needed for.
    pub reason: String,
}

/// Room in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedRoom {
    /// How much, keys and values together.
    pub bytes: ByteCount,
    /// What it is needed for.
    pub reason: String,
}
