//! The log's file: rotation with the real sizes, and a file that cannot be written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{Logged, records_in};
use crate::fixture::{code, event, metric};

/// `max_log_size` unless configured.
const DEFAULT_SIZE: u64 = 10 << 20;

/// Files of the log: the newest first.
fn files(path: &Path) -> Vec<PathBuf> {
    let numbered = (1..).map(|n| path.with_added_extension(n.to_string()));
    std::iter::once(path.to_owned()).chain(numbered).take_while(|file| file.exists()).collect()
}

#[test]
fn full_files_move_up_and_the_oldest_goes() {
    let logged = Logged::new(json!({}));
    let filler = "x".repeat(1_000_000);
    let lines = 100;
    logged.run(|_| {
        for n in 0..lines {
            tracing::info!(payload = json!({"n": n, "filler": filler}).to_string(), "full");
        }
    });
    let files = files(&logged.path());
    assert_eq!(files.len(), 1 + 5, "the log and log_rotation_count full ones");
    let listed = std::fs::read_dir(logged.folder.path()).unwrap().count();
    assert_eq!(listed, files.len(), "nothing else is there");
    let mut numbers = Vec::new();
    for file in files.iter().rev() {
        let size = std::fs::metadata(file).unwrap().len();
        assert!(size <= DEFAULT_SIZE, "{file:?} has {size} bytes");
        // A line more would not have fitted.
        assert!(*file == logged.path() || size + 1_000_000 + 300 > DEFAULT_SIZE, "{file:?} has {size} bytes");
        numbers.extend(records_in(file).iter().map(|record| record["payload"]["n"].as_u64().unwrap()));
    }
    // What is kept is the newest part, in order and without a gap.
    let first = numbers[0];
    assert_eq!(numbers, (first..lines).collect::<Vec<_>>());
    assert!(numbers.len() > 50 && first > 0, "{first}");
}

#[test]
fn the_configured_size_and_count_hold() {
    let logged = Logged::new(json!({"max_log_size": 4096, "log_rotation_count": 2}));
    logged.run(|_| (0..200).for_each(|n| tracing::info!(n, "x")));
    let files = files(&logged.path());
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| std::fs::metadata(file).unwrap().len() <= 4096));
    let stats = logged.host.health_check().stats.log;
    assert_eq!(stats.written, 200);
    assert!(stats.rotations > 5, "{stats:?}");
}

#[test]
fn a_log_that_cannot_be_written_degrades_health_and_stops_nothing() {
    let logged = Logged::new(json!({}));
    let healthy = || logged.host.health_json().body;
    assert_eq!(healthy()["status"], "healthy");
    // From now on every write fails as on a full disk.
    std::fs::remove_file(logged.path()).unwrap();
    std::os::unix::fs::symlink("/dev/full", logged.path()).unwrap();
    logged.clock.advance(Duration::from_secs(2));
    logged.run(|host| {
        assert_eq!(code(&event(host, json!({"event_type": "", "source": "s"}))), "INVALID_EVENT");
        assert_eq!(code(&event(host, json!({"event_type": "A", "source": "s"}))), "success");
        assert_eq!(code(&metric(host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    });
    let health = healthy();
    assert_eq!(health["status"], "degraded", "{health}");
    let issue = health["issues"][0].as_str().unwrap();
    assert!(
        issue.contains("the log cannot be written") && issue.contains("No space left on device"),
        "{issue}"
    );
    assert_eq!(health["stats"]["log"]["dropped"], 1);
    // There is room again: what was lost is counted in the log itself.
    std::fs::remove_file(logged.path()).unwrap();
    logged.clock.advance(Duration::from_secs(2));
    logged.run(|host| drop(event(host, json!({"event_type": "", "source": "again"}))));
    let records = logged.records();
    assert_eq!((records.len(), &records[0]["payload"]), (2, &json!({"dropped": 1})));
    assert_eq!(records[1]["payload"]["source"], "again");
    assert_eq!(healthy()["status"], "healthy");
}
