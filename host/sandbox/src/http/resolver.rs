//! Names to addresses, each address checked. The connection goes to the very addresses that were checked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address::{is_public, is_reachable};

/// Addresses of one host that are looked at: as many as the client tries.
const MAX_ADDRESSES: usize = 16;

/// Resolves like the operating system and refuses what the grant does not cover.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    /// Whether addresses that are not public are granted.
    pub(super) private_addresses: bool,
    pub(super) system: DefaultResolver,
    /// Stands in place of the system's resolver.
    pub(super) names: Option<Arc<dyn NamePort>>,
}

/// Stands in place of the system's resolver. Its answers are checked like those.
pub trait NamePort: Send + Sync + std::fmt::Debug {
    /// The addresses of a host; none when it is not known.
    fn addresses(&self, host: &str) -> Vec<IpAddr>;
}

/// A name that leads to an address which is not granted.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at {address}, which is not a public address; the grant private_addresses would allow it")]
pub(super) struct AddressRefused {
    pub(super) host: String,
    pub(super) address: IpAddr,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = match &self.names {
            None => self.system.resolve(uri, config, timeout)?,
            Some(names) => self.answered(&**names, uri)?,
        };
        // One address that is not granted refuses the name: a name that mixes them is not to be trusted.
        for address in addresses.iter().map(SocketAddr::ip) {
            let granted = if self.private_addresses { is_reachable(address) } else { is_public(address) };
            if !granted {
                let host = uri.host().unwrap_or_default().to_owned();
                return Err(ureq::Error::Other(Box::new(AddressRefused { host, address })));
            }
        }
        Ok(addresses)
    }
}

impl CheckedResolver {
    /// Literal addresses are their own answers, as they are to the system's resolver.
    fn answered(&self, names: &dyn NamePort, uri: &Uri) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let found = literal.map_or_else(|_| names.addresses(host), |address| vec![address]);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(SocketAddr::new(address, port));
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}
