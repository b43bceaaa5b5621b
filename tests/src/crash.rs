//! What the crash tests and their child process agree on.

use uuid::Uuid;

/// The monitor of the crash tests, as the configuration calls it: the guest `tally-monitor`.
pub const CRASH_MONITOR: &str = "tally";
/// Samples of a batch; each batch has two events too.
pub const CRASH_SAMPLES: u64 = 5;
/// One batch in so many asks for a signal.
const SIGNALS: u32 = 25;
/// Alerts that the signals are about.
const ALERTS: u64 = 7;

/// The id that the child gives to the event of one batch.
pub fn crash_event_id(run: u64, number: u32) -> Uuid {
    let mut bytes = [0_u8; 16];
    for (place, byte) in bytes.iter_mut().zip(run.to_be_bytes().into_iter().chain(number.to_be_bytes())) {
        *place = byte;
    }
    Uuid::new_v8(bytes)
}

/// The signal that a batch asks for: the alert's key, and whether it fires.
pub fn crash_signal(run: u64, number: u32) -> Option<(String, bool)> {
    let step = number / SIGNALS;
    number.is_multiple_of(SIGNALS).then(|| (format!("run {}", run % ALERTS), step.is_multiple_of(2)))
}
