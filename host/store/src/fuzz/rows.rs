//! The rows of the families that are not a partition's: progress, catalogue, seal notes, cursors, alerts and deliveries.

use telemetry_core::extension::SavedState;
use telemetry_core::{DeadLetter, PendingDelivery};

use super::{Decoder, comes_back, payloads};
use crate::alert_rows::{self, AlertRow, StoredAlert};
use crate::families::Class;
use crate::meta::{self, Identity, PartitionRow, Progress, SealNote};
use crate::plugin_state::{self, SavedCursor};
use crate::{alerts, chunks, envelope, events, log, rollups, series};

const VERSION: u8 = 1;

pub(super) fn decoders() -> [Decoder; 10] {
    [
        Decoder::new(
            "identity",
            |bytes| comes_back(VERSION, bytes, Identity::decode, Identity::encode),
            || payloads([Identity { format: meta::FORMAT, tag: 0x1234 }.encode()]),
        ),
        Decoder::new(
            "partition",
            |bytes| comes_back(VERSION, bytes, PartitionRow::decode, PartitionRow::encode),
            || payloads([PartitionRow { end: -5, folded: true }.encode()]),
        ),
        Decoder::new(
            "progress",
            |bytes| comes_back(VERSION, bytes, Progress::decode, Progress::encode),
            || payloads([progress().encode()]),
        ),
        Decoder::new(
            "number",
            |bytes| comes_back(VERSION, bytes, |row| meta::read_number("number", row), |n| meta::number(*n)),
            || payloads([meta::number(-3), meta::number(i64::MAX)]),
        ),
        Decoder::new(
            "seal_note",
            |bytes| comes_back(VERSION, bytes, SealNote::decode, SealNote::encode),
            || payloads([SealNote { series: vec![(1, 9), (2, 7), (900, 0), (u32::MAX, 9)] }.encode()]),
        ),
        Decoder::new(
            "cursor",
            |bytes| comes_back(VERSION, bytes, SavedCursor::decode, SavedCursor::encode),
            || payloads([SavedCursor::default().encode(), cursor().encode()]),
        ),
        Decoder::new("alert", alert_row::<StoredAlert>, || alert_rows::examples().0),
        Decoder::new("delivery", alert_row::<PendingDelivery>, || alert_rows::examples().1),
        Decoder::new("dead_letter", alert_row::<DeadLetter>, || alert_rows::examples().2),
        // Keys and values as verifying reads them; the chunk among them may have a whole dictionary of texts.
        Decoder::new("any_row", any_row, example_rows).allowed(768 << 20),
    ]
}

fn progress() -> Progress {
    let counts = vec![(Class::Events, 86_400, 3), (Class::Metrics, -1, 0)];
    Progress { watermark: 1 << 40, trimmed: 7, counted: u64::MAX, counts }
}

fn cursor() -> SavedCursor {
    SavedCursor { next_sequence: 7, state: Some(SavedState { version: 3, bytes: vec![1, 2, 3] }) }
}

/// The first byte tells the version.
fn alert_row<T: AlertRow + std::fmt::Debug>(bytes: &[u8]) {
    let Some((version, payload)) = bytes.split_first() else { return };
    let encode = |row: &T| alert_rows::encode(row).expect("what was decoded can be encoded");
    comes_back(version % 4, payload, alert_rows::decode::<T>, encode);
}

/// First the family's number and the key's length, then the key, the version and the payload.
fn any_row(bytes: &[u8]) {
    let [family, length, rest @ ..] = bytes else { return };
    let Some((key, [version, payload @ ..])) = rest.split_at_checked(usize::from(*length % 32)) else {
        return;
    };
    let value = envelope::wrap(*version, payload);
    let _ = match family % 7 {
        0 => meta::check_row(key, &value),
        1 => plugin_state::check_row(key, &value),
        2 => alerts::check_row(key, &value),
        3 => events::check_row(key, &value),
        4 => series::check_row(key, &value),
        5 => rollups::check_row(key, &value),
        // Chunks have no envelope.
        _ => chunks::check_row(key, payload),
    };
    let _ = log::record::sequence_of(key);
}

fn example_rows() -> Vec<Vec<u8>> {
    let row = |family: u8, key: &[u8], value: &[u8]| {
        let length = u8::try_from(key.len()).expect("keys are short");
        [&[family, length][..], key, &value[..1], &value[envelope::ENVELOPE_BYTES..]].concat()
    };
    vec![
        row(0, meta::IDENTITY_KEY, &Identity { format: meta::FORMAT, tag: 7 }.encode()),
        row(0, &meta::partition_key(Class::Events, -9), &PartitionRow { end: 5, folded: false }.encode()),
        row(0, &SealNote::key(4), &SealNote { series: vec![(1, 9)] }.encode()),
        row(0, meta::PROGRESS_KEY, &progress().encode()),
        row(1, &plugin_state::cursor_key("threshold"), &cursor().encode()),
        row(2, &[0x01; 17], &envelope::wrap(2, &alert_rows::examples().0[0][1..])),
        row(3, &[0x01; 17], &envelope::wrap(VERSION, &events::fuzz::example_events()[0])),
        row(4, &[0x20, 0, 0, 0, 1], &envelope::wrap(VERSION, b"\x00\x03cpu{\"k\":\"v\"}")),
    ]
}
