//! Binds the address and serves until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use bridge_telemetry::Host;
use tokio::net::TcpListener;

use crate::fence::Fence;
use crate::routes::router;

/// Every answer carries the host's instance in this header, so that a client can tell which host it reached.
pub const INSTANCE_HEADER: &str = "x-bridge-telemetry-instance";

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Others could reach the address, and nothing would ask them who they are.
    #[error(
        "{address} is not a loopback address; without authentication the server listens on loopback only, such as 127.0.0.1:4600"
    )]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}; end the program that uses it, or choose another with --listen (port 0 takes a free one)"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Serving failed.
    #[error("the server failed")]
    Serve(#[source] std::io::Error),
}

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback { address });
        }
        let bind = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address })
    }

    /// The address in use.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes; requests under way are answered.
    pub async fn serve(
        self,
        host: Arc<Host>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError> {
        let fence = Fence::new(self.address, host.config().server.allowed_hosts.clone());
        let router = router(host, fence);
        axum::serve(self.listener, router).with_graceful_shutdown(shutdown).await.map_err(ServerError::Serve)
    }
}
