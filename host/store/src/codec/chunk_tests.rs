//! Whole chunks against the plain samples they were made of, and against bytes that no encoder made.

use proptest::prelude::*;

use super::*;
use crate::codec::streams;

fn value() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        any::<i64>().prop_map(MetricValue::Integer),
        (-1000_i64..1000).prop_map(MetricValue::Integer),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(MetricValue::Float),
        (-1000_i64..1000).prop_map(|value| MetricValue::Float(value as f64 / 100.0)),
        Just(MetricValue::Float(-0.0)),
        "[a-c]{0,2}".prop_map(|text| MetricValue::Text(text.into())),
    ]
}

/// Samples of one kind, or of all kinds mixed.
fn samples() -> impl Strategy<Value = Vec<(i64, MetricValue)>> {
    let kind = prop::sample::select(vec![0_u8, 1, 2, 3]);
    (prop::collection::vec((0_i64..10_000, value()), 1..300), kind).prop_map(|(mut samples, kind)| {
        let fits = |value: &MetricValue| match value {
            MetricValue::Float(_) => kind == 0,
            MetricValue::Integer(_) => kind == 1,
            MetricValue::Text(_) => kind == 2,
        };
        if kind < 3 && samples.iter().any(|(_, value)| fits(value)) {
            samples.retain(|(_, value)| fits(value));
        }
        samples.sort_by_key(|(time, _)| *time);
        samples
    })
}

fn columns(samples: &[(i64, MetricValue)]) -> (Vec<i64>, ValueColumn) {
    let mut values = ValueColumn::default();
    samples.iter().for_each(|(_, value)| values.push(value));
    (samples.iter().map(|(time, _)| *time).collect(), values)
}

/// Equal down to the sign of zero, which `==` does not see.
fn text_of(value: &MetricValue) -> String {
    format!("{value:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn samples_come_back_exactly(samples in samples(), compact: bool, sequence: u64) {
        let (times, values) = columns(&samples);
        let effort = if compact { Effort::Compact } else { Effort::Seal };
        let chunk = encode(&times, &values, effort, sequence).unwrap();

        let (mut back_times, mut back) = (vec![1], ValueColumn::Integer(vec![1]));
        let header = decode(&chunk, &mut back_times, &mut back).unwrap();
        prop_assert_eq!(&back_times, &times);
        let found: Vec<_> = (0..back.len()).filter_map(|index| back.get(index)).map(|value| text_of(&value)).collect();
        let wanted: Vec<_> = samples.iter().map(|(_, value)| text_of(value)).collect();
        prop_assert_eq!(found, wanted);

        let numbers: Vec<(i64, f64)> =
            samples.iter().filter_map(|(time, value)| Some((*time, value.as_f64()?))).collect();
        let (mut number_times, mut numeric, mut text_times) = (vec![1], vec![1.0], vec![1]);
        prop_assert_eq!(&decode_numeric(&chunk, (i64::MIN, i64::MAX), &mut number_times, &mut numeric, &mut text_times).unwrap().header, &header);
        let found: Vec<_> = number_times.iter().copied().zip(numeric.iter().map(|value| value.to_bits())).collect();
        let wanted: Vec<_> = numbers.iter().map(|(time, value)| (*time, value.to_bits())).collect();
        prop_assert_eq!(found, wanted);
        let texts = samples.iter().filter(|(_, value)| value.as_f64().is_none()).map(|(time, _)| *time);
        prop_assert_eq!(&text_times, &texts.collect::<Vec<_>>());

        prop_assert_eq!(&ChunkHeader::read(&chunk).unwrap(), &header);
        prop_assert_eq!(header.sealed_sequence, sequence);
        prop_assert_eq!(header.count as usize, samples.len());
        prop_assert_eq!(header.text_count as usize, text_times.len());
        prop_assert_eq!((header.first_time, header.last_time), (times[0], times[times.len() - 1]));
        let Some(digest) = header.digest else { prop_assert!(numbers.is_empty()); return Ok(()) };
        prop_assert_eq!(digest.count as usize, numbers.len());
        let extreme = |choose: fn(f64, f64) -> f64| numbers.iter().map(|(_, value)| *value).reduce(choose).unwrap();
        prop_assert_eq!((digest.min, digest.max), (extreme(f64::min), extreme(f64::max)));
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        prop_assert_eq!((digest.first_time.nanos(), digest.first.to_bits()), (first.0, first.1.to_bits()));
        prop_assert_eq!((digest.last_time.nanos(), digest.last.to_bits()), (last.0, last.1.to_bits()));
    }

    #[test]
    fn any_bytes_are_damage(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes, &mut Vec::new(), &mut ValueColumn::default()).is_err());
        prop_assert!(ChunkHeader::read(&bytes).is_err());
    }

    /// Bytes whose checksums are right but whose content no encoder made.
    #[test]
    fn forged_blocks_never_panic(
        samples in samples(),
        compact: bool,
        place: prop::sample::Index,
        length in 0_usize..20,
        forged: Vec<u8>,
    ) {
        let (times, values) = columns(&samples);
        let effort = if compact { Effort::Compact } else { Effort::Seal };
        let chunk = encode(&times, &values, effort, 1).unwrap();
        let (header, rest) = ChunkHeader::split(&chunk).unwrap();
        let mut blocks = rest[..rest.len() - 4].to_vec();
        let from = place.index(blocks.len());
        let until = (from + length).min(blocks.len());
        blocks.splice(from..until, forged);
        // Keep the time block's length, let the value block take up the difference.
        let time_bytes = header.time_bytes.min(blocks.len());
        let header = ChunkHeader { time_bytes, value_bytes: blocks.len() - time_bytes, ..header };
        let mut chunk = Vec::new();
        header.put(&mut chunk);
        chunk.extend_from_slice(&blocks);
        chunk.extend_from_slice(&crc32c::crc32c(&blocks).to_le_bytes());
        let mut back = ValueColumn::default();
        if decode(&chunk, &mut Vec::new(), &mut back).is_ok() {
            prop_assert_eq!(back.len(), times.len());
        }
        let _ = decode_numeric(&chunk, (i64::MIN, i64::MAX), &mut Vec::new(), &mut Vec::new(), &mut Vec::new());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let values = [MetricValue::Integer(42), MetricValue::Float(1.5), MetricValue::Text("up".into())];
    let (times, values) = columns(&[10, 20, 30].into_iter().zip(values).collect::<Vec<_>>());
    let chunk = encode(&times, &values, Effort::Seal, 9).unwrap();
    for bit in 0..chunk.len() * 8 {
        let mut flipped = chunk.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped, &mut Vec::new(), &mut ValueColumn::default()).is_err(), "bit {bit}");
        let _ = ChunkHeader::read(&flipped);
    }
    for length in 0..chunk.len() {
        assert!(decode_times(&chunk[..length], &mut Vec::new()).is_err(), "length {length}");
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let one = ValueColumn::Integer(vec![1]);
    assert!(encode(&[], &ValueColumn::default(), Effort::Seal, 1).is_err());
    assert!(encode(&[1, 2], &one, Effort::Seal, 1).is_err());
    assert!(encode(&[2, 1], &ValueColumn::Integer(vec![1, 2]), Effort::Seal, 1).is_err());
    let many = limits::MAX_CHUNK_SAMPLES + 1;
    assert!(encode(&vec![1; many], &ValueColumn::Integer(vec![1; many]), Effort::Seal, 1).is_err());
}

#[test]
fn a_series_of_the_benchmark_is_small() {
    let count = 4096_i64;
    let times: Vec<i64> =
        (0..count).map(|index| 1_747_837_937_000_000_000 + index * 10_000_000_000).collect();
    let noise =
        |index: i64, range: i64| (index.wrapping_mul(6_364_136_223_846_793_005) >> 33).rem_euclid(range);
    let walk = |range: i64| {
        (0..count).scan(500, move |sum, index| {
            *sum += noise(index, 2 * range + 1) - range;
            Some(*sum)
        })
    };
    let size = |values: ValueColumn, effort| {
        encode(&times, &values, effort, 1 << 40).unwrap().len() as f64 / count as f64
    };
    let integers = ValueColumn::Integer(walk(1).collect());
    assert!(size(integers.clone(), Effort::Seal) < 0.40, "{}", size(integers.clone(), Effort::Seal));
    assert!(size(integers.clone(), Effort::Compact) < 0.25, "{}", size(integers, Effort::Compact));
    let decimals = ValueColumn::Float(walk(200).map(|value| value as f64 / 100.0).collect());
    assert!(size(decimals.clone(), Effort::Seal) < 1.25, "{}", size(decimals, Effort::Seal));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let places = (0..hex.len()).step_by(2);
    places.map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
}

/// The bytes of FORMAT.md: what is written stays readable, and a change of what is written is noticed.
#[test]
fn the_format_stays() {
    // What format 2 wrote, where it is kept here, and what is written now.
    let check = |samples: &[(i64, MetricValue)], of_format_2: &str, expected: &str| {
        let (times, values) = columns(samples);
        let chunk = encode(&times, &values, Effort::Seal, 300).unwrap();
        assert_eq!(hex(&chunk), expected);
        for hex in [expected, of_format_2].iter().filter(|hex| !hex.is_empty()) {
            let (mut back_times, mut back) = (Vec::new(), ValueColumn::default());
            let header = decode(&unhex(hex), &mut back_times, &mut back).unwrap();
            assert_eq!((&back_times, &back), (&times, &values));
            assert_eq!(header.digest, ChunkHeader::read(&chunk).unwrap().digest);
        }
    };
    let at = |index: i64| 1_747_837_937_000_000_000 + index * 10_000_000_000;
    let series = |value: fn(i64) -> MetricValue, count: i64| -> Vec<_> {
        (0..count).map(|index| (at(index), value(index))).collect()
    };
    check(
        &series(|_| 42.into(), 3),
        "010a03002ad6df579141188090dfc04aac0254000000fc01080220b60bb30001008090dfc04a0054ce43ab5a",
        "020a03e28fef820d14ac02005400000000019c35d8f1020054bbbcb4b9",
    );
    check(
        &series(|index| (index * 7 % 4).into(), 10),
        "010a0a002ad6df579141188088aca3cf02ac02000300031e0806f649e3d40001008090dfc04a0202006c6c0ce60f20d4",
        "020a0ae28fef820d5aac0200000300031e01cbf23754020202006c6c0cc6e5795e",
    );
    check(
        &series(|index| if index == 7 { (-0.0).into() } else { (index as f64 * 1.25).into() }, 20),
        "010114002ad6df5791411880d887e7c305ac0200000000000000000000000000c0374000000000000000000000000000c037400000000000986c400817b9fa90b50001008090dfc04a01020107000000000000008005007d0002005585555515e7ffd15a",
        "020914e28fef820dbe01ac020200c71200c712b6e50201d62633100201020107000000000000008005007d0002005585555515dde02615",
    );
    let mixed = |index: i64| match index % 3 {
        0 => MetricValue::Integer(index),
        1 => MetricValue::Float(-0.0),
        _ => MetricValue::Text("up".into()),
    };
    check(
        &series(mixed, 5),
        "01070501002ad6df5791411880a0be819501ac02000000000000000000000000000000000840000000000000000000000000000000800000000000000840081c83b80e050001008090dfc04a02020061000000ffffffffffffffffff010100060103000275700000d3f630f9",
        "02070501e28fef820d28ac0200000000000000000000000000000000084000000000000000000000000000000080000000000000084001f6b826ee0202020061000000ffffffffffffffffff0101000601030002757000001b45e56f",
    );
    check(
        &series(|index| MetricValue::Float((900 + index * 37 % 50) as f64 / 10.0 / 100.0), 12),
        "",
        "02090ce28fef820d6eac0203880e300007c804016b213f03020303020003880e8019030003073232320000909c61e7",
    );
    check(
        &series(|index| MetricValue::Integer(1000 + index % 3 + i64::from(index == 77) * 100_000), 128),
        "010a8001002ad6df5791411880b8988ffb24ac02d00fa28d060001beec1b0829309c3cb60001008090dfc04a0282d00f014da8c301244992244992244992244992244992244992244992244992244992244992244941dae082",
        "020a8001e28fef820df609ac0200d00fa28d060001be9c0c01ad204995020282d00f014da8c3012449922449922449922449922449922449922449922449922449922449922449c49055eb",
    );
}

/// Forms whose bytes a library makes: written once, readable for good.
#[test]
fn compressed_forms_stay_readable() {
    let wanted: Vec<i64> = (0..512_i64).map(|index| 10 + index % 4).collect();
    let tail = "87c3e170381c0e".repeat(7);
    let stream = unhex(&format!(
        "70636f2103000980040104ff010010210200faffffffffffffff00060000000000000002000a0000000000008015{tail}87c3e170381c0000"
    ));
    let mut integers = vec![0_i64; wanted.len()];
    streams::decompress(&stream, &mut integers).unwrap();
    assert_eq!(integers, wanted);
    let stream = unhex(&format!(
        "70636f2103000980040106ff010010210200000000000000f4ff0002000000000008000200000000000000f4bf15{tail}87c3e170381c0000"
    ));
    let mut floats = vec![0.0; wanted.len()];
    streams::decompress(&stream, &mut floats).unwrap();
    assert_eq!(floats, wanted.iter().map(|value| *value as f64 / 8.0).collect::<Vec<_>>());
    let texts = unhex(
        "02dc02013e28b52ffd605c00a501009402d80261207465787420746861742073617973207468652073616d6520616761696e20616e642c20016202002a4e29dc62e50902010002",
    );
    let texts = Texts::decode(&mut Reader::new(CHUNK, &texts), 3).unwrap();
    let text = "a text that says the same again and again, ".repeat(8);
    assert_eq!(texts.iter().collect::<Result<Vec<_>, _>>().unwrap(), [&text, "b", &text]);
}
