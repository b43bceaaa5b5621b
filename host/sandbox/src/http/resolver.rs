//! Names to addresses, each address checked. The connection goes to the very addresses that were checked.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address::{is_public, is_reachable};

/// Resolves like the operating system and refuses what the grant does not cover.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    /// Whether addresses that are not public are granted.
    pub(super) private_addresses: bool,
    pub(super) system: DefaultResolver,
}

/// A name that leads to an address which is not granted.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at {address}, which is not a public address; the grant private_addresses would allow it")]
pub(super) struct AddressRefused {
    pub(super) host: String,
    pub(super) address: std::net::IpAddr,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.system.resolve(uri, config, timeout)?;
        // One address that is not granted refuses the name: a name that mixes them is not to be trusted.
        for address in addresses.iter().map(std::net::SocketAddr::ip) {
            let granted = if self.private_addresses { is_reachable(address) } else { is_public(address) };
            if !granted {
                let host = uri.host().unwrap_or_default().to_owned();
                return Err(ureq::Error::Other(Box::new(AddressRefused { host, address })));
            }
        }
        Ok(addresses)
    }
}
