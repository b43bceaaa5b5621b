//! The benchmark's validator as a bare module: no interface types, no SDK. The host asks for room, copies the batch's columns
//! into the memory, calls, and reads the objections out of it. It is the floor of what a crossing can cost.
//!
//! The input is one `u32` for the end of each of five strings per event, then the strings, as in the plugin contract. The answer
//! is two `u32` per objection: the row and the place in the list of objections.

/// As in every component of the SDK.
#[cfg(target_arch = "wasm32")]
#[path = "../../../../plugin-sdk/src/memory.rs"]
mod memory;

use std::cell::RefCell;

use bridge_telemetry_bench_checks::check;

const FIELDS: usize = 5;

#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Room for `length` bytes of input.
#[allow(unsafe_code, reason = "an export's name")]
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.input.clear();
        state.input.resize(length, 0);
        state.input.as_mut_ptr()
    })
}

/// Judges so many events of the input; answers the place of the objections and, in the upper half, how many bytes they are.
/// All bits set: the input is broken.
#[allow(unsafe_code, reason = "an export's name")]
#[unsafe(no_mangle)]
pub extern "C" fn validate(rows: usize) -> u64 {
    STATE.with_borrow_mut(|state| {
        let State { input, output } = state;
        output.clear();
        match judge(input, rows, output) {
            Some(()) => (output.len() as u64) << 32 | output.as_ptr().addr() as u64,
            None => u64::MAX,
        }
    })
}

fn judge(input: &[u8], rows: usize, output: &mut Vec<u8>) -> Option<()> {
    let (ends, text) = input.split_at_checked(rows.checked_mul(FIELDS * 4)?)?;
    let text = std::str::from_utf8(text).ok()?;
    let (ends, _) = ends.as_chunks::<4>();
    let end = |field: usize| Some(u32::from_le_bytes(*ends.get(field)?) as usize);
    let field = |number: usize| text.get(number.checked_sub(1).map_or(Some(0), end)?..end(number)?);
    for row in 0..rows {
        let first = row * FIELDS;
        if let Some(found) = check(field(first + 1)?, field(first + 2)?, field(first + 3)?) {
            output.extend_from_slice(&u32::try_from(row).ok()?.to_le_bytes());
            output.extend_from_slice(&u32::try_from(found).ok()?.to_le_bytes());
        }
    }
    Some(())
}
