//! What is refused: with the contract's status and code, an envelope each time, and nothing stored.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;

use bridge_telemetry_server::{Server, ServerError};
use serde_json::{Map, Value, json};
use telemetry_core::{Subscription, limits};
use ureq::http::Method;

use super::{LONG, Served, parsed};
use crate::fixture::{in_folder, in_memory, with_plugin};
use crate::holders::Holders;

fn served() -> Served {
    Served::start(in_memory())
}

fn event() -> Value {
    json!({"event_type": "A", "source": "s"})
}

#[test]
fn callers_faults_have_the_contracts_codes() {
    let served = served();
    let check = |path: &str, body: Value, status: u16, code: &str| {
        let answer = served.post(path, &body);
        assert_eq!(answer.outcome(), (status, code), "{path} {body}: {}", answer.body);
        assert_eq!(answer.body["status"], "error");
        assert!(answer.body["error"]["message"].is_string() && answer.body["error"]["details"].is_object());
    };
    check("/v1/events", json!({"source": "s"}), 400, "INVALID_EVENT");
    check("/v1/events", json!({"event_type": "A", "source": "s", "data": 5}), 400, "INVALID_EVENT");
    let old = json!({"event_type": "A", "source": "s", "timestamp": "1999-01-01T00:00:00Z"});
    check("/v1/events", old, 400, "INVALID_TIMESTAMP");
    check("/v1/events", json!({"event_type": "A", "source": "s", "event_id": "x"}), 400, "INVALID_EVENT");
    check("/v1/metrics", json!({"metric_value": 1}), 400, "INVALID_METRIC_NAME");
    check("/v1/metrics", json!({"metric_name": "m", "metric_value": {}}), 400, "INVALID_METRIC_VALUE");
    check("/v1/query", json!({"aggregation": "MEDIAN"}), 400, "INVALID_AGGREGATION");
    check("/v1/query", json!({"time_range": ["x", null]}), 400, "INVALID_TIME_RANGE");
    check("/v1/query", json!({"time_range": [9, 1]}), 400, "INVALID_TIME_RANGE");
    check("/v1/query", json!({"filter": {"k": {"regex": "("}}}), 400, "INVALID_QUERY");
    check("/v1/query", json!({"step": "often"}), 400, "INVALID_QUERY");
    check("/v1/query", json!({"colour": "red"}), 400, "INVALID_QUERY");
    check("/v1/query", json!([]), 400, "MALFORMED_PAYLOAD");
    check("/v1/import", json!({"events": []}), 400, "INVALID_EVENT");
    check("/v1/dead-letters/replay", json!({}), 400, "INVALID_QUERY");
    check("/v1/dead-letters/replay", json!({"receiver": "nobody"}), 404, "NOT_FOUND");
    check("/v1/clock/accept", json!({"time": "now"}), 400, "INVALID_QUERY");
    check("/v1/store/backup", json!({"directory": "relative"}), 400, "INVALID_QUERY");
    check("/v1/store/backup", json!({"directory": "/dev"}), 400, "INVALID_QUERY");
    check("/v1/store/verify", json!({"deep": true}), 400, "INVALID_QUERY");
    assert_eq!(served.get("/v1/store/stats?depth=2").outcome(), (400, "INVALID_QUERY"));
    assert_eq!(served.stored(), (0, 0));
}

#[test]
fn queries_of_a_url_have_the_contracts_codes() {
    let served = served();
    for (path, status, code) in [
        ("/v1/events?limit=0", 400, "INVALID_QUERY"),
        ("/v1/events?limit=many", 400, "INVALID_QUERY"),
        ("/v1/events?cursor=broken", 400, "INVALID_QUERY"),
        ("/v1/events?order=sideways", 400, "INVALID_QUERY"),
        ("/v1/events?colour=red", 400, "INVALID_QUERY"),
        ("/v1/events?from=yesterday", 400, "INVALID_TIME_RANGE"),
        ("/v1/events?from=9&to=1", 400, "INVALID_TIME_RANGE"),
        ("/v1/events/not-an-id", 404, "NOT_FOUND"),
        ("/v1/events/%FF%00", 404, "NOT_FOUND"),
        ("/v1/events/018f6f43-7a2c-7c4e-8b3e-0242ac120002", 404, "NOT_FOUND"),
        ("/v1/alerts?status=loud", 400, "INVALID_QUERY"),
        ("/v1/alerts?state=firing", 400, "INVALID_QUERY"),
        ("/v1/dead-letters?alert_id=x", 400, "INVALID_QUERY"),
        ("/v1/dead-letters?limit=-1", 400, "INVALID_QUERY"),
    ] {
        assert_eq!(served.get(path).outcome(), (status, code), "{path}");
    }
    // Bytes that are no text are some text that nothing has.
    assert_eq!(served.get("/v1/events?type=%FF%FE").body["events"], json!([]));
}

#[test]
fn what_is_not_there_is_not_found() {
    let served = served();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/event",
        "/v1/events/",
        "/v2/events",
        "/v1/events/a/b",
        "/v1//events",
        "/../v1/x",
    ] {
        let answer = served.get(path);
        assert_eq!(answer.outcome(), (404, "NOT_FOUND"), "{path}");
    }
    let answer = served.ask(&Method::DELETE, "/v1/events", None);
    assert_eq!((answer.outcome(), answer.header("allow").contains("POST")), ((405, "NOT_FOUND"), true));
}

#[test]
fn bodies_that_are_no_json() {
    let served = served();
    for path in ["/v1/events", "/v1/metrics", "/v1/import", "/v1/query", "/v1/dead-letters/replay"] {
        for body in
            [&b"{"[..], b"", b"\xff\xfe", b"{\"a\":\"\xc3\x28\"}", b"5", b"null", b"{} {}", b"{\"a\":NaN}"]
        {
            let answer = served.ask(&Method::POST, path, Some(body));
            assert_eq!(answer.outcome(), (400, "MALFORMED_PAYLOAD"), "{path} {body:?}: {}", answer.body);
        }
    }
    let deep = format!(
        "{{\"event_type\":\"A\",\"source\":\"s\",\"data\":{}{}}}",
        "{\"a\":".repeat(10_000),
        "}".repeat(10_000)
    );
    let answer = served.ask(&Method::POST, "/v1/events", Some(deep.as_bytes()));
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(served.stored(), (0, 0));
}

/// An object of so many levels.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({"a": inner}))
}

#[test]
fn what_is_too_deep_to_be_shown_is_not_stored() {
    let served = served();
    // The deepest that JSON readers take is 127; a page of events adds two levels.
    let deep = json!({"event_type": "A", "source": "s", "data": nested(125)});
    let answer = served.post("/v1/events", &deep);
    assert_eq!(answer.outcome(), (400, "INVALID_EVENT"));
    let issue = &answer.body["error"]["details"]["validation_errors"][0];
    assert_eq!((&issue["field"], &issue["code"]), (&json!("data"), &json!("too_deep")));
    let other = json!({"event_type": "A", "source": "s", "trace": [nested(100)]});
    let answer = served.post("/v1/events", &json!([other]));
    let issue = &answer.body["results"][0]["error"]["details"]["validation_errors"][0];
    assert_eq!((&issue["field"], &issue["code"]), (&json!("trace"), &json!("too_deep")));
    let metric = |depth| json!({"metric_name": "m", "metric_value": 1, "context": nested(depth)});
    let answer = served.post("/v1/metrics", &metric(101));
    assert_eq!(answer.outcome(), (400, "INVALID_EVENT"));
    assert_eq!(answer.body["error"]["details"]["validation_errors"][0]["field"], "context");
    assert_eq!(served.stored(), (0, 0));
    let event = json!({"event_type": "A", "source": "s", "data": nested(90), "trace": nested(100)});
    assert_eq!(served.post("/v1/events", &event).outcome(), (200, "success"));
    assert_eq!(served.post("/v1/metrics", &metric(100)).outcome(), (200, "success"));
    let listed = &served.get("/v1/events").body["events"][0];
    assert_eq!((&listed["data"], &listed["trace"]), (&event["data"], &event["trace"]));
}

#[test]
fn bodies_over_a_limit() {
    let served = served();
    let large = json!({"event_type": "A", "source": "s", "data": {"text": "x".repeat(10 << 20)}});
    for path in ["/v1/events", "/v1/metrics", "/v1/import", "/v1/query", "/v1/clock/accept"] {
        let answer = served.post(path, &large);
        assert_eq!(answer.outcome(), (413, "PAYLOAD_TOO_LARGE"), "{path}");
        assert_eq!(
            answer.body["error"]["details"],
            json!({"limit": limits::MAX_PAYLOAD_BYTES, "unit": "bytes"})
        );
    }
    let keys: Map<_, _> = (0..10_000).map(|n| (format!("key-{n}"), json!(n))).collect();
    let wide = json!({"metric_name": "m", "metric_value": 1, "context": keys});
    assert_eq!(served.post("/v1/metrics", &wide).outcome(), (413, "PAYLOAD_TOO_LARGE"));
    let many = format!("[{}]", vec!["0"; limits::MAX_BATCH_RECORDS + 1].join(","));
    let answer = served.ask(&Method::POST, "/v1/events", Some(many.as_bytes()));
    assert_eq!(answer.outcome(), (413, "PAYLOAD_TOO_LARGE"));
    assert_eq!(served.stored(), (0, 0));
    // The connection goes on where a body was refused, also one without a length.
    let host = format!("Host: {}\r\n", served.address);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "y".repeat(1 << 20));
    let text = served.connect().exchange(&format!(
        "POST /v1/events HTTP/1.1\r\n{host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n\
         GET /v1/alerts HTTP/1.1\r\n{host}Connection: close\r\n\r\n",
        chunk.repeat(6)
    ));
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("HTTP/1.1 200 "), "{text}");
}

#[test]
fn the_limit_of_a_body_is_the_configured_one() {
    let mut config = in_memory();
    config["server"] = json!({"max_body_bytes": 2048});
    let served = Served::start(config);
    let body = |bytes: usize| {
        let rest = json!({"event_type": "A", "source": "s", "data": {"text": ""}}).to_string().len();
        json!({"event_type": "A", "source": "s", "data": {"text": "x".repeat(bytes - rest)}})
    };
    assert_eq!(served.post("/v1/events", &body(2048)).outcome(), (200, "success"));
    assert_eq!(served.post("/v1/events", &body(2049)).outcome(), (413, "PAYLOAD_TOO_LARGE"));
    assert_eq!(served.stored(), (1, 0));
}

/// One request as text, with these headers.
fn raw(served: &Served, line: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    parsed(&served.connect().exchange(&format!(
        "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )))
}

#[test]
fn a_foreign_host_is_refused() {
    let served = served();
    let (ours, port) = (served.address.to_string(), served.address.port());
    let body = event().to_string();
    let json = ("Content-Type", "application/json");
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1", "localhost", "", "127.0.0.1:1"]
    {
        let (status, answer) = raw(&served, "POST /v1/events", &[("Host", host), json], &body);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("MALFORMED_PAYLOAD")),
            "{host}: {answer}"
        );
        assert_eq!(raw(&served, "GET /v1/events", &[("Host", host)], "").0, 400, "{host}");
    }
    assert_eq!(raw(&served, "POST /v1/events", &[json], &body).0, 400, "no host at all");
    let both = [("Host", ours.as_str()), ("Host", "evil.example"), json];
    assert_eq!(raw(&served, "POST /v1/events", &both, &body).0, 400);
    let target = format!("POST http://evil.example:{port}/v1/events");
    assert_eq!(raw(&served, &target, &[("Host", &ours), json], &body).0, 400);
    assert_eq!(served.stored(), (0, 0));
    let localhost = format!("LocalHost:{port}");
    assert_eq!(raw(&served, "POST /v1/events", &[("Host", &localhost), json], &body).0, 200);
    assert_eq!(raw(&served, "POST /v1/events", &[("Host", &ours), json], &body).0, 200);
    assert_eq!(served.stored(), (2, 0));
}

#[test]
fn a_configured_host_is_ours() {
    let mut config = in_memory();
    config["server"] = json!({"allowed_hosts": ["telemetry.example"]});
    let served = Served::start(config);
    assert_eq!(raw(&served, "GET /v1/health", &[("Host", "telemetry.example")], "").0, 200);
    assert_eq!(raw(&served, "GET /v1/health", &[("Host", "other.example")], "").0, 400);
}

#[test]
fn a_body_that_is_not_declared_as_json_is_refused() {
    let served = served();
    let host = served.address.to_string();
    let body = event().to_string();
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""]
    {
        let headers = [("Host", host.as_str()), ("Content-Type", kind)];
        let (status, answer) = raw(&served, "POST /v1/events", &headers, &body);
        assert_eq!((status, &answer["error"]["code"]), (400, &json!("MALFORMED_PAYLOAD")), "{kind}");
        assert_eq!(answer["error"]["details"]["content_type"], kind);
    }
    assert_eq!(raw(&served, "POST /v1/events", &[("Host", &host)], &body).0, 400);
    assert_eq!(served.stored(), (0, 0));
    let declared = [("Host", host.as_str()), ("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(raw(&served, "POST /v1/events", &declared, &body).0, 200);
    // A large body of another kind is read to its end, so that its sender sees why.
    let large = "x".repeat(8 << 20);
    assert_eq!(raw(&served, "POST /v1/events", &[("Host", &host)], &large).0, 400);
}

#[test]
fn what_is_refused_before_the_host_sees_it_is_counted() {
    let served = served();
    let host = served.address.to_string();
    let refused = || served.get("/v1/health").body["stats"]["refused_requests"].clone();
    let counts = |foreign_host: u64, content_type: u64, body_too_large: u64| {
        json!({
            "foreign_host": foreign_host, "content_type": content_type, "body_too_large": body_too_large,
            "body_broken": 0, "body_late": 0,
            "readers_busy": 0,
        })
    };
    assert_eq!(refused(), counts(0, 0, 0));
    assert_eq!(raw(&served, "GET /v1/events", &[("Host", "evil.example")], "").0, 400);
    assert_eq!(raw(&served, "GET /v1/events", &[], "").0, 400);
    assert_eq!(raw(&served, "POST /v1/events", &[("Host", &host)], "{}").0, 400);
    assert_eq!(served.post("/v1/events", &json!({"text": "x".repeat(5 << 20)})).status, 413);
    assert_eq!(refused(), counts(2, 1, 1));
    // What the host itself refuses is counted with the records.
    assert_eq!(served.post("/v1/events", &json!({})).outcome(), (400, "INVALID_EVENT"));
    assert_eq!(refused(), counts(2, 1, 1));
}

#[test]
fn a_saturated_recording_says_when_to_come_back() {
    let served = served();
    let holders = Holders::of(&served.host);
    let one = served.post("/v1/events", &event());
    let many = served.post("/v1/metrics", &json!([{"metric_name": "m", "metric_value": 1}]));
    // Whoever only asks is answered.
    assert_eq!(served.get("/v1/health").status, 200);
    holders.let_go();
    assert_eq!(one.outcome(), (429, "OVERLOADED"));
    assert_eq!((many.status, &many.body["results"][0]["error"]["code"]), (429, &json!("OVERLOADED")));
    for refused in [one, many] {
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(served.post("/v1/events", &event()).outcome(), (200, "success"));
}

#[test]
fn the_hosts_own_faults_have_the_contracts_codes() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    let full = Served::start(config);
    assert_eq!(full.post("/v1/events", &event()).outcome(), (503, "STORAGE_FAILURE"));
    assert_eq!(full.get("/v1/events").outcome(), (200, "success"), "reads go on");
    let health = full.get("/v1/health");
    assert_eq!(
        (health.status, &health.body["status"]),
        (200, &json!("unhealthy")),
        "health is asked, not judged"
    );
    let evil = bridge_telemetry_tests::guest("evil").unwrap();
    let failing = Served::start(with_plugin(in_memory(), "evil", &evil, json!({})));
    let answer = failing.post("/v1/events", &json!({"event_type": "panic", "source": "s"}));
    assert_eq!(answer.outcome(), (500, "PLUGIN_FAILURE"));
    assert_eq!(answer.body["error"]["details"]["plugin"], "evil");
}

#[test]
fn a_call_that_takes_too_long_is_answered_and_comes_to_its_end() {
    let mut config = in_memory();
    config["server"] = json!({"request_timeout": "5s"});
    let served = Served::start(config);
    let (gate, waiting) = channel::<()>();
    let waiting = std::sync::Mutex::new(waiting);
    let slow = Subscription { event_types: Some(vec!["SLOW".to_owned()]), ..Subscription::default() };
    served.host.subscribe(slow, move |_| {
        let _ = waiting.lock().unwrap().recv_timeout(LONG);
    });
    let id = uuid::Uuid::new_v4().to_string();
    let event = json!({"event_type": "SLOW", "source": "s", "event_id": id});
    let answer = served.post("/v1/events", &event);
    assert_eq!(answer.outcome(), (500, "OPERATION_TIMEOUT"));
    assert_eq!(answer.body["error"]["details"]["exception_type"], "timeout");
    drop(gate);
    // Known by now, or on its way: the same id makes the same event.
    assert_eq!(served.post("/v1/events", &event).outcome(), (200, "success"));
    assert_eq!(served.stored(), (1, 0));
}

#[test]
fn nothing_but_loopback_is_listened_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "10.0.0.1:4600", "[::ffff:127.0.0.1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let refused = runtime.block_on(Server::bind(address)).unwrap_err();
        assert!(
            matches!(refused, ServerError::NotLoopback { address: told } if told == address),
            "{refused}"
        );
    }
    let served = served();
    assert!(served.address.ip().is_loopback());
    // Bound to the one address: the other addresses of the interface have nothing at this port.
    let neighbour = SocketAddr::new(IpAddr::from([127, 0, 0, 2]), served.address.port());
    assert!(TcpStream::connect(neighbour).is_err());
    let taken = runtime.block_on(Server::bind(served.address)).unwrap_err();
    assert!(matches!(taken, ServerError::Bind { .. }), "{taken}");
    drop(Arc::clone(&served.host));
}
