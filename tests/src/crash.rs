//! What the crash tests and their child process agree on.

use uuid::Uuid;

/// The id that the child gives to the event of one batch.
pub fn crash_event_id(run: u64, number: u32) -> Uuid {
    let mut bytes = [0_u8; 16];
    for (place, byte) in bytes.iter_mut().zip(run.to_be_bytes().into_iter().chain(number.to_be_bytes())) {
        *place = byte;
    }
    Uuid::new_v8(bytes)
}
