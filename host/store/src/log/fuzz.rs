//! The decoder of the durable log's rows.

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{AdmittedSample, MetricDraft, MetricValue, Timestamp};

use super::record::{self, LogRecord, SampleColumns};
use crate::envelope;
use crate::fuzz::{Decoder, payloads};

pub(crate) fn decoders() -> [Decoder; 1] {
    [Decoder::new("log_record", read, examples)]
}

fn read(bytes: &[u8]) {
    let Ok(found) = LogRecord::decode(&envelope::wrap(1, bytes)) else { return };
    // Who replays counts on it.
    assert!(found.len() <= bytes.len() as u64, "a record takes a byte at least");
    let mut again = Vec::new();
    match &found {
        LogRecord::Samples(columns) => {
            // What admission refuses, no encoder is given.
            let Some(samples) = admitted(columns) else { return };
            record::encode_samples(&mut again, columns.series.iter().copied(), &samples);
        }
        LogRecord::Events(times) => record::encode_events(&mut again, times.iter().copied()),
        LogRecord::Tick(time) => record::encode_tick(&mut again, *time),
    }
    let back = LogRecord::decode(&again).expect("it was just encoded");
    match (&found, &back) {
        // A column of a single kind may have been written as one of any kind.
        (LogRecord::Samples(found), LogRecord::Samples(back)) => {
            assert_eq!((&found.series, &found.times), (&back.series, &back.times));
            let text = |columns: &SampleColumns, place| format!("{:?}", columns.values.get(place));
            assert!((0..found.values.len()).all(|place| text(found, place) == text(back, place)));
        }
        _ => assert_eq!(found, back),
    }
}

fn admitted(columns: &SampleColumns) -> Option<Vec<AdmittedSample>> {
    let times = AcceptedTimes { now: Timestamp::EPOCH, oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let sample = |(place, time): (usize, &i64)| {
        let draft = MetricDraft::new("m", columns.values.get(place)?).at(Timestamp::from_nanos(*time));
        admit_sample(draft, &times).ok()
    };
    columns.times.iter().enumerate().map(sample).collect()
}

fn examples() -> Vec<Vec<u8>> {
    let row = |values: &[MetricValue]| {
        let times = AcceptedTimes { now: Timestamp::EPOCH, oldest: Timestamp::MIN, newest: Timestamp::MAX };
        let sample = |value: &MetricValue| {
            admit_sample(MetricDraft::new("m", value.clone()).at(Timestamp::EPOCH), &times)
                .expect("it is one")
        };
        let samples: Vec<_> = values.iter().map(sample).collect();
        let mut out = Vec::new();
        record::encode_samples(&mut out, (0..).map(|n| n * n).take(samples.len()), &samples);
        out
    };
    let (mut events, mut tick) = (Vec::new(), Vec::new());
    record::encode_events(&mut events, [5, -7, i64::MAX].into_iter());
    record::encode_tick(&mut tick, Timestamp::MAX);
    payloads([
        row(&[1.5.into(), (-0.0).into(), 1e300.into()]),
        row(&[7_i64.into(), i64::MIN.into()]),
        row(&[7_i64.into(), "text".into(), 0.5.into()]),
        events,
        tick,
    ])
}
