//! The envelope, letter by letter, and the contract's special cases.

use std::time::Duration;

use expect_test::{Expect, expect};
use telemetry_core::aggregation::AggregateValue;
use telemetry_core::{LabelFilter, Timestamp};

use super::memory::MemoryReader;
use crate::query::{MetricQuery, metric_query_from_json};

fn check(reader: &MemoryReader, query: &MetricQuery, expected: &Expect) {
    expected.assert_eq(&super::json(reader, query));
}

fn hosts() -> MemoryReader {
    MemoryReader::new()
        .with("load", &[("host", "b"), ("zone", "x")], &[(60.0, 4.0), (130.0, 8.5)])
        .with("load", &[("host", "a"), ("zone", "x")], &[(0.0, 1.0), (61.0, 2.0)])
        .with("load", &[("zone", "y")], &[(200.0, 3.0)])
        .with("cpu", &[("host", "a")], &[(10.0, 50.0)])
        .with("gone", &[], &[])
}

#[test]
fn the_example_of_the_specification() {
    let start = Timestamp::parse("2025-05-21T14:00:00Z").unwrap();
    let end = Timestamp::parse("2025-05-21T15:00:00Z").unwrap();
    let first = start.nanos() as f64 / 1e9;
    let samples: Vec<_> = (0..10).map(|n| (first + f64::from(n), 135.5 + f64::from(n % 2) * 0.5)).collect();
    let reader = MemoryReader::new().with("command_processing_time_ms", &[], &samples);
    let query = MetricQuery::of(["command_processing_time_ms"]).between(start, end);
    assert_eq!(
        serde_json::to_string(&super::answer(&reader, &query).unwrap()).unwrap(),
        r#"{"status":"success","metrics":{"command_processing_time_ms":{"value":135.75,"aggregation":"MEAN","sample_count":10,"time_range":{"start":"2025-05-21T14:00:00Z","end":"2025-05-21T15:00:00Z"}}}}"#
    );
}

#[test]
fn all_metrics_by_name_and_open_sides() {
    check(
        &hosts(),
        &MetricQuery::default().aggregate("max"),
        &expect![[r#"
            {
              "status": "success",
              "metrics": {
                "cpu": {
                  "value": 50,
                  "aggregation": "MAX",
                  "sample_count": 1,
                  "time_range": {
                    "start": "1970-01-01T00:00:10Z",
                    "end": "1970-01-01T00:00:10Z"
                  }
                },
                "load": {
                  "value": 8.5,
                  "aggregation": "MAX",
                  "sample_count": 5,
                  "time_range": {
                    "start": "1970-01-01T00:00:00Z",
                    "end": "1970-01-01T00:03:20Z"
                  }
                }
              }
            }"#]],
    );
}

#[test]
fn groups_with_points_a_missing_label_and_a_limit() {
    let query =
        MetricQuery::of(["load"]).aggregate("SUM").group_by(["host"]).step(Duration::from_secs(60)).limit(2);
    check(
        &hosts(),
        &query,
        &expect![[r#"
            {
              "status": "success",
              "metrics": {
                "load": {
                  "value": 18.5,
                  "aggregation": "SUM",
                  "sample_count": 5,
                  "time_range": {
                    "start": "1970-01-01T00:00:00Z",
                    "end": "1970-01-01T00:03:20Z"
                  },
                  "groups": [
                    {
                      "by": {
                        "host": null
                      },
                      "value": 3,
                      "sample_count": 1,
                      "points": [
                        {
                          "time": "1970-01-01T00:03:00Z",
                          "value": 3,
                          "sample_count": 1
                        }
                      ]
                    },
                    {
                      "by": {
                        "host": "a"
                      },
                      "value": 3,
                      "sample_count": 2,
                      "points": [
                        {
                          "time": "1970-01-01T00:00:00Z",
                          "value": 1,
                          "sample_count": 1
                        },
                        {
                          "time": "1970-01-01T00:01:00Z",
                          "value": 2,
                          "sample_count": 1
                        }
                      ]
                    }
                  ],
                  "truncated": true
                }
              },
              "truncated": true
            }"#]],
    );
}

#[test]
fn points_without_groups_leave_empty_buckets_out() {
    let query = MetricQuery::of(["load"])
        .aggregate("P50")
        .filter(LabelFilter::equal("zone", "x"))
        .step(Duration::from_secs(60));
    check(
        &hosts(),
        &query,
        &expect![[r#"
            {
              "status": "success",
              "metrics": {
                "load": {
                  "value": 3,
                  "aggregation": "P50",
                  "sample_count": 4,
                  "time_range": {
                    "start": "1970-01-01T00:00:00Z",
                    "end": "1970-01-01T00:02:10Z"
                  },
                  "points": [
                    {
                      "time": "1970-01-01T00:00:00Z",
                      "value": 1,
                      "sample_count": 1
                    },
                    {
                      "time": "1970-01-01T00:01:00Z",
                      "value": 3,
                      "sample_count": 2
                    },
                    {
                      "time": "1970-01-01T00:02:00Z",
                      "value": 8.5,
                      "sample_count": 1
                    }
                  ]
                }
              }
            }"#]],
    );
}

#[test]
fn text_counts_in_count_and_is_skipped_elsewhere() {
    let reader = MemoryReader::new()
        .with("mixed", &[], &[(1.0, 5.0)])
        .with_text(&[2.0, 3.0])
        .with("state", &[], &[])
        .with_text(&[70.0]);
    let compact =
        |query: &MetricQuery| serde_json::to_string(&super::answer(&reader, query).unwrap()).unwrap();
    expect![[r#"{"status":"success","metrics":{"mixed":{"value":5,"aggregation":"MEAN","sample_count":1,"skipped":2,"time_range":{"start":"1970-01-01T00:00:01Z","end":"1970-01-01T00:00:03Z"}},"state":{"value":null,"aggregation":"MEAN","sample_count":0,"skipped":1,"time_range":{"start":"1970-01-01T00:01:10Z","end":"1970-01-01T00:01:10Z"}}}}"#]]
        .assert_eq(&compact(&MetricQuery::default()));
    expect![[r#"{"status":"success","metrics":{"mixed":{"value":3,"aggregation":"COUNT","sample_count":3,"time_range":{"start":"1970-01-01T00:00:01Z","end":"1970-01-01T00:00:03Z"}},"state":{"value":1,"aggregation":"COUNT","sample_count":1,"time_range":{"start":"1970-01-01T00:01:10Z","end":"1970-01-01T00:01:10Z"}}}}"#]]
        .assert_eq(&compact(&MetricQuery::default().aggregate("count")));
    // A bucket of nothing but text is empty for a numeric aggregation.
    let query = MetricQuery::of(["state"]).step(Duration::from_secs(60));
    assert!(super::answer(&reader, &query).unwrap().metrics["state"].points.as_ref().unwrap().is_empty());
}

#[test]
fn a_rate_is_the_increase_over_the_asked_range_and_buckets_join_without_a_gap() {
    // 10 a minute, sampled once a minute, with a reset before the fourth minute.
    let reader = MemoryReader::new().with(
        "requests",
        &[("host", "a")],
        &[(60.0, 100.0), (120.0, 110.0), (180.0, 120.0), (240.0, 4.0)],
    );
    let at = |second: i64| Timestamp::from_millis(second * 1000);
    let query =
        MetricQuery::default().aggregate("RATE").between(at(0), at(240)).step(Duration::from_secs(60));
    let answer = super::answer(&reader, &query).unwrap();
    let metric = &answer.metrics["requests"];
    let rate = |value: f64| telemetry_core::aggregation::AggregateValue::Number(value);
    assert_eq!(metric.tally.value, rate(24.0 / 240.0));
    let points: Vec<_> = metric.points.iter().flatten().map(|point| point.tally.value.clone()).collect();
    assert_eq!(points, [rate(0.0), rate(10.0 / 60.0), rate(10.0 / 60.0), rate(4.0 / 60.0)]);
    // One instant is no range to take a rate over.
    let instant = MetricQuery::default().aggregate("RATE").between(at(60), at(60));
    let answer = super::answer(&reader, &instant).unwrap();
    assert_eq!(answer.metrics["requests"].tally.value, telemetry_core::aggregation::AggregateValue::None);
}

#[test]
fn empty_answers_and_limits() {
    let none = r#"{"status":"success","metrics":{}}"#;
    for request in
        [r#"{"metric_names":[]}"#, r#"{"metric_names":["unknown","gone"]}"#, r#"{"time_range":[9000,null]}"#]
    {
        let query = metric_query_from_json(request.as_bytes()).unwrap();
        assert_eq!(super::answer(&hosts(), &query).unwrap().to_json().to_string(), none, "{request}");
    }
    let one = super::answer(&hosts(), &MetricQuery::default().limit(1)).unwrap();
    assert_eq!((one.metrics.len(), one.truncated), (1, true));
    let both = super::answer(&hosts(), &MetricQuery::default().limit(2)).unwrap();
    assert_eq!((both.metrics.len(), both.truncated), (2, false));
    let twice = super::answer(&hosts(), &MetricQuery::of(["load", "cpu", "load"])).unwrap();
    assert_eq!(twice.metrics.keys().collect::<Vec<_>>(), ["load", "cpu"]);
}

#[test]
fn of_one_instant_the_later_series_is_last_whatever_its_group() {
    let last = |reader: &MemoryReader| {
        let query = MetricQuery::of(["load"]).aggregate("LAST").group_by(["host"]);
        super::answer(reader, &query).unwrap().metrics["load"].tally.value.clone()
    };
    // A group's series lie around another's.
    let around = MemoryReader::new()
        .with("load", &[("host", "a")], &[(10.0, 1.0)])
        .with("load", &[("host", "b")], &[(10.0, 2.0)])
        .with("load", &[("host", "a"), ("zone", "x")], &[(10.0, 3.0)]);
    assert_eq!(last(&around), AggregateValue::Number(3.0));
    // The later series' group is met first, in an earlier partition.
    let earlier = MemoryReader::new().with("load", &[], &[(10.0, 0.0)]).with(
        "load",
        &[("host", "a")],
        &[(-30.0, 0.0), (10.0, 1.0)],
    );
    assert_eq!(last(&earlier), AggregateValue::Number(1.0));
}

#[test]
fn a_metric_has_a_function_of_its_own() {
    let query = MetricQuery::of(["load", "cpu"]).aggregate("SUM").aggregate_metric("cpu", "COUNT");
    let answer = super::answer(&hosts(), &query).unwrap();
    let shown =
        |name: &str| (answer.metrics[name].aggregation.clone(), answer.metrics[name].tally.value.clone());
    assert_eq!(shown("load"), ("SUM".to_owned(), AggregateValue::Number(18.5)));
    assert_eq!(shown("cpu"), ("COUNT".to_owned(), AggregateValue::Number(1.0)));
}
