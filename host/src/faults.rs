//! The host's own faults: logged with their code, counted, shown by health, and after three of one code within ten
//! minutes reported to the embedding program as AUTO_REBOOT_TRIGGERED (spec §2). Callers' errors never come here.
//!
//! Invariant: requests for a restart go out where no lock is held, and what fails while one is under way asks for no
//! other one.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use telemetry_core::{Clock, ErrorCode, Timestamp, limits};

use crate::envelope::cause_chain;
use crate::guards::ErrorWatch;
use crate::logging::{LeftOut, Throttle};

const SOURCE: &str = "Bridge_Telemetry";

/// The event by which a restart is asked for.
pub(crate) const REBOOT_EVENT_TYPE: &str = "AUTO_REBOOT_TRIGGERED";

/// Asks the embedding program to restart; the argument is the code that kept failing.
pub(crate) type RebootRequest = dyn Fn(ErrorCode) + Send + Sync;

thread_local! {
    /// Whether this thread is within a request for a restart.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Faults of the host with one code, since it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostFault {
    /// The contract's code.
    pub code: &'static str,
    /// How many there were.
    pub count: u64,
    /// The last one, with its causes.
    pub message: String,
    /// When the last one was.
    pub last_seen: Timestamp,
    /// Whether the last one was within [`limits::REPEATED_ERROR_PERIOD`].
    pub recent: bool,
}

/// Where every fault of the host is reported.
pub(crate) struct Faults {
    clock: Arc<dyn Clock>,
    watch: ErrorWatch,
    seen: Mutex<HashMap<ErrorCode, Seen>>,
    count: AtomicU64,
    /// Codes for which a restart is to be asked for.
    due: Mutex<VecDeque<ErrorCode>>,
    request: OnceLock<Box<RebootRequest>>,
}

/// What is known of one code.
struct Seen {
    count: u64,
    message: String,
    at: Timestamp,
    monotonic: Duration,
    throttle: Throttle,
}

impl Faults {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            watch: ErrorWatch::new(Arc::clone(&clock)),
            clock,
            seen: Mutex::new(HashMap::new()),
            count: AtomicU64::new(0),
            due: Mutex::new(VecDeque::new()),
            request: OnceLock::new(),
        }
    }

    /// Sets what happens when a code keeps failing; only the first call counts.
    pub(crate) fn on_reboot_request(&self, request: Box<RebootRequest>) {
        let _ = self.request.set(request);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Logs a fault and counts it. A code that is a caller's fault is not looked at. May be called under any lock: a
    /// request for a restart waits for [`Self::settle`].
    pub(crate) fn report(&self, code: ErrorCode, error: &(dyn Error + 'static)) {
        if !code.is_host_fault() {
            return;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let message = cause_chain(error);
        let Some(left_out) = self.note(code, &message) else { return };
        tell_left_out(code, left_out);
        tracing::error!(
            source = SOURCE,
            status = "ERROR",
            error_code = code.as_str(),
            error_message = message.as_str(),
            "{error}"
        );
        if !ASKING.get() && self.watch.record(code) {
            self.due.lock().push_back(code);
        }
    }

    /// Sends the requests that are due. No lock may be held: the embedding program may call the host.
    pub(crate) fn settle(&self) {
        while !ASKING.get() {
            let due = self.due.lock().pop_front();
            match due {
                Some(code) => self.ask(code),
                None => return,
            }
        }
    }

    /// Keeps the fault for health; with an answer it is to be logged.
    fn note(&self, code: ErrorCode, message: &str) -> Option<LeftOut> {
        let (at, monotonic) = (self.clock.now().floor_to_millis(), self.clock.monotonic());
        let shown = message.get(..message.floor_char_boundary(limits::MAX_REASON_BYTES)).unwrap_or_default();
        let mut seen = self.seen.lock();
        let entry = seen.entry(code).or_insert_with(|| Seen {
            count: 0,
            message: String::new(),
            at,
            monotonic,
            throttle: Throttle::new(
                limits::FAULTS_LOGGED_AT_ONCE,
                limits::FAULTS_LOGGED_PER_SECOND,
                self.clock.as_ref(),
            ),
        });
        entry.count = entry.count.saturating_add(1);
        shown.clone_into(&mut entry.message);
        (entry.at, entry.monotonic) = (at, monotonic);
        entry.throttle.pass(self.clock.as_ref())
    }

    fn ask(&self, code: ErrorCode) {
        let payload = serde_json::json!({
            "error_code": code.as_str(),
            "errors": limits::REPEATED_ERRORS,
            "period_seconds": limits::REPEATED_ERROR_PERIOD.as_secs(),
        })
        .to_string();
        tracing::warn!(
            source = SOURCE,
            status = "WARNING",
            payload = payload.as_str(),
            "{REBOOT_EVENT_TYPE}"
        );
        let Some(request) = self.request.get() else { return };
        ASKING.set(true);
        let asked = catch_unwind(AssertUnwindSafe(|| request(code)));
        ASKING.set(false);
        if asked.is_err() {
            tracing::error!(source = SOURCE, "the callback for requests to restart panicked");
        }
    }

    /// The faults so far, one entry for each code, by code.
    pub(crate) fn summary(&self) -> Vec<HostFault> {
        let now = self.clock.monotonic();
        let mut faults: Vec<HostFault> = (self.seen.lock().iter())
            .map(|(code, seen)| HostFault {
                code: code.as_str(),
                count: seen.count,
                message: seen.message.clone(),
                last_seen: seen.at,
                recent: now.saturating_sub(seen.monotonic) <= limits::REPEATED_ERROR_PERIOD,
            })
            .collect();
        faults.sort_unstable_by_key(|fault| fault.code);
        faults
    }

    /// Logs how many faults were left out of the log lately.
    pub(crate) fn tell_left_out(&self) {
        let left_out: Vec<(ErrorCode, LeftOut)> =
            self.seen.lock().iter_mut().map(|(code, seen)| (*code, seen.throttle.take_left_out())).collect();
        for (code, left_out) in left_out {
            tell_left_out(code, left_out);
        }
    }
}

fn tell_left_out(code: ErrorCode, left_out: LeftOut) {
    if let Some(since) = left_out.since {
        let (code, count) = (code.as_str(), left_out.count);
        let payload = serde_json::json!({"error_code": code, "left_out": count, "since": since}).to_string();
        tracing::warn!(
            source = SOURCE,
            status = "WARNING",
            payload = payload.as_str(),
            "Errors were left out of the log because there were too many."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::ManualClock;

    #[derive(Debug, thiserror::Error)]
    #[error("it is broken")]
    struct Broken;

    fn faults() -> (Arc<Faults>, Arc<ManualClock>, Arc<Mutex<Vec<ErrorCode>>>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let faults = Arc::new(Faults::new(clock.clone()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        (faults, clock, asked)
    }

    #[test]
    fn what_fails_within_a_request_asks_for_no_other() {
        let (faults, _, asked) = faults();
        let (weak, seen) = (Arc::downgrade(&faults), Arc::clone(&asked));
        faults.on_reboot_request(Box::new(move |code| {
            seen.lock().push(code);
            let faults = weak.upgrade().unwrap();
            (0..5).for_each(|_| faults.report(ErrorCode::StorageFailure, &Broken));
            faults.settle();
            panic!("the embedding program's bug");
        }));
        for count in [0, 0, 1, 1, 1, 2] {
            faults.report(ErrorCode::RetrievalFailure, &Broken);
            faults.settle();
            assert_eq!(*asked.lock(), vec![ErrorCode::RetrievalFailure; count]);
        }
        assert_eq!(faults.count(), 6 + 2 * 5);
    }

    #[test]
    fn health_sees_the_last_of_each_code_until_it_is_old() {
        let (faults, clock, _) = faults();
        faults.report(ErrorCode::StorageFailure, &Broken);
        faults.report(ErrorCode::InvalidEvent, &Broken);
        clock.advance(limits::REPEATED_ERROR_PERIOD);
        faults.report(ErrorCode::OperationTimeout, &Broken);
        clock.advance(Duration::from_secs(1));
        let brief: Vec<_> =
            faults.summary().into_iter().map(|fault| (fault.code, fault.count, fault.recent)).collect();
        assert_eq!(brief, [("OPERATION_TIMEOUT", 1, true), ("STORAGE_FAILURE", 1, false)]);
        assert_eq!(faults.summary()[0].message, "it is broken");
    }

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let (faults, _, asked) = faults();
        let seen = Arc::clone(&asked);
        faults.on_reboot_request(Box::new(move |code| seen.lock().push(code)));
        (0..1_000).for_each(|_| faults.report(ErrorCode::StorageFailure, &Broken));
        faults.settle();
        assert_eq!(faults.count(), 1_000);
        let logged = limits::FAULTS_LOGGED_AT_ONCE as usize;
        assert_eq!(asked.lock().len(), logged / limits::REPEATED_ERRORS);
        let left_out = faults.seen.lock()[&ErrorCode::StorageFailure].throttle.left_out_count();
        assert_eq!(left_out, 1_000 - logged as u64);
    }
}
