//! Every route of the contract, with what it answers when all is well.

use serde_json::{Value, json};
use ureq::http::Method;
use uuid::Uuid;

use super::{Answer, Served, parsed};
use crate::fixture::{in_memory, with_plugin};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn served() -> Served {
    Served::start(in_memory())
}

fn sample(name: &str, value: impl Into<Value>, host: &str, time: &str) -> Value {
    let time = format!("2025-05-21T14:{time}Z");
    json!({"metric_name": name, "metric_value": value.into(), "context": {"host": host}, "timestamp": time})
}

/// Two series of `load`, six samples.
fn with_load() -> Served {
    let served = served();
    let samples = json!([
        sample("load", 1, "a", "00:00"),
        sample("load", 2, "a", "05:00"),
        sample("load", 3, "a", "10:00"),
        sample("load", 10, "b", "00:30"),
        sample("load", 20, "b", "05:30"),
        sample("load", 30.5, "b", "10:30"),
    ]);
    assert_eq!(served.post("/v1/metrics", &samples).outcome(), (200, "success"));
    served
}

#[test]
fn an_event_comes_back_as_it_was_sent() {
    let served = served();
    let event = json!({
        "event_type": "COMMAND", "source": "bridge_injector", "data": {"n": 1.0, "text": "ü\u{0}"},
        "trace": {"id": [1, null]}, "event_id": "018f6f43-7a2c-7c4e-8b3e-0242ac120002",
    });
    let answer = served.post("/v1/events", &event);
    assert_eq!(answer.status, 200);
    let expected = json!({
        "status": "success", "event_id": "018f6f43-7a2c-7c4e-8b3e-0242ac120002",
        "timestamp": "2025-05-21T14:32:17.123Z",
    });
    assert_eq!(answer.body, expected);
    let found = served.get("/v1/events/018f6f43-7a2c-7c4e-8b3e-0242ac120002");
    let mut stored = event.clone();
    stored["timestamp"] = json!("2025-05-21T14:32:17.123Z");
    assert_eq!((found.status, &found.body), (200, &json!({"status": "success", "event": stored})));
    // Sent again, it is known.
    served.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(served.post("/v1/events", &event).body, expected);
    assert_eq!(served.stored(), (1, 0));
}

#[test]
fn a_sample_comes_back_as_a_metric_event() {
    let served = served();
    for value in [json!(42), json!(42.0), json!("idle"), json!(9_007_199_254_740_993_i64)] {
        let body = json!({"metric_name": "m", "metric_value": value, "context": {"b": 1, "a": [true]}});
        let receipt = served.post("/v1/metrics", &body);
        assert_eq!(receipt.outcome(), (200, "success"));
        assert_eq!(keys(&receipt.body), ["status", "event_id", "timestamp"]);
        let id = receipt.body["event_id"].as_str().unwrap();
        let found = served.get(&format!("/v1/events/{id}"));
        let expected = json!({"status": "success", "event": {
            "event_type": "METRIC", "source": "metrics_collector", "event_id": id,
            "timestamp": "2025-05-21T14:32:17.123Z",
            "data": {"metric_name": "m", "metric_value": value, "context": {"a": [true], "b": 1}},
        }});
        assert_eq!(found.body.to_string().contains("42.0"), value.is_f64());
        assert_eq!(found.body, expected);
    }
}

#[test]
fn an_array_is_answered_in_its_order() {
    let served = served();
    let good = |n: u32| json!({"event_type": "A", "source": "s", "data": {"n": n}});
    let statuses = |answer: &Answer| -> Vec<String> {
        let results = answer.body["results"].as_array().unwrap();
        results.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect()
    };
    let all = served.post("/v1/events", &json!([good(1), good(2)]));
    assert_eq!((all.outcome(), statuses(&all)), ((200, "success"), vec!["success".to_owned(); 2]));
    assert_eq!(keys(&all.body), ["status", "results"]);
    let some = served.post("/v1/events", &json!([good(3), {"source": "s"}, 5, good(4)]));
    assert_eq!(some.outcome(), (200, "partial"));
    assert_eq!(statuses(&some), ["success", "error", "error", "success"]);
    assert_eq!(some.body["results"][1]["error"]["code"], "INVALID_EVENT");
    assert_eq!(some.body["results"][2]["error"]["code"], "MALFORMED_PAYLOAD");
    for place in [0, 3] {
        let id = some.body["results"][place]["event_id"].as_str().unwrap();
        let found = served.get(&format!("/v1/events/{id}"));
        assert_eq!(found.body["event"]["data"]["n"], json!(if place == 0 { 3 } else { 4 }));
    }
    let none = served.post("/v1/events", &json!([{"source": "s"}, {"event_type": "A"}]));
    assert_eq!(none.outcome(), (400, "error"));
    assert_eq!(statuses(&none), ["error", "error"]);
    assert_eq!(served.post("/v1/events", &json!([])).body, json!({"status": "success", "results": []}));
    let metrics = json!([sample("m", 1, "a", "00:00"), {"metric_name": "m"}]);
    let metrics = served.post("/v1/metrics", &metrics);
    assert_eq!(
        (metrics.outcome(), statuses(&metrics)),
        ((200, "partial"), vec!["success".into(), "error".into()])
    );
    assert_eq!(metrics.body["results"][1]["error"]["code"], "INVALID_METRIC_VALUE");
    assert_eq!(served.stored(), (4, 1));
}

#[test]
fn a_query_is_answered_as_the_contract_shows() {
    let served = with_load();
    let range = json!(["2025-05-21T14:00:00Z", "2025-05-21T15:00:00Z"]);
    let body = served.query(&json!({"metric_names": ["load"], "time_range": range, "aggregation": "MEAN"}));
    let expected = json!({"status": "success", "metrics": {"load": {
        "value": 66.5 / 6.0, "aggregation": "MEAN", "sample_count": 6,
        "time_range": {"start": "2025-05-21T14:00:00Z", "end": "2025-05-21T15:00:00Z"},
    }}});
    assert_eq!(body, expected);
    // All keys are optional; an open side is the samples' own.
    let open = served.query(&json!({}));
    let range = json!({"start": "2025-05-21T14:00:00Z", "end": "2025-05-21T14:10:30Z"});
    assert_eq!(open["metrics"]["load"]["time_range"], range);
    assert_eq!(
        served.query(&json!({"metric_names": ["absent"]})),
        json!({"status": "success", "metrics": {}})
    );
    let sum = served.query(&json!({"aggregation": "SUM", "time_range": [null, "2025-05-21T14:05:00Z"]}));
    assert_eq!(sum["metrics"]["load"]["value"].to_string(), "13");
}

#[test]
fn a_query_takes_filters_groups_steps_and_a_limit() {
    let served = with_load();
    served
        .post("/v1/metrics", &json!([sample("other", 5, "a", "00:00"), sample("other", "up", "a", "01:00")]));
    let sum = |filter: Value| {
        let asked = json!({"metric_names": ["load"], "aggregation": "SUM", "filter": filter});
        served.query(&asked)["metrics"]["load"]["value"].clone()
    };
    assert_eq!(sum(json!({"host": "a"})), 6);
    assert_eq!(sum(json!({"host": ["a", "b"]})), 66.5);
    assert_eq!(sum(json!({"host": {"regex": "[b-z]"}})), 60.5);
    assert_eq!(sum(json!({"host": {"not": "b"}})), 6);
    assert_eq!(sum(json!({"host": "c"})), Value::Null);

    let asked = json!({"metric_names": ["load"], "aggregation": "SUM", "group_by": ["host"], "step": "5m"});
    let body = served.query(&asked);
    let load = &body["metrics"]["load"];
    let point = |minute: u32, value: Value, count: u32| json!({"time": format!("2025-05-21T14:{minute:02}:00Z"), "value": value, "sample_count": count});
    assert_eq!(
        load["groups"][1],
        json!({"by": {"host": "b"}, "value": 60.5, "sample_count": 3, "points": [
            point(0, json!(10), 1), point(5, json!(20), 1), point(10, json!(30.5), 1),
        ]})
    );
    let whole = served.query(&json!({"metric_names": ["load"], "aggregation": "SUM", "step": "5m"}));
    let points = json!([point(0, json!(11), 2), point(5, json!(22), 2), point(10, json!(33.5), 2)]);
    assert_eq!(whole["metrics"]["load"]["points"], points);

    let each = served.query(&json!({"aggregation": {"load": "MAX", "other": "COUNT"}}));
    assert_eq!(
        (&each["metrics"]["load"]["value"], &each["metrics"]["other"]["value"]),
        (&json!(30.5), &json!(2))
    );
    let texts = served.query(&json!({"metric_names": ["other"]}));
    assert_eq!(
        (&texts["metrics"]["other"]["value"], &texts["metrics"]["other"]["skipped"]),
        (&json!(5), &json!(1))
    );
    let cut = served.query(&json!({"limit": 1}));
    assert_eq!((cut["metrics"].as_object().unwrap().len(), &cut["truncated"]), (1, &json!(true)));
}

#[test]
fn events_are_listed_by_pages_and_filters() {
    let served = served();
    for n in 0..7_u32 {
        let time = format!("2025-05-21T14:0{n}:00Z");
        let (event_type, source) =
            (if n % 2 == 0 { "EVEN" } else { "ODD" }, if n < 3 { "s p" } else { "ü&=" });
        let event = json!({"event_type": event_type, "source": source, "data": {"n": n}, "timestamp": time});
        assert_eq!(served.post("/v1/events", &event).outcome(), (200, "success"));
    }
    let numbers = |query: &str| -> (Vec<u64>, Option<String>) {
        let answer = served.get(&format!("/v1/events?{query}"));
        assert_eq!(answer.outcome(), (200, "success"), "{query}: {}", answer.body);
        let events = answer.body["events"].as_array().unwrap();
        let numbers = events.iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect();
        (numbers, answer.body.get("next_cursor").map(|cursor| cursor.as_str().unwrap().to_owned()))
    };
    let all = |query: &str| numbers(query).0;
    assert_eq!(all(""), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(all("type=ODD"), [5, 3, 1]);
    assert_eq!(all("source=s%20p&type=EVEN"), [2, 0]);
    assert_eq!(all("source=%C3%BC%26%3D"), [6, 5, 4, 3]);
    assert_eq!(all("from=2025-05-21T14:02:00Z&to=2025-05-21T14:04:00Z&order=oldest_first"), [2, 3, 4]);
    assert_eq!(all("from=1747836240"), [6, 5, 4], "epoch seconds");
    assert_eq!(all("type=&source="), [6, 5, 4, 3, 2, 1, 0]);
    let (mut pages, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let (page, cursor) = numbers(&query);
        pages.push(page);
        let Some(cursor) = cursor else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(pages.concat(), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(pages[0].len(), 3);
}

#[test]
fn health_has_the_contracts_figures() {
    let served = with_load();
    served.clock.advance(std::time::Duration::from_secs(3600));
    served.post("/v1/events", &json!({"event_type": "A", "source": "s"}));
    let answer = served.get("/v1/health");
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("healthy")), "{}", answer.body);
    assert_eq!((&answer.body["version"], &answer.body["uptime_seconds"]), (&json!("0.8.0"), &json!(3600)));
    let stats = &answer.body["stats"];
    for (figure, value) in [
        ("events_recorded", 1),
        ("metrics_recorded", 6),
        ("data_retention_days", 7),
        ("metrics_retention_days", 30),
        ("events_total", 1),
        ("metrics_total", 6),
    ] {
        assert_eq!(stats[figure], value, "{figure}");
    }
    assert!(stats["storage_usage_percentage"].is_number());
}

#[test]
fn plugins_are_listed_with_their_state_and_use() {
    let redact = bridge_telemetry_tests::plugin("redact").unwrap();
    let served = Served::start(with_plugin(in_memory(), "redact", &redact, json!({})));
    served.post("/v1/events", &json!({"event_type": "A", "source": "s", "data": {"password": "x"}}));
    let answer = served.get("/v1/plugins");
    let listed = &answer.body["plugins"][0];
    assert_eq!((answer.outcome(), &listed["name"]), ((200, "success"), &json!("redact")));
    assert_eq!(
        (&listed["load"], &listed["kind"], &listed["failures"]),
        (&json!("loaded"), &json!("validator"), &json!(0))
    );
    assert!(listed["calls"].as_u64().unwrap() >= 1, "{listed}");
    assert_eq!(served.get("/v1/health").body["plugins"][0]["name"], "redact");
}

#[test]
fn alerts_have_the_contracts_fields() {
    let threshold = bridge_telemetry_tests::plugin("threshold").unwrap();
    let rule = json!({"name": "hot", "metric": "cpu", "comparison": ">", "threshold": 0.9, "labels": {"team": "ops"}});
    let config = with_plugin(in_memory(), "threshold", &threshold, json!({"config": {"rules": [rule]}}));
    let served = Served::start(config);
    assert_eq!(served.get("/v1/alerts").body, json!({"status": "success", "alerts": []}));
    served.post("/v1/metrics", &sample("cpu", 0.95, "a", "32:00"));
    assert!(served.host.drain(super::LONG));
    let answer = served.get("/v1/alerts?status=firing");
    let alert = &answer.body["alerts"][0];
    let fields = [
        "alert_id",
        "monitor",
        "key",
        "status",
        "severity",
        "summary",
        "value",
        "labels",
        "first_seen",
        "last_seen",
        "resolved_at",
        "times_seen",
    ];
    assert_eq!(keys(alert), fields);
    assert_eq!(
        (&alert["monitor"], &alert["status"], &alert["value"]),
        (&json!("threshold"), &json!("firing"), &json!(0.95))
    );
    assert_eq!((&alert["labels"]["team"], &alert["resolved_at"]), (&json!("ops"), &Value::Null));
    assert_eq!(served.get("/v1/alerts?status=resolved").body["alerts"], json!([]));
    served.post("/v1/metrics", &sample("cpu", 0.5, "a", "32:10"));
    assert!(served.host.drain(super::LONG));
    let resolved = served.get("/v1/alerts?status=all");
    assert_eq!(resolved.body["alerts"][0]["status"], "resolved");
    assert!(resolved.body["alerts"][0]["resolved_at"].is_string());
}

#[test]
fn an_import_counts_once() {
    let served = served();
    let batch = json!({
        "batch_id": Uuid::new_v4(), "name": "cpu.csv",
        "events": [{"event_type": "A", "source": "s"}, {"source": "s"}],
        "metrics": [sample("m", 1, "a", "00:00"), {"metric_name": "m"}],
    });
    let first = served.post("/v1/import", &batch);
    assert_eq!(
        (first.outcome(), &first.body["known"], &first.body["stored"]),
        ((200, "partial"), &json!(false), &json!(2))
    );
    let places: Vec<_> =
        first.body["results"].as_array().unwrap().iter().map(|it| it["index"].clone()).collect();
    assert_eq!(places, [1, 3]);
    let again = served.post("/v1/import", &batch);
    assert_eq!(again.body, json!({"status": "success", "known": true, "stored": 0}));
    // The host keeps a note of its own of the batch.
    assert_eq!(served.get("/v1/events?type=A").body["events"].as_array().unwrap().len(), 1);
    assert_eq!(served.stored().1, 1);
}

#[test]
fn a_connection_serves_many_requests_and_heads_have_no_body() {
    let served = served();
    let host = format!("Host: {}\r\n", served.address);
    let text = served.connect().exchange(&format!(
        "HEAD /v1/health HTTP/1.1\r\n{host}\r\nGET /v1/alerts HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
    ));
    let answers: Vec<_> = text.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.len(), 2, "{text}");
    assert!(answers[0].starts_with("200 ") && answers[0].ends_with("\r\n\r\n"), "{text}");
    assert_eq!(parsed(&format!("HTTP/1.1 {}", answers[1])).1["alerts"], json!([]));
    assert_eq!(served.ask(&Method::GET, "/v1/health", None).status, 200);
}

#[test]
fn the_instance_tells_hosts_apart() {
    let (one, other) = (served(), served());
    let instance = |served: &Served, path: &str| {
        served.get(path).header(bridge_telemetry_server::INSTANCE_HEADER).to_owned()
    };
    assert_eq!(instance(&one, "/v1/health"), instance(&one, "/nowhere"));
    assert_ne!(instance(&one, "/v1/health"), instance(&other, "/v1/health"));
}
