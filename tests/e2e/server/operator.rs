//! What operators do over HTTP: dead letters are listed and sent again, a clock that jumped is accepted.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LONG, Served};
use crate::alerts::hook::Hook;
use crate::fixture::{in_memory, with_plugin};

/// Every sample of `cpu` above 0.9 is an alert, delivered to the hook.
fn alarmed(hook: &Hook) -> Served {
    let rule = json!({"name": "hot", "metric": "cpu", "comparison": ">", "threshold": 0.9});
    let plugin = |name: &str| bridge_telemetry_tests::plugin(name).unwrap();
    let config =
        with_plugin(in_memory(), "threshold", &plugin("threshold"), json!({"config": {"rules": [rule]}}));
    let mut config = with_plugin(config, "webhook", &plugin("webhook"), json!({}));
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]});
    Served::start(config)
}

fn alarm(served: &Served, machine: &str) {
    let sample = json!({"metric_name": "cpu", "metric_value": 1, "context": {"host": machine}});
    assert_eq!(served.post("/v1/metrics", &sample).outcome(), (200, "success"));
    assert!(served.host.drain(LONG));
}

#[test]
fn a_store_tells_what_it_holds() {
    let served = Served::start(in_memory());
    let samples = json!([{"metric_name": "a", "metric_value": 1}, {"metric_name": "b", "metric_value": 2}]);
    served.post("/v1/metrics", &samples);
    for (path, chunks) in [("/v1/store/stats", json!(0)), ("/v1/store/stats?quick=true", json!(null))] {
        let answer = served.get(path);
        assert_eq!(answer.outcome(), (200, "success"));
        let partition = &answer.body["partitions"][0];
        assert_eq!(
            (&partition["class"], &partition["records"]),
            (&json!("metrics"), &json!(2)),
            "{partition}"
        );
        assert_eq!((&partition["series"], &partition["chunks"]), (&json!(2), &chunks), "{partition}");
        assert!(answer.body["store"]["last_sequence"].as_u64().unwrap() >= 2);
    }
    let shares = &served.get("/v1/health").body["stats"]["storage"]["memory"];
    for share in ["heads", "index", "write_buffers", "block_cache", "chunk_cache"] {
        assert!(shares[share]["limit_bytes"].as_u64().unwrap() > 0, "{share}: {shares}");
    }
}

#[test]
fn dead_letters_are_listed_and_sent_again() {
    let hook = Hook::start();
    hook.always(400, None);
    let served = alarmed(&hook);
    assert_eq!(
        served.get("/v1/dead-letters").body,
        json!({"status": "success", "dead_letters": [], "total": 0})
    );
    for machine in ["a", "b", "c"] {
        alarm(&served, machine);
        served.clock.advance(Duration::from_secs(1));
    }
    let listed = served.get("/v1/dead-letters");
    assert_eq!((listed.outcome(), &listed.body["total"]), ((200, "success"), &json!(3)), "{}", listed.body);
    let letters = listed.body["dead_letters"].as_array().unwrap();
    let machines: Vec<_> = letters.iter().map(|letter| letter["alert"]["labels"]["host"].clone()).collect();
    assert_eq!(machines, ["a", "b", "c"], "oldest first");
    let letter = &letters[0];
    assert_eq!((&letter["receiver"], &letter["attempts"]), (&json!("ops"), &json!(1)), "{letter}");
    assert_eq!(letter["alert"], served.get("/v1/alerts").body["alerts"][2]);
    assert!(letter["reason"].as_str().unwrap().contains("400"), "{letter}");
    assert_eq!(served.get("/v1/health").body["status"], "degraded");

    let id = letter["alert"]["alert_id"].as_str().unwrap();
    let count = |query: &str| {
        let body = served.get(&format!("/v1/dead-letters?{query}")).body;
        (body["dead_letters"].as_array().unwrap().len(), body["total"].as_u64().unwrap())
    };
    assert_eq!(count("limit=2"), (2, 3));
    assert_eq!(count(&format!("alert_id={id}")), (1, 1));
    assert_eq!((count("receiver=ops"), count("receiver=other")), ((3, 3), (0, 0)));

    hook.always(200, None);
    let replay = |body: Value| served.post("/v1/dead-letters/replay", &body);
    assert_eq!(
        replay(json!({"receiver": "ops", "alert_id": id})).body,
        json!({"status": "success", "replayed": 1})
    );
    assert!(served.host.drain(LONG));
    let received = hook.received();
    assert_eq!(received.last().unwrap().key(), letter["idempotency_key"]);
    let again = replay(json!({"receiver": "ops", "alert_id": id}));
    assert_eq!(again.outcome(), (404, "NOT_FOUND"));
    assert_eq!(again.body["error"]["details"], json!({"receiver": "ops", "alert_id": id}));
    assert_eq!(replay(json!({"receiver": "ops"})).body["replayed"], 2);
    assert!(served.host.drain(LONG));
    assert_eq!((hook.received().len(), count("")), (6, (0, 0)));
    assert_eq!(replay(json!({"receiver": "ops"})).outcome(), (404, "NOT_FOUND"));
    assert_eq!(replay(json!({"receiver": "nobody"})).outcome(), (404, "NOT_FOUND"));
    assert_eq!(served.get("/v1/health").body["status"], "healthy");
}

#[test]
fn a_clock_that_jumped_is_accepted() {
    let served = Served::start(in_memory());
    let year = Duration::from_secs(365 * 86_400);
    served.clock.jump_to(crate::fixture::start().plus(year));
    let issues = |served: &Served| served.get("/v1/health").body["issues"].to_string();
    assert!(issues(&served).contains("expiry is paused"), "{}", issues(&served));
    let accepted = served.ask(&ureq::http::Method::POST, "/v1/clock/accept", Some(b""));
    assert_eq!(accepted.body, json!({"status": "success", "time": "2026-05-21T14:32:17.123Z"}));
    assert!(!issues(&served).contains("expiry"));
    // Without a jump it changes nothing.
    assert_eq!(served.post("/v1/clock/accept", &json!({})).outcome(), (200, "success"));
}
