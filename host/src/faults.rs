//! The host's own faults: logged with their code, counted, and after three of one code within ten minutes reported to
//! the embedding program as AUTO_REBOOT_TRIGGERED (spec §2). Callers' errors never come here.

use std::error::Error;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use telemetry_core::ErrorCode;

use crate::envelope::cause_chain;
use crate::guards::ErrorWatch;

/// Asks the embedding program to restart; the argument is the code that kept failing.
pub(crate) type RebootRequest = dyn Fn(ErrorCode) + Send + Sync;

/// Where every fault of the host is reported.
pub(crate) struct Faults {
    watch: ErrorWatch,
    count: AtomicU64,
    request: OnceLock<Box<RebootRequest>>,
}

impl Faults {
    pub(crate) fn new(watch: ErrorWatch) -> Self {
        Self { watch, count: AtomicU64::new(0), request: OnceLock::new() }
    }

    /// Sets what happens when a code keeps failing; only the first call counts.
    pub(crate) fn on_reboot_request(&self, request: Box<RebootRequest>) {
        let _ = self.request.set(request);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Logs a fault and counts it.
    pub(crate) fn report(&self, code: ErrorCode, error: &(dyn Error + 'static)) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let message = cause_chain(error);
        tracing::error!(
            source = "Bridge_Telemetry",
            status = "ERROR",
            error_code = code.as_str(),
            error_message = message.as_str(),
            "{error}"
        );
        if self.watch.record(code)
            && let Some(request) = self.request.get()
        {
            request(code);
        }
    }
}
