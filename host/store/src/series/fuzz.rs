//! The decoders of series' definitions, posting lists and their keys.

use telemetry_core::{Context, SeriesKey};

use super::definition::Definition;
use super::posting::Postings;
use super::rows::{self, PostingKey};
use crate::envelope;
use crate::fuzz::{Decoder, comes_back, payloads};

pub(crate) fn decoders() -> [Decoder; 4] {
    [
        Decoder::new(
            "series_definition",
            |bytes| {
                comes_back(1, bytes, Definition::decode, |found| {
                    Definition::encode(&found.key, found.overflow)
                })
            },
            || payloads([Definition::encode(&key(), false), Definition::encode(&key(), true)]),
        ),
        // A container of a bitmap takes eight kilobytes before its bytes are read.
        Decoder::new("posting_list", read_postings, posting_lists).allowed(1 << 20),
        Decoder::new("posting_key", read_key, || {
            vec![rows::name_key("cpu"), rows::label_key("k", "v"), vec![0x22]]
        }),
        Decoder::new("series_number", read_number, || payloads([rows::series_number(7)])),
    ]
}

fn key() -> SeriesKey {
    SeriesKey { name: "cpu".into(), context: Context::from_labels([("k", "v")]) }
}

fn read_postings(bytes: &[u8]) {
    comes_back(1, bytes, Postings::decode, Postings::encode);
    if let Ok(found) = Postings::decode(&envelope::wrap(1, bytes)) {
        let mut set = roaring::RoaringBitmap::new();
        found.add_to(&mut set);
        assert_eq!(found.meets(&set), !set.is_empty());
        assert_eq!(Postings::decode(&found.encode()).expect("it was just encoded"), found);
    }
}

fn posting_lists() -> Vec<Vec<u8>> {
    let list = |ids: &[u32]| {
        let mut postings = Postings::default();
        ids.iter().for_each(|id| postings.insert(*id));
        postings.encode()
    };
    let dense: Vec<u32> = (0..6000).map(|n| n * 2).collect();
    payloads([list(&[7, 300]), list(&[1, 2, 3, 4, 70_000]), list(&dense), list(&[])])
}

fn read_key(bytes: &[u8]) {
    let _ = rows::id_of_definition(bytes);
    match PostingKey::read(bytes) {
        Ok(PostingKey::Name(name)) => assert_eq!(rows::name_key(name), bytes),
        Ok(PostingKey::Label(label, value)) => assert_eq!(rows::label_key(label, value)[1..], bytes[1..]),
        Ok(PostingKey::All) | Err(_) => {}
    }
}

fn read_number(bytes: &[u8]) {
    if let Ok(id) = rows::read_series_number(&envelope::wrap(1, bytes)) {
        assert_eq!(rows::series_number(id), envelope::wrap(1, bytes));
    }
}
