//! A store that refuses what monitors write: health says so, repeated refusals ask for a restart, and the embedding program
//! may answer by closing the host from the very thread that asks.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};

use bridge_telemetry::{Clock, Config, Host, HostBuilder, ManualClock};
use bridge_telemetry_tests::plugin;
use serde_json::{Value, json};
use telemetry_core::ErrorCode;

use super::{LONG, Scene, watching_cpu};
use crate::fixture::{in_folder, start, with_plugin};

/// Three monitors with ticks of one, three and ten seconds, and a disk on which no tick can be stored.
fn without_room(folder: &Path) -> Value {
    let mut config = watching_cpu(in_folder(folder), json!({}));
    for (name, window) in [("every-second", "1m"), ("every-third", "3m")] {
        let settings = json!({"config": {"window": window}});
        config = with_plugin(config, name, &plugin("error-rate").unwrap(), settings);
    }
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    config
}

/// The last ticks before then, one of each monitor, are at three different instants.
const PAST_THREE_TICKS: u64 = 30;

/// A host that hands its request on after it did what `answer` says.
fn host(
    config: Value,
    background: bool,
    answer: impl Fn(&Host) + Send + Sync + 'static,
) -> (Scene<Arc<Host>>, std::sync::mpsc::Receiver<ErrorCode>) {
    let clock = Arc::new(ManualClock::at(start()));
    let (asked, requests) = channel();
    let this = Arc::new(Mutex::new(Weak::<Host>::new()));
    let asking = Arc::clone(&this);
    let builder = HostBuilder::new(Config::from_value(config).unwrap())
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .on_reboot_request(move |code| {
            let host = asking.lock().unwrap().upgrade();
            host.iter().for_each(|host| answer(host));
            asked.send(code).unwrap();
        });
    let builder = if background { builder } else { builder.without_background() };
    let host = Arc::new(builder.open().unwrap());
    *this.lock().unwrap() = Arc::downgrade(&host);
    (Scene { host, clock }, requests)
}

#[test]
fn ticks_that_cannot_be_stored_are_faults_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, requests) = host(without_room(folder.path()), false, |_| {});
    assert!(scene.host.drain(LONG), "no tick is due");
    scene.pass(1);
    assert!(!scene.host.drain(LONG), "what happened since is not complete for the monitors");
    let health = scene.host.health_json().body;
    assert_eq!((&health["stats"]["host_faults"], &health["status"]), (&json!(1), &json!("unhealthy")));
    let fault = &health["stats"]["faults"][0];
    assert_eq!(fault["code"], "STORAGE_FAILURE");
    assert!(
        fault["message"].as_str().unwrap().starts_with("a tick cannot be appended to the log: "),
        "{fault}"
    );
    assert!(requests.try_recv().is_err());

    scene.pass(PAST_THREE_TICKS - 1);
    assert!(!scene.host.drain(LONG));
    assert_eq!(requests.try_recv(), Ok(ErrorCode::StorageFailure));
    assert!(requests.try_recv().is_err(), "once");
}

#[test]
fn the_thread_that_asks_for_a_restart_may_close_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, requests) = host(without_room(folder.path()), true, Host::close);
    scene.pass(PAST_THREE_TICKS);
    assert_eq!(requests.recv_timeout(LONG).unwrap(), ErrorCode::StorageFailure);
    assert_eq!(scene.host.health_json().body["outbox"], Value::Null, "it is closed");
}
