//! Where failures of the store are reported that no caller waits for.

use std::error::Error;

use telemetry_core::ErrorCode;

use crate::faults::Faults;

/// Takes faults of the host, so that health shows them and repeated ones ask for a restart (spec §2). The trait lets tests
/// look at what is reported.
pub trait FaultReport: Send + Sync {
    /// Logs a fault and counts it. May be called under any lock.
    fn report(&self, code: ErrorCode, error: &(dyn Error + 'static));
    /// Sends the requests for a restart that are due. To be called where no lock is held.
    fn settle(&self);
}

impl FaultReport for Faults {
    fn report(&self, code: ErrorCode, error: &(dyn Error + 'static)) {
        Self::report(self, code, error);
    }

    fn settle(&self) {
        Self::settle(self);
    }
}
