//! A far side that keeps its sink waiting: nobody else waits, neither who records nor the other receivers, and health shows it.

use std::sync::Arc;
use std::time::Instant;

use bridge_telemetry::{Clock, Config, HostBuilder, ManualClock};
use bridge_telemetry_tests::guest;
use serde_json::{Value, json};
use telemetry_core::limits::MAX_DELIVERY_BACKOFF;

use super::hook::Hook;
use super::{LONG, Scene, shipped, watching_cpu};
use crate::fixture::{in_memory, query, start, with_plugin};

/// Time that the sink gives its far side. It may be over before the others are done where the machine is busy: nothing that is
/// asserted depends on it.
const PATIENCE: &str = "3s";

/// What a receiver's deliveries are at: waiting, on their way, delivered, tried again.
fn stand(scene: &Scene, receiver: &str) -> [u64; 4] {
    let receiver = scene.receiver(receiver);
    ["waiting", "on_the_way", "delivered", "retried"].map(|key| receiver[key].as_u64().unwrap())
}

/// Waits until health shows something, by the work of the host's own threads.
fn until(scene: &Scene, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "{}", scene.outbox());
        std::thread::yield_now();
    }
}

#[test]
fn a_sink_that_waits_for_its_far_side_holds_nobody_up() {
    let (slow, quick, journal) = (Hook::start(), Hook::start(), Hook::start());
    // A busy machine is not what is tested.
    let patient = json!({"limits": {"deadline_ms": 20_000}});
    let mut config = shipped(watching_cpu(in_memory(), json!({})), "webhook", patient.clone());
    config = with_plugin(config, "journal-sink", &guest("journal-sink").unwrap(), patient);
    config["plugins"]["runtime_metrics"] = json!({"enabled": false});
    config["alerting"] = json!({
        "receivers": {
            "a-slow": slow.receiver_of("webhook", json!({"timeout": PATIENCE})),
            "journal": journal.receiver_of("journal-sink", json!({})),
            "quick": quick.receiver(),
        },
        "default_receivers": ["a-slow", "journal", "quick"],
    });
    let clock = Arc::new(ManualClock::at(start()));
    let builder = HostBuilder::new(Config::from_value(config).unwrap());
    let host = builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).open().unwrap();
    let scene = Scene { host, clock };

    slow.hold();
    scene.cpu("a", 1.0);
    slow.wait_for(1);
    // Each call of the journal is told by its beginning and its end.
    for (alerts, machine) in [(1, None), (2, Some("b")), (3, Some("c"))] {
        machine.into_iter().for_each(|machine| scene.cpu(machine, 1.0));
        quick.wait_for(alerts);
        journal.wait_for(2 * alerts);
    }
    until(&scene, || {
        let [waiting, on_the_way, delivered, retried] = stand(&scene, "a-slow");
        waiting + on_the_way == 3 && delivered == 0 && (on_the_way == 1 || retried > 0)
    });
    let sum = query(&scene.host, json!({"metric_names": ["cpu"], "aggregation": "SUM"}));
    assert_eq!(sum.body["metrics"]["cpu"]["value"], 3);
    let asked = slow.received().len();
    assert!(asked == 1 || stand(&scene, "a-slow")[3] > 0, "{asked}: a sink has one call at a time");
    // What came to the far side is noted by the host a moment later.
    until(&scene, || stand(&scene, "quick") == [0, 0, 3, 0]);

    // The time that it gives its far side is over: the delivery is tried again later, and it is no failure of the plugin.
    until(&scene, || stand(&scene, "a-slow")[3] > 0);
    assert_eq!(scene.receiver("a-slow")["last_error"], "no answer in time");
    let listed = scene.host.plugins().into_iter().find(|plugin| plugin.name == "a-slow").unwrap();
    let status = listed.status.unwrap();
    assert!(status.http_failed > 0 && status.failures == 0 && status.state.is_active(), "{status:?}");

    slow.let_go();
    until(&scene, || {
        scene.clock.advance(MAX_DELIVERY_BACKOFF * 2);
        scene.drain();
        stand(&scene, "a-slow")[2] == 3
    });
    let [waiting, on_the_way, delivered, retried] = stand(&scene, "a-slow");
    assert_eq!((waiting, on_the_way, delivered), (0, 0, 3));
    assert_eq!((scene.pending(), scene.outbox()["dead_letters"].clone()), (0, Value::from(0)));
    // What was not answered came again, with its key.
    let keys = |hook: &Hook, machine: &str| {
        let told = hook.received().into_iter().filter(|request| request.label("host") == machine);
        told.map(|request| request.key().to_owned()).collect::<Vec<_>>()
    };
    let asked: usize = ["a", "b", "c"]
        .map(|machine| {
            let keys = keys(&slow, machine);
            assert!(!keys.is_empty() && keys.iter().all(|key| *key == keys[0]), "{machine}: {keys:?}");
            keys.len()
        })
        .iter()
        .sum();
    assert!(asked as u64 <= 3 + retried && keys(&slow, "a").len() >= 2, "{asked} times, {retried} again");
    assert_eq!((quick.received().len(), journal.received().len()), (3, 6), "the others were told once");
    scene.host.close();
}
