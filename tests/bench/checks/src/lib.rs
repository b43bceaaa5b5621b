//! The validator of the benchmark of plugins: checks of a command's fields, and the events that they judge.
//!
//! One function for all contestants: it is compiled natively, into a component, into a bare module and into Extism's guest, so
//! that what differs between them is the way there and back.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use serde::Deserialize;

/// One event of so many is refused.
pub const REFUSED_ONE_IN: usize = 100;

/// What events are made of; [`is_type`] and [`is_state`] say the same to the compiler's liking.
const TYPES: [&str; 6] = ["INJECT_TASK", "MOVE", "STOP", "SCAN", "REPORT", "CALIBRATE"];
const STATES: [&str; 4] = ["SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"];
const LONGEST_SOURCE: usize = 64;
const HIGHEST_PRIORITY: u8 = 9;
const LONGEST_MILLISECONDS: f64 = 3_600_000.0;

/// The fields of a command that are looked at; what else it has is passed over. Strings are borrowed.
#[derive(Debug, Deserialize)]
pub struct Command<'a> {
    command_type: &'a str,
    command_id: &'a str,
    status: &'a str,
    priority: u8,
    processing_time_ms: f64,
}

impl<'a> Command<'a> {
    /// Where the fields stand in an event's `data`, in the order of [`new`](Self::new).
    pub const PLACES: [&'static str; 5] =
        ["/command_type", "/command_id", "/status", "/priority", "/processing_time_ms"];

    /// A command of fields that were found before; the numbers as JSON has them.
    pub fn new(
        command_type: &'a str,
        command_id: &'a str,
        status: &'a str,
        priority: f64,
        processing_time_ms: f64,
    ) -> Option<Self> {
        let fits = priority.fract() == 0.0 && (0.0..=f64::from(u8::MAX)).contains(&priority);
        // It fits: nothing is cut off.
        fits.then_some(Self {
            command_type,
            command_id,
            status,
            priority: priority as u8,
            processing_time_ms,
        })
    }
}

/// Why an event is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objection {
    /// A short name.
    pub code: &'static str,
    /// Where.
    pub path: &'static str,
    /// For a person.
    pub message: &'static str,
}

/// All objections that there are, in a fixed order.
pub const OBJECTIONS: [Objection; 7] = [
    Objection {
        code: "bad_command",
        path: "/data",
        message: "the command lacks a field, or one is of another type",
    },
    Objection { code: "bad_type", path: "/event_type", message: "the event is not of a command" },
    Objection { code: "bad_source", path: "/source", message: "the source is empty or too long" },
    Objection { code: "unknown_command", path: "/data/command_type", message: "there is no such command" },
    Objection { code: "bad_id", path: "/data/command_id", message: "the id is no UUID" },
    Objection { code: "bad_status", path: "/data/status", message: "there is no such status" },
    Objection { code: "out_of_range", path: "/data", message: "priority or time are out of range" },
];

/// Judges an event whose `data` is JSON text; answers the place of the objection in [`OBJECTIONS`].
///
/// Never inlined, nor is [`judge`]: natively they are of another crate and are not, and in guests functions that grow too large
/// keep the memory's base and the deadline on the stack.
#[inline(never)]
pub fn check(event_type: &str, source: &str, data: &str) -> Option<usize> {
    match serde_json::from_str(data) {
        Ok(command) => judge(event_type, source, &command),
        Err(_) => Some(0),
    }
}

/// Judges an event that was parsed before.
#[inline(never)]
pub fn judge(event_type: &str, source: &str, command: &Command<'_>) -> Option<usize> {
    if !event_type.starts_with("COMMAND_") {
        Some(1)
    } else if source.is_empty() || source.len() > LONGEST_SOURCE {
        Some(2)
    } else if !is_type(command.command_type) {
        Some(3)
    } else if !is_uuid(command.command_id) {
        Some(4)
    } else if !is_state(command.status) {
        Some(5)
    } else if command.priority > HIGHEST_PRIORITY
        || !(0.0..=LONGEST_MILLISECONDS).contains(&command.processing_time_ms)
    {
        Some(6)
    } else {
        None
    }
}

fn is_type(text: &str) -> bool {
    matches!(text, "INJECT_TASK" | "MOVE" | "STOP" | "SCAN" | "REPORT" | "CALIBRATE")
}

fn is_state(text: &str) -> bool {
    matches!(text, "SUCCESS" | "FAILED" | "TIMEOUT" | "CANCELLED")
}

/// Bit `i` is set where byte `i` of a UUID is a hyphen.
const HYPHENS: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;

fn is_uuid(text: &str) -> bool {
    let fits = |(place, byte): (usize, &u8)| match HYPHENS >> place & 1 {
        0 => HEXADECIMAL.get(usize::from(*byte)).is_some_and(|is| *is),
        _ => *byte == b'-',
    };
    text.len() == 36 && text.as_bytes().iter().enumerate().all(fits)
}

/// Whether a byte is a hexadecimal digit.
#[allow(
    clippy::indexing_slicing,
    reason = "a byte is below the table's length, and it is made by the compiler"
)]
static HEXADECIMAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = byte.is_ascii_hexdigit();
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// An event that is judged.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Its type.
    pub event_type: &'static str,
    /// Who recorded it.
    pub source: &'static str,
    /// A JSON object of about 200 bytes.
    pub data: String,
}

/// The events of the benchmark, the same each time.
pub fn events(count: usize) -> Vec<Event> {
    (0..count).map(event).collect()
}

fn event(number: usize) -> Event {
    // An odd number's multiples: all different, and nothing like a sequence.
    let noise = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick = |among: &[&'static str]| among.get(number % among.len()).copied().unwrap_or_default();
    let (high, low) = (noise >> 32, noise & 0xffff_ffff);
    let id = format!("{high:08x}-{:04x}-4{:03x}-8{:03x}-{low:012x}", low >> 16, high & 0xfff, low & 0xfff);
    let priority = if number % REFUSED_ONE_IN == REFUSED_ONE_IN / 2 { 17 } else { number % 10 };
    let milliseconds = (noise >> 40) as f64 / 128.0;
    let data = format!(
        r#"{{"command_type":"{}","command_id":"{id}","status":"{}","priority":{priority},"processing_time_ms":{milliseconds:?},"parameters":{{"speed":{},"heading":{:?},"tags":["bridge","deck-{}"],"dry_run":{}}}}}"#,
        pick(&TYPES),
        pick(&STATES),
        number % 30,
        (number % 3600) as f64 / 10.0,
        number % 12,
        number.is_multiple_of(2)
    );
    Event { id, event_type: "COMMAND_COMPLETED", source: "bridge_injector", data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_in_a_hundred_is_refused() {
        let refused = |event: &Event| check(event.event_type, event.source, &event.data);
        let found: Vec<_> = events(1000).iter().filter_map(refused).collect();
        assert_eq!(found, [6; 10]);
    }

    #[test]
    fn both_forms_of_the_lists_agree() {
        assert!(TYPES.iter().all(|text| is_type(text)) && STATES.iter().all(|text| is_state(text)));
        assert!(!is_type("SUCCESS") && !is_state("MOVE") && !is_type("") && !is_state(""));
        let id = "0123abcd-0000-4ABC-8fff-0123456789ab";
        assert!(
            is_uuid(id)
                && !is_uuid(&id.replace('-', "0"))
                && !is_uuid(&id[1..])
                && !is_uuid(&id.replace('b', "g"))
        );
    }

    #[test]
    fn every_objection_is_raised() {
        let good = events(1).remove(0);
        let data = |from: &str, to: &str| good.data.replace(from, to);
        let check = |event_type, source, data: &str| check(event_type, source, data).unwrap();
        assert_eq!(check("COMMAND_X", "s", "{}"), 0);
        assert_eq!(check("OTHER", "s", &good.data), 1);
        assert_eq!(check("COMMAND_X", "", &good.data), 2);
        assert_eq!(check("COMMAND_X", "s", &data("INJECT_TASK", "DANCE")), 3);
        assert_eq!(check("COMMAND_X", "s", &data("0000-", "000x-")), 4);
        assert_eq!(check("COMMAND_X", "s", &data("SUCCESS", "DONE")), 5);
        assert_eq!(check("COMMAND_X", "s", &data("\"priority\":0", "\"priority\":10")), 6);
    }
}
