//! The decoders of events' rows, names and ids, and of cursors, which come from callers.

use telemetry_core::Timestamp;
use uuid::Uuid;

use super::cursor;
use super::event_row::{EventRow, RowId, RowName};
use super::names::read_name;
use super::rows::{EventKey, PlacedKey, id_value, number_of_name, read_id_value};
use crate::envelope;
use crate::fuzz::{Decoder, payloads};

pub(crate) fn decoders() -> [Decoder; 4] {
    [
        Decoder::new("event", read_event, example_events),
        Decoder::new("event_by_id", read_id, || payloads([id_value(key())])),
        Decoder::new("event_name", read_names, || vec![b"COMMAND".to_vec(), "é".into()]),
        Decoder::new("page_cursor", read_cursor, || vec![cursor::encode(key()).into_bytes()]),
    ]
}

fn key() -> EventKey {
    EventKey { timestamp: Timestamp::EPOCH, sequence: 7 }
}

fn read_event(bytes: &[u8]) {
    let value = envelope::wrap(1, bytes);
    let Ok(row) = EventRow::decode(&value) else { return };
    let _ = row.objects();
    let mut again = Vec::new();
    row.encode(&mut again);
    assert_eq!(EventRow::decode(&again).expect("it was just encoded"), row);
    if let RowId::Made(counter) = row.id {
        assert!(EventRow::may_have_counter(&value, counter));
    }
}

pub(crate) fn example_events() -> Vec<Vec<u8>> {
    let row = |id, event_type, data, extra| {
        let mut out = Vec::new();
        EventRow { id, event_type, source: RowName::Number(300), data, extra }.encode(&mut out);
        out
    };
    let (made, given) = (RowId::Made(1), RowId::Given(Uuid::from_u128(7)));
    payloads([
        row(made, RowName::Number(3), r#"{"n":42}"#, "{}"),
        row(given, RowName::Text("T"), "{}", r#"{"extra":[1,2]}"#),
    ])
}

fn read_id(bytes: &[u8]) {
    if let Ok(key) = read_id_value(&envelope::wrap(1, bytes)) {
        assert_eq!(id_value(key), envelope::wrap(1, bytes));
    }
    let _ = PlacedKey::read(bytes);
    let _ = number_of_name(bytes);
}

fn read_names(bytes: &[u8]) {
    if let Ok(name) = read_name(&envelope::wrap(1, bytes)) {
        assert_eq!(name.as_bytes(), bytes);
    }
}

fn read_cursor(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = cursor::decode(text)
    {
        assert_eq!(cursor::encode(key), text);
    }
}
