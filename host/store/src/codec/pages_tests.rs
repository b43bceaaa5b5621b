//! Pages against the plain values, the bytes of FORMAT.md, and bytes that no encoder made.

use super::*;
use crate::codec::convert::Unchanged;
use proptest::prelude::*;

fn packed(values: &[i64], unit: u64) -> (Layout, Vec<u8>) {
    let width = width_of(values, unit).unwrap();
    let mut bytes = Vec::new();
    assert!(encode(values, unit, width, 8, &mut bytes));
    (Layout { width, tight: true }, bytes)
}

fn walk() -> impl Strategy<Value = (u64, Vec<i64>)> {
    let unit = prop_oneof![1_i64..200_000, Just(1 << 40)];
    (any::<i64>(), unit, prop::collection::vec(-9_i64..9, 1..1600)).prop_map(|(origin, unit, steps)| {
        let sum = |state: &mut i64, step: &i64| Some(std::mem::replace(state, *state + step * unit));
        let values = steps.iter().scan(0_i64, sum).map(|value| (origin / 4).wrapping_add(value)).collect();
        (unit.unsigned_abs(), values)
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let places = (0..hex.len()).step_by(2);
    places.map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
}

fn check_written(layout: Layout, stream: &[u8], wanted: &[i64]) {
    let mut back = Vec::new();
    let mut reader = Reader::new(CHUNK, stream);
    decode(&mut reader, wanted.len(), &(0..wanted.len()), layout, Unchanged, &mut back).unwrap();
    assert!(reader.is_done());
    assert_eq!(back, wanted);
}

/// The forms 8 and 9 of integers, as store format 2 wrote them.
#[test]
fn pages_of_format_2_stay_readable() {
    let pages = format!("3d3d3d2f{}f8f1f8f1fff1ff31c8df17", "f8ff".repeat(20));
    let tail = "dedede2f8fff8fff8f41febe00";
    let short = format!("090e0401108102009ffe3f001c000800390f0000{pages}0000{tail}");
    let long = format!("09120401108102001fd865fe3f00182e220010003b1100000000{pages}00000000{tail}");
    for (unit, width, hex) in [(1_i64, Width::Short, short), (70_000, Width::Long, long)] {
        let wanted: Vec<i64> = (0..600_i64).map(|index| -5 + index % 4 * unit).collect();
        check_written(Layout { width, tight: false }, &bytes(&hex), &wanted);
    }
}

/// The forms 10 to 12 of integers.
#[test]
fn written_pages_stay_readable() {
    let pages = format!("3d3d3d2f{}f8f1f8f1fff1ff31c8df17", "f8ff".repeat(20));
    let tail = "dedede2f8fff8fff8f41febe00";
    let written = |head: &str, zeros: usize| bytes(&format!("{head}{pages}{}{tail}", "00".repeat(zeros)));
    let wanted = |unit: i64| (0..600_i64).map(|index| -5 + index % 4 * unit).collect::<Vec<i64>>();
    let layout = |width| Layout { width, tight: true };
    check_written(layout(Width::Short), &written("090182023e3cfaff181072530000", 2), &wanted(1));
    // The same in units of 70,000.
    check_written(layout(Width::Short), &written("09f0a20482023e3cfaff181072530000", 2), &wanted(70_000));
    check_written(
        layout(Width::Long),
        &written("090182023e7c6097f9ff98001711765300000000", 4),
        &wanted(70_000),
    );
    check_written(
        layout(Width::Full),
        &written("090182023efc0000000000faffff580100000000107e530000000000000000", 8),
        &wanted(1 << 40),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn parts_come_back_exactly((unit, values) in walk(), whole: bool, one: prop::sample::Index, two: prop::sample::Index) {
        let (one, two) = (one.index(values.len()), two.index(values.len()));
        let wanted = one.min(two)..one.max(two);
        let (layout, bytes) = packed(&values, if whole { unit } else { 1 });
        let mut reader = Reader::new(CHUNK, &bytes);
        let mut back = Vec::new();
        let found = decode(&mut reader, values.len(), &wanted, layout, Unchanged, &mut back).unwrap();
        prop_assert!(reader.is_done());
        prop_assert!(wanted.is_empty() || (found.start <= wanted.start && found.end >= wanted.end));
        prop_assert_eq!(&values[found], &back[..]);
    }

    #[test]
    fn forged_bytes_are_damage_at_worst(
        (unit, values) in walk(),
        place: prop::sample::Index,
        length in 0_usize..4,
        forged in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let (layout, mut bytes) = packed(&values, unit);
        let from = place.index(bytes.len());
        bytes.splice(from..(from + length).min(bytes.len()), forged);
        let mut back = Vec::new();
        let _ = decode(&mut Reader::new(CHUNK, &bytes), values.len(), &(0..values.len()), layout, Unchanged, &mut back);
        prop_assert!(back.len() <= values.len());
    }

    #[test]
    fn any_bytes_are_damage_at_worst(
        bytes: Vec<u8>,
        count in 0_usize..2000,
        width in prop::sample::select(vec![Width::Short, Width::Long, Width::Full]),
        tight: bool,
    ) {
        let mut back = Vec::new();
        let layout = Layout { width, tight };
        let _ = decode(&mut Reader::new(CHUNK, &bytes), count, &(0..count), layout, Unchanged, &mut back);
        prop_assert!(back.len() <= count);
    }
}
