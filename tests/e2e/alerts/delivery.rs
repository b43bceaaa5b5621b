//! Deliveries that fail: tried again, given up, replayed.

use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::alerts::ReplayError;
use bridge_telemetry::{Clock, Config, HostBuilder, ManualClock};
use serde_json::{Value, json};
use telemetry_core::limits::{MAX_DELIVERY_AGE, MAX_DELIVERY_ATTEMPTS, MAX_DELIVERY_BACKOFF};
use uuid::Uuid;

use super::hook::{Hook, Request};
use super::{LONG, Scene, to_hook, watching_cpu};
use crate::fixture::{in_memory, start};

/// The longest pause between two attempts, its jitter included.
const PAUSE: u64 = 2 * MAX_DELIVERY_BACKOFF.as_secs();

fn config(hook: &Hook) -> Value {
    to_hook(watching_cpu(in_memory(), json!({})), hook)
}

fn one_key(requests: &[Request]) -> &str {
    assert!(requests.iter().all(|request| request.key() == requests[0].key()), "{requests:?}");
    requests[0].key()
}

#[test]
fn a_server_in_trouble_is_asked_again_with_the_same_key() {
    let hook = Hook::start();
    let scene = Scene::open(config(&hook));
    hook.next(500);
    hook.next(503);
    scene.cpu("a", 1.0);
    scene.drain();
    scene.drain();
    assert_eq!(hook.received().len(), 1, "not before its pause is over");
    assert_eq!((scene.tally("ops"), scene.pending()), ([0, 0, 1, 0], 1));
    let receiver = scene.receiver("ops");
    assert_eq!(receiver["last_error"], "status 500: noted");
    assert!(receiver["next_due"].is_string(), "{receiver}");
    for attempts in [2, 3] {
        scene.pass(PAUSE);
        scene.drain();
        assert_eq!(hook.received().len(), attempts);
    }
    assert_eq!((scene.tally("ops"), scene.pending()), ([1, 0, 2, 0], 0));
    one_key(&hook.received());
    scene.pass(PAUSE);
    scene.drain();
    assert_eq!(hook.received().len(), 3, "delivered once");
}

#[test]
fn the_end_waits_for_the_beginning() {
    let hook = Hook::start();
    let scene = Scene::open(config(&hook));
    hook.next(500);
    scene.cpu("a", 1.0);
    scene.cpu("a", 0.0);
    scene.cpu("b", 1.0);
    scene.drain();
    let told = |expected: &[(&str, &str)]| {
        let found = hook.told("host");
        let found: Vec<_> = found.iter().map(|(host, status)| (host.as_str(), status.as_str())).collect();
        assert_eq!(found, expected);
    };
    told(&[("a", "firing"), ("b", "firing")]);
    scene.pass(PAUSE);
    scene.drain();
    told(&[("a", "firing"), ("b", "firing"), ("a", "firing"), ("a", "resolved")]);
}

#[test]
fn after_the_last_attempt_a_dead_letter_can_be_replayed() {
    let hook = Hook::start();
    hook.always(500, None);
    let scene = Scene::open(config(&hook));
    scene.cpu("a", 1.0);
    scene.drain();
    for _ in 1..MAX_DELIVERY_ATTEMPTS {
        assert_eq!(scene.pending(), 1);
        scene.pass(PAUSE);
        scene.drain();
    }
    let attempts = MAX_DELIVERY_ATTEMPTS as usize;
    assert_eq!((hook.received().len(), scene.pending()), (attempts, 0));
    let letters = scene.host.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, format!("given up after {attempts} attempts: status 500: noted"));
    assert_eq!(
        (&*letters[0].delivery.receiver, letters[0].delivery.attempts),
        ("ops", MAX_DELIVERY_ATTEMPTS)
    );
    assert_eq!(scene.outbox()["dead_letters"], 1);
    assert!(scene.is_degraded_by("dead letters"));
    assert_eq!(scene.tally("ops"), [0, 0, u64::from(MAX_DELIVERY_ATTEMPTS) - 1, 1]);
    scene.pass(PAUSE);
    scene.drain();
    assert_eq!(hook.received().len(), attempts, "it is given up");

    let id = letters[0].delivery.alert.alert_id;
    let replay = |id, receiver| scene.host.replay_dead_letters(id, receiver);
    assert!(matches!(replay(Uuid::nil(), "ops"), Err(ReplayError::NotFound { .. })));
    assert!(matches!(replay(id, "nobody"), Err(ReplayError::UnknownReceiver { .. })));
    hook.always(200, None);
    assert_eq!(replay(id, "ops").unwrap(), 1);
    scene.drain();
    assert_eq!(hook.received().len(), attempts + 1);
    assert_eq!(one_key(&hook.received()), letters[0].delivery.idempotency_key);
    assert_eq!(scene.host.dead_letters().unwrap().len(), 0);
    assert!(!scene.is_degraded_by("dead letters"));
}

#[test]
fn an_old_delivery_is_given_up_however_few_its_attempts() {
    let hook = Hook::start();
    hook.always(503, Some(3600));
    let scene = Scene::open(config(&hook));
    scene.cpu("a", 1.0);
    scene.drain();
    let hours = MAX_DELIVERY_AGE.as_secs() / 3600;
    for _ in 1..hours {
        scene.pass(3600);
        scene.drain();
    }
    assert_eq!((hook.received().len() as u64, scene.pending()), (hours, 1));
    scene.pass(3600);
    scene.drain();
    let letters = scene.host.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    let attempts = hours + 1;
    let reason = format!("given up after {hours} hours and {attempts} attempts: status 503: noted");
    assert_eq!((letters[0].reason.as_str(), scene.pending()), (reason.as_str(), 0));

    // A replayed one is young again.
    scene.host.replay_dead_letters(letters[0].delivery.alert.alert_id, "ops").unwrap();
    scene.drain();
    assert_eq!((scene.pending(), scene.host.dead_letters().unwrap().len()), (1, 0));
}

#[test]
fn what_the_server_refuses_for_good_is_not_sent_again() {
    let hook = Hook::start();
    hook.next(400);
    let scene = Scene::open(config(&hook));
    scene.cpu("a", 1.0);
    scene.drain();
    scene.pass(PAUSE);
    scene.drain();
    assert_eq!((hook.received().len(), scene.pending()), (1, 0));
    assert_eq!(scene.host.dead_letters().unwrap()[0].reason, "rejected: status 400: noted");
}

#[test]
fn draining_means_the_same_with_threads_of_the_hosts_own() {
    let hook = Hook::start();
    let clock = Arc::new(ManualClock::at(start()));
    let builder = HostBuilder::new(Config::from_value(config(&hook)).unwrap());
    let host = builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).open().unwrap();
    let scene = Scene { host, clock };
    for round in 0..5 {
        hook.next(500);
        scene.cpu("a", 1.0);
        scene.drain();
        assert_eq!(hook.received().len(), 3 * round + 1, "attempted");
        assert_eq!(scene.pending(), 1);
        scene.clock.advance(Duration::from_secs(PAUSE));
        scene.drain();
        assert_eq!((hook.received().len(), scene.pending()), (3 * round + 2, 0), "tried again");
        scene.cpu("a", 0.0);
        scene.drain();
        assert_eq!((hook.received().len(), scene.pending()), (3 * round + 3, 0), "resolved");
    }
    assert!(scene.host.drain(LONG));
    scene.host.close();
}
