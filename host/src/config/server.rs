//! `server`: the HTTP interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use telemetry_core::limits;

use super::quantity::{ByteCount, Period};

/// The port unless another is configured.
const DEFAULT_PORT: u16 = 4600;

/// The HTTP interface (spec §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one. Only loopback addresses, as there is no authentication.
    #[serde(deserialize_with = "address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Largest request body; 1 KiB to 1 GiB.
    pub max_body_bytes: ByteCount,
    /// Time for one request; at least 1 s.
    pub request_timeout: Period,
    /// Names accepted in the Host header besides the address itself and `localhost`, for a proxy in front.
    pub allowed_hosts: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            max_body_bytes: ByteCount(limits::MAX_PAYLOAD_BYTES as u64),
            request_timeout: Period(Duration::from_secs(30)),
            allowed_hosts: Vec::new(),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        let wanted = "an IP address and port such as \"127.0.0.1:4600\"";
        de::Error::invalid_value(de::Unexpected::Str(&text), &wanted)
    })
}
