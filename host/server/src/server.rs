//! Binds the address and serves until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::Host;
use hyper_util::server::graceful::GracefulShutdown;
use telemetry_core::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::connection;
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
    /// No connection could be accepted for a minute.
    #[error("the server on {address} can accept no connection any more")]
    Accept {
        /// The address in use.
        address: SocketAddr,
        /// Why the last one was not accepted.
        #[source]
        source: std::io::Error,
    },
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

    /// Serves until `shutdown` completes. Requests under way are answered within `server.request_timeout`; then the
    /// connections that are left are cut.
    pub async fn serve(
        self,
        host: Arc<Host>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError> {
        let config = &host.config().server;
        let patience = config.request_timeout.0;
        let fence = Fence::new(self.address, config.allowed_hosts.clone(), patience);
        let router = router(Arc::clone(&host), fence);
        let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)));
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let ended = loop {
            tokio::select! {
                () = &mut shutdown => break Ok(()),
                accepted = self.accept(&room) => match accepted {
                    Ok((stream, permit)) => {
                        let (router, watcher) = (router.clone(), graceful.watcher());
                        connections.spawn(async move {
                            connection::serve(stream, router, patience, watcher).await;
                            drop(permit);
                        });
                    }
                    Err(error) => break Err(error),
                },
                Some(_) = connections.join_next() => {}
            }
        };
        drop(self.listener);
        finish(graceful, connections, patience).await;
        ended
    }

    /// The next connection, as soon as there is room for one more.
    async fn accept(
        &self,
        room: &Arc<Semaphore>,
    ) -> Result<(TcpStream, Option<OwnedSemaphorePermit>), ServerError> {
        // It is never closed, so that there always is a permit in the end.
        let permit = Arc::clone(room).acquire_owned().await.ok();
        let mut failures = 0_u32;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Ok((stream, permit)),
                Err(source) if failures >= limits::MAX_ACCEPT_FAILURES => {
                    return Err(ServerError::Accept { address: self.address, source });
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection was not accepted");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Lets the connections come to their end, and cuts those that do not.
async fn finish(graceful: GracefulShutdown, mut connections: JoinSet<()>, patience: Duration) {
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were cut, as they did not end in time");
    }
    connections.shutdown().await;
}
