//! The log from `tracing` to the bytes of the file.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use telemetry_core::{ErrorCode, ManualClock, Timestamp, limits};
use tracing::dispatcher::with_default;

use super::*;
use crate::config::{ByteCount, LogLevel, LoggerConfig};

struct Bench {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    config: LoggerConfig,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = LoggerConfig {
            log_path: directory.path().join("t.log"),
            enable_console: false,
            min_log_level: LogLevel::Debug,
            ..LoggerConfig::default()
        };
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2025-05-21T14:32:17.123456Z").unwrap()));
        Self { directory, clock, config }
    }

    /// Runs `work` with a log of its own.
    fn log(&self, work: impl FnOnce()) -> LogHandle {
        let (dispatch, handle) = LogSetup::new(&self.config, self.clock.clone()).dispatch().unwrap();
        with_default(&dispatch, work);
        handle
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.config.log_path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The only record that `work` logs, without id and time.
    fn record(&self, work: impl FnOnce()) -> Value {
        self.log(work);
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{records:?}");
        let mut record = records.remove(0);
        for key in ["eventId", "timestamp"] {
            record.as_object_mut().unwrap().shift_remove(key).unwrap();
        }
        record
    }
}

#[test]
fn a_record_has_the_contracts_shape() {
    let bench = Bench::new();
    bench.log(|| {
        tracing::error!(
            source = "module_1",
            status = "ERROR",
            payload = r#"{"n": 42.0}"#,
            error_code = "STORAGE_FAILURE",
            error_message = "disk full",
            "Could not store."
        );
    });
    let record = bench.records().remove(0);
    let id: uuid::Uuid = record["eventId"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    let expected = json!({
        "eventId": id, "timestamp": "2025-05-21T14:32:17.123Z", "source": "module_1", "status": "ERROR",
        "payload": {"n": 42.0}, "logLevel": "ERROR", "message": "Could not store.",
        "errorDetails": {"errorCode": "STORAGE_FAILURE", "errorMessage": "disk full"}
    });
    // Compared as text: the order of the keys counts.
    assert_eq!(record.to_string(), expected.to_string());
}

#[test]
fn ids_ascend_even_within_a_millisecond() {
    let bench = Bench::new();
    bench.log(|| (0..1_000).for_each(|n| tracing::info!(n, "x")));
    let ids = bench.records().iter().map(|record| record["eventId"].to_string()).collect::<Vec<_>>();
    assert!(ids.is_sorted());
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 1_000);
}

#[test]
fn fields_become_the_payload() {
    let record = Bench::new().record(|| {
        tracing::warn!(target: "some::module", count = 3, ratio = 0.5, flag = true, name = "x", other = ?Some(1), nan = f64::NAN, big = u128::MAX, "Hm");
    });
    assert_eq!(
        record,
        json!({"source": "some::module", "status": "WARNING", "logLevel": "WARNING", "message": "Hm", "errorDetails": null,
            "payload": {"count": 3, "ratio": 0.5, "flag": true, "name": "x", "other": "Some(1)", "nan": "NaN", "big": u128::MAX.to_string()}})
    );
    let record = Bench::new().record(|| tracing::info!(payload = "[1]", count = 3, name = "x", "Hm"));
    assert_eq!((&record["payload"], &record["message"]), (&json!([1]), &json!("Hm count=3 name=\"x\"")));
    let record = Bench::new().record(|| tracing::debug!("plain"));
    assert_eq!((&record["payload"], &record["status"]), (&json!(null), &json!("SUCCESS")));
}

#[test]
fn spans_pass_their_fields_on() {
    let record = Bench::new().record(|| {
        let outer =
            tracing::info_span!("outer", source = "sandbox", plugin = "redact", depth = 1, payload = "{}");
        let _outer = outer.entered();
        let inner = tracing::info_span!("inner", depth = 2, late = tracing::field::Empty);
        inner.record("late", "yes");
        let _inner = inner.entered();
        tracing::info!(own = true, "Hello");
    });
    assert_eq!(record["source"], "sandbox");
    assert_eq!(record["payload"], json!({"own": true, "depth": 2, "late": "yes", "plugin": "redact"}));
}

#[test]
fn errors_tell_their_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);
    let error = Outer(io::Error::other("inner"));
    let record = Bench::new().record(|| {
        tracing::error!(error = &error as &(dyn std::error::Error + 'static), "It failed");
    });
    assert_eq!(record["errorDetails"], json!({"errorCode": null, "errorMessage": "outer: inner"}));
    let record = Bench::new().record(|| tracing::error!(error_code = "IO_ERROR", fatal = true, "It is over"));
    assert_eq!(record["errorDetails"], json!({"errorCode": "IO_ERROR", "errorMessage": "It is over"}));
    assert_eq!(record["logLevel"], "FATAL");
}

#[test]
fn levels_below_the_least_are_not_written() {
    let check = |least: LogLevel, expected: &[&str]| {
        let mut bench = Bench::new();
        bench.config.min_log_level = least;
        bench.log(|| {
            tracing::trace!("x");
            tracing::debug!("x");
            tracing::info!("x");
            tracing::warn!("x");
            tracing::error!("x");
            tracing::error!(fatal = true, "x");
        });
        let levels =
            bench.records().iter().map(|r| r["logLevel"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(levels, expected, "{least}");
    };
    check(LogLevel::Debug, &["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"]);
    check(LogLevel::Warning, &["WARNING", "ERROR", "FATAL"]);
    check(LogLevel::Error, &["ERROR", "FATAL"]);
    check(LogLevel::Fatal, &["FATAL"]);
}

#[test]
fn nothing_injects_a_line_or_steers_a_terminal() {
    let bench = Bench::new();
    let evil = "x\n{\"forged\":true}\r\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\u{2028}\u{7f}";
    let payload = format!("{{\n\"k\": {}}}", serde_json::to_string(evil).unwrap());
    let copy = Copy::default();
    let console = Console::Writer { writer: Box::new(copy.clone()), color: false };
    let (dispatch, _) =
        LogSetup::new(&bench.config, bench.clock.clone()).console(console).dispatch().unwrap();
    with_default(&dispatch, || {
        tracing::error!(source = evil, status = evil, error_code = evil, error_message = evil, payload = %payload, "{evil}");
        tracing::error!(key = evil, "{evil}");
    });
    let text = std::fs::read_to_string(&bench.config.log_path).unwrap();
    for text in [&text, &copy.text()] {
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(
            text.lines().all(|line| !line.chars().any(|c| c.is_control() || "\u{202e}\u{2028}".contains(c)))
        );
    }
    let records = bench.records();
    assert_eq!(records[0]["message"], evil);
    assert_eq!(records[0]["payload"]["k"], evil);
    assert_eq!(records[1]["payload"]["key"], evil);
}

#[test]
fn large_payloads_are_summarised() {
    let payload = json!({"data": "y".repeat(2 << 20)}).to_string();
    let record =
        Bench::new().record(|| tracing::error!(payload = payload.as_str(), "{}", "m".repeat(1 << 20)));
    assert_eq!(
        record["payload"],
        json!({"truncated": true, "original_size": payload.len(), "summary": &payload[..1000]})
    );
    let message = record["message"].as_str().unwrap();
    assert!(message.len() < limits::MAX_LOGGED_TEXT_BYTES + 100 && message.ends_with("… (1048576 bytes)"));
}

#[test]
fn rotation_keeps_every_line_across_restarts() {
    let mut bench = Bench::new();
    bench.config.max_log_size = ByteCount(4 << 10);
    bench.config.log_rotation_count = 100;
    let mut rotations = 0;
    for start in 0..10 {
        let handle = bench.log(|| (0..50).for_each(|n| tracing::info!(n = start * 50 + n, "x")));
        assert_eq!(handle.stats().written, 50);
        rotations += handle.stats().rotations;
    }
    assert!(rotations > 10, "{rotations}");
    let mut numbers = Vec::new();
    for n in (0..=100).rev() {
        let path = if n == 0 {
            bench.config.log_path.clone()
        } else {
            bench.directory.path().join(format!("t.log.{n}"))
        };
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        assert!(text.len() <= 4 << 10);
        let number =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["payload"]["n"].as_u64().unwrap();
        numbers.extend(text.lines().map(number));
    }
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
}

#[test]
fn a_log_that_cannot_be_written_never_fails_its_caller() {
    let mut bench = Bench::new();
    let full = bench.directory.path().join("full.log");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    bench.config.log_path = full.clone();
    let (dispatch, handle) = LogSetup::new(&bench.config, bench.clock.clone()).dispatch().unwrap();
    with_default(&dispatch, || {
        (0..3).for_each(|n| tracing::info!(n, "x"));
        let stats = handle.stats();
        assert_eq!((stats.written, stats.dropped, stats.failures, stats.failing), (0, 3, 3, true));
        assert!(stats.last_failure.unwrap().starts_with("the log could not be written: "));
        // The disk has room again.
        std::fs::remove_file(&full).unwrap();
        bench.clock.advance(limits::LOG_FILE_CHECK_INTERVAL);
        tracing::info!(n = 3, "x");
    });
    let records = bench.records();
    assert_eq!(records[0]["message"], "Records were lost because the log could not be written.");
    assert_eq!(records[0]["payload"], json!({"dropped": 3}));
    assert_eq!(records[1]["payload"], json!({"n": 3}));
    let stats = handle.stats();
    assert_eq!((stats.written, stats.dropped, stats.failing), (2, 3, false));
}

#[test]
fn a_log_that_cannot_be_opened_says_what_to_do() {
    let mut bench = Bench::new();
    std::fs::write(bench.directory.path().join("file"), "").unwrap();
    bench.config.log_path = bench.directory.path().join("file/t.log");
    let error = LogSetup::new(&bench.config, bench.clock.clone()).dispatch().unwrap_err();
    assert!(matches!(error, LogError::Open { .. }));
    assert!(error.to_string().ends_with("give write permission or choose another logger_config.log_path"));
}

#[test]
fn hosts_of_one_process_have_logs_of_their_own() {
    let (one, two) = (Bench::new(), Bench::new());
    let (first, first_handle) = LogSetup::new(&one.config, one.clock.clone()).dispatch().unwrap();
    let (second, second_handle) = LogSetup::new(&two.config, two.clock.clone()).dispatch().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| with_default(&first, || (0..100).for_each(|_| tracing::info!("one"))));
        scope.spawn(|| with_default(&second, || (0..50).for_each(|_| tracing::info!("two"))));
    });
    assert_eq!((one.records().len(), two.records().len()), (100, 50));
    assert_eq!((first_handle.stats().written, second_handle.stats().written), (100, 50));
    assert!(two.records().iter().all(|record| record["message"] == "two"));
    assert_eq!(LogHandle::default().stats(), LogStats::default());
}

#[test]
fn two_logs_share_an_embedders_subscriber() {
    use tracing_subscriber::layer::SubscriberExt;
    let (mut one, two) = (Bench::new(), Bench::new());
    one.config.min_log_level = LogLevel::Error;
    let (first, _) = layer(&one.config, one.clock.clone()).unwrap();
    let (second, _) = layer(&two.config, two.clock.clone()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(first).with(second), || {
        let _span = tracing::error_span!("s", plugin = "p").entered();
        tracing::info!("both");
        tracing::error!("both");
    });
    assert_eq!((one.records().len(), two.records().len()), (1, 2));
    assert_eq!(one.records()[0]["payload"], json!({"plugin": "p"}));
}

#[test]
fn refusals_are_logged_until_they_are_a_flood() {
    let bench = Bench::new();
    bench.log(|| {
        let refusals = RefusalLog::new(bench.clock.clone());
        let refuse = |n: u64| {
            let received = || json!({"n": n}).to_string();
            refusals.log(Refused::Event, ErrorCode::InvalidEvent, "source must not be empty", received);
        };
        (0..1_000).for_each(refuse);
        bench.clock.advance(Duration::from_millis(100));
        (1_000..1_010).for_each(refuse);
        refusals.tell_left_out();
        (1_010..1_013).for_each(refuse);
    });
    let records = bench.records();
    let first = &records[0];
    let expected = json!({
        "eventId": first["eventId"], "timestamp": first["timestamp"], "source": "Bridge_Telemetry", "status": "ERROR",
        "payload": {"n": 0}, "logLevel": "ERROR", "message": "Event validation failed.",
        "errorDetails": {"errorCode": "INVALID_EVENT", "errorMessage": "source must not be empty"}
    });
    assert_eq!(first.to_string(), expected.to_string());
    let brief = |record: &Value| match &record["payload"]["left_out"] {
        Value::Null => record["payload"]["n"].to_string(),
        count => format!("{count} left out since {}", record["payload"]["since"].as_str().unwrap()),
    };
    let tail = records[50..].iter().map(brief).collect::<Vec<_>>();
    assert_eq!(
        tail,
        [
            "950 left out since 2025-05-21T14:32:17.123Z",
            "1000",
            "9 left out since 2025-05-21T14:32:17.223Z",
            "3 left out since 2025-05-21T14:32:17.223Z",
        ]
    );
}

#[test]
fn refused_events_have_one_code_in_the_log_and_metrics_their_own() {
    let bench = Bench::new();
    bench.log(|| {
        let refusals = RefusalLog::new(bench.clock.clone());
        for refused in [Refused::Event, Refused::Metric] {
            refusals.log(refused, ErrorCode::InvalidTimestamp, "too old", || "not json".to_owned());
        }
    });
    let brief: Vec<_> = bench
        .records()
        .iter()
        .map(|record| json!([record["message"], record["errorDetails"], record["payload"]]))
        .collect();
    let details = |code: &str, message: &str| json!({"errorCode": code, "errorMessage": message});
    let event = details("INVALID_EVENT", "INVALID_TIMESTAMP: too old");
    let metric = details("INVALID_TIMESTAMP", "too old");
    let expected = [
        json!(["Event validation failed.", event, "not json"]),
        json!(["Metric validation failed.", metric, "not json"]),
    ];
    assert_eq!(brief, expected);
}

/// What a console shows.
#[derive(Clone, Default)]
struct Copy(Arc<Mutex<Vec<u8>>>);

impl Copy {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Copy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_console_without_a_file() {
    let bench = Bench::new();
    let copy = Copy::default();
    let console = Console::Writer { writer: Box::new(copy.clone()), color: false };
    let setup = LogSetup::new(&bench.config, bench.clock.clone()).console(console).without_file();
    let (dispatch, handle) = setup.dispatch().unwrap();
    with_default(&dispatch, || tracing::warn!(source = "s", n = 1, "Hm"));
    assert_eq!(copy.text(), "2025-05-21T14:32:17.123Z WARNING s: Hm {\"n\":1}\n");
    assert_eq!(handle.path(), None);
    assert!(!bench.config.log_path.exists());
}
