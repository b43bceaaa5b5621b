//! What the store refused to monitors.

use telemetry_store::StoreError;

/// Reported as a fault of the host.
#[derive(Debug, thiserror::Error)]
pub(super) enum MonitorFault {
    #[error("monitor \"{monitor}\" waits for the store")]
    Waits {
        monitor: String,
        #[source]
        source: StoreError,
    },
    #[error("a tick cannot be appended to the log")]
    Tick(#[source] StoreError),
}
