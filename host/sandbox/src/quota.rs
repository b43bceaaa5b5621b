//! How often one call may do what costs the host little: say a line, count. What is over a plugin's rate is left out, and still
//! had to be taken, looked at and counted, so that a flood of it is a failure.

use telemetry_core::extension::FailureReason;

use crate::state::stop;

/// What one call may have of one thing.
#[derive(Debug)]
pub(crate) struct Quota {
    /// The thing, as the failure names it.
    what: &'static str,
    limit: u64,
    left: u64,
}

impl Quota {
    /// Nothing, until a call begins.
    pub(crate) const fn of(what: &'static str) -> Self {
        Self { what, limit: 0, left: 0 }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, limit: u64) {
        self.limit = limit;
        self.left = limit;
    }

    /// Takes `count`; more than is left ends the call.
    pub(crate) fn take(&mut self, count: u64) -> wasmtime::Result<()> {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(stop(FailureReason::Limit { what: self.what, limit: self.limit })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Stopped;

    #[test]
    fn what_is_over_the_limit_ends_the_call_by_name() {
        let mut quota = Quota::of("things");
        quota.begin(3);
        quota.take(1).unwrap();
        quota.take(2).unwrap();
        let error = quota.take(1).unwrap_err();
        let reason = FailureReason::Limit { what: "things", limit: 3 };
        assert_eq!(error.downcast_ref(), Some(&Stopped(reason)));
        quota.take(0).unwrap();
        quota.begin(1);
        quota.take(1).unwrap();
    }
}
