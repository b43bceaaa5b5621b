//! A disk without room: records are refused and reads go on, whether the host keeps the room free or the system refuses
//! the write; nothing that was acknowledged is lost.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Config, Host};
use bridge_telemetry_tests::host_binary;
use serde_json::{Value, json};

use super::{serves, shown_by_health, unique};
use crate::fixture::{code, event, host_with_clock, in_folder, message, metric, query};

/// Room in which the child's store lives.
const DISK: u64 = 160 << 20;
/// Room that it keeps free.
const FLOOR: u64 = 80 << 20;

fn without_room(folder: &Path) -> Value {
    let mut config = in_folder(folder);
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    config
}

/// The answer to a sample for which there is no room.
pub(super) fn refused_without_room() -> Envelope {
    let folder = tempfile::tempdir().unwrap();
    metric(&host_with_clock(without_room(folder.path())).0, json!({"metric_name": "m", "metric_value": 2}))
}

#[test]
fn a_disk_without_room() {
    let folder = tempfile::tempdir().unwrap();
    let (host, _) = host_with_clock(in_folder(folder.path()));
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    drop(host);
    let (host, _) = host_with_clock(without_room(folder.path()));
    let refused = metric(&host, json!({"metric_name": "m", "metric_value": 2}));
    assert_eq!(code(&refused), "STORAGE_FAILURE");
    assert!(message(&refused).contains("free some space or lower retention"), "{}", refused.body);
    assert_eq!(host.health_json().body["status"], "unhealthy");
    shown_by_health(&host, "the disk is nearly full");
    let answer = query(&host, json!({"aggregation": "SUM"}));
    assert_eq!(answer.body["metrics"]["m"]["value"], 1, "nothing of the refused record is there");
}

#[test]
fn a_store_at_its_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["storage_config"]["max_bytes"] = json!(64 << 20);
    let host = Host::open(Config::from_value(config.clone()).unwrap()).unwrap();
    let mut stored = 0;
    // All of it is of today: there is nothing older to drop.
    let refused = loop {
        let noise: String = (0..1_000).map(|_| unique()).collect();
        let answer = event(&host, json!({"event_type": "LARGE", "source": "s", "data": {"noise": noise}}));
        if code(&answer) != "success" {
            break answer;
        }
        stored += 1;
    };
    assert_eq!(code(&refused), "STORAGE_FAILURE", "{}", refused.body);
    assert!(message(&refused).contains("raise storage_config.max_bytes"), "{}", refused.body);
    shown_by_health(&host, "max_bytes");
    assert_eq!(host.health_check().stats.events_total, stored);
    drop(host);
    config["storage_config"]["max_bytes"] = json!(1 << 30);
    let host = Host::open(Config::from_value(config).unwrap()).unwrap();
    assert_eq!(host.health_check().stats.events_total, stored);
    serves(&host);
}

/// Writes until the host refuses; the ids that it acknowledged, and the refusal.
fn fill(host: &Host) -> (Vec<String>, Envelope) {
    let mut acknowledged = Vec::new();
    loop {
        let noise: String = (0..2_000).map(|_| unique()).collect();
        let answer = event(host, json!({"event_type": "LARGE", "source": "s", "data": {"noise": noise}}));
        match answer.body["event_id"].as_str() {
            Some(id) => acknowledged.push(id.to_owned()),
            None => return (acknowledged, answer),
        }
    }
}

fn check_all(host: &Host, acknowledged: &[String]) {
    for id in acknowledged {
        assert!(host.event_json(id).is_success(), "{id}");
    }
}

fn open_on(disk: &Path, floor: u64) -> Host {
    let mut config = in_folder(disk);
    config["storage_config"]["min_free_bytes"] = json!(floor);
    Host::open(Config::from_value(config).unwrap()).unwrap()
}

/// Runs in a namespace of its own, where a small file system is mounted: see the next test.
#[test]
#[ignore = "run by a_file_system_that_is_full"]
fn child_on_a_small_file_system() {
    let Some(disk) = std::env::var_os("BRIDGE_TELEMETRY_SMALL_DISK") else { return };
    let disk = Path::new(&disk);
    // What the host keeps free: it refuses in time, and goes on by itself when there is room again.
    let host = open_on(disk, FLOOR);
    serves(&host);
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![0; usize::try_from(DISK - FLOOR).unwrap() - (16 << 20)]).unwrap();
    let (mut acknowledged, refused) = fill(&host);
    assert_eq!(code(&refused), "STORAGE_FAILURE", "{}", refused.body);
    assert!(message(&refused).contains("the disk is nearly full"), "{}", refused.body);
    assert_eq!(host.health_json().body["status"], "unhealthy");
    check_all(&host, &acknowledged);
    std::fs::remove_file(&filler).unwrap();
    while code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))) != "success" {
        std::thread::yield_now();
    }
    serves(&host);
    assert!(host.health_check().stats.storage.refusing.is_none());
    drop(host);
    // To the last byte: the system itself refuses.
    let host = open_on(disk, 0);
    let mut rest = std::fs::File::create(&filler).unwrap();
    while rest.write_all(&[0; 1 << 16]).is_ok() {}
    drop(rest);
    let (more, refused) = fill(&host);
    acknowledged.extend(more);
    assert_eq!(code(&refused), "STORAGE_FAILURE", "{}", refused.body);
    assert!(message(&refused).contains("No space left on device"), "{}", refused.body);
    assert_eq!(host.health_json().body["status"], "unhealthy");
    check_all(&host, &acknowledged);
    drop(host);
    std::fs::remove_file(&filler).unwrap();
    let host = open_on(disk, 0);
    check_all(&host, &acknowledged);
    serves(&host);
    println!("all of {} are there", acknowledged.len());
}

#[test]
fn a_file_system_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={DISK} tmpfs \"$0\"");
    let within = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &format!("{mount} && {then}")]).arg(folder.path());
        command
    };
    if !within("true").status().is_ok_and(|status| status.success()) {
        eprintln!(
            "NOT RUN: this user may not mount a small file system (unshare -rm); the test of the limited file size stands in"
        );
        return;
    }
    let child =
        "exec \"$1\" --exact --include-ignored --nocapture faults::full_disk::child_on_a_small_file_system";
    let output = within(child)
        .arg(std::env::current_exe().unwrap())
        .env("BRIDGE_TELEMETRY_SMALL_DISK", folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("are there"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The system refuses to let any file of the host grow beyond some megabytes: as a full disk for the write-ahead log.
#[test]
fn a_write_that_the_system_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 8192; exec \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(host_binary().unwrap())
        .args(["run", "--listen", "127.0.0.1:0", "--no-system", "--json", "--data", "store"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let summary: Value = serde_json::from_str(&line).unwrap();
    let base = format!("http://{}", summary["address"].as_str().unwrap());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let read = |mut answer: ureq::http::Response<ureq::Body>| -> (u16, Value) {
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    };
    let post = || {
        let noise: String = (0..2_000).map(|_| unique()).collect();
        let body = json!({"event_type": "LARGE", "source": "s", "data": {"noise": noise}}).to_string();
        let request = agent.post(format!("{base}/v1/events")).content_type("application/json");
        read(request.send(body).unwrap())
    };
    let mut acknowledged = Vec::new();
    let (status, body) = loop {
        match post() {
            (200, body) => acknowledged.push(body["event_id"].as_str().unwrap().to_owned()),
            other => break other,
        }
    };
    assert_eq!((status, &body["error"]["code"]), (503, &json!("STORAGE_FAILURE")), "{body}");
    let told = body["error"]["message"].as_str().unwrap();
    assert!(
        told.contains("writing stops until the store is reopened") && told.contains("File too large"),
        "{told}"
    );
    for _ in 0..2 {
        assert_eq!(post().1["error"]["code"], "STORAGE_FAILURE");
    }
    let (_, health) = read(agent.get(format!("{base}/v1/health")).call().unwrap());
    assert_eq!(health["status"], "unhealthy", "{health}");
    assert_eq!(health["stats"]["events_total"], acknowledged.len());
    // Reads go on.
    let id = acknowledged.last().unwrap();
    assert_eq!(read(agent.get(format!("{base}/v1/events/{id}")).call().unwrap()).0, 200);
    let log = std::fs::read_to_string(folder.path().join("runtime/logs/bridge_telemetry.log")).unwrap();
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let coded = |record: &&Value| record["errorDetails"]["errorCode"] == "STORAGE_FAILURE";
    // The fourth is the event AUTO_REBOOT_TRIGGERED itself, for which there is no room either.
    assert_eq!(records.iter().filter(coded).count(), 4);
    assert_eq!(
        records.iter().filter(|record| record["message"] == "AUTO_REBOOT_TRIGGERED").count(),
        1,
        "{log}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let host = Host::open(Config::from_value(in_folder(folder.path())).unwrap()).unwrap();
    check_all(&host, &acknowledged);
    assert_eq!(host.health_check().stats.events_total, acknowledged.len() as u64);
    serves(&host);
}
