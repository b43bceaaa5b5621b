//! Clients that stop in the middle: they hold nobody else up, and their connection has an end.

use serde_json::json;

use super::{Served, Wire, parsed};
use crate::fixture::in_memory;

/// A request may take some seconds: few to wait for, and enough for one that is served at once.
fn impatient() -> Served {
    with_timeout("5s")
}

fn with_timeout(time: &str) -> Served {
    let mut config = in_memory();
    config["server"] = json!({"request_timeout": time});
    Served::start(config)
}

/// Says something and nothing more.
fn stalled(served: &Served, text: &str) -> Wire {
    let mut wire = served.connect();
    wire.say(text);
    wire
}

#[test]
fn a_head_that_stops_in_the_middle_loses_its_connection() {
    let served = impatient();
    let stalled: Vec<_> = ["", "GE", "GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: "]
        .into_iter()
        .map(|text| stalled(&served, text))
        .collect();
    assert_eq!(served.get("/v1/health").status, 200, "others are served meanwhile");
    for wire in stalled {
        let told = wire.rest();
        assert!(told.is_empty() || parsed(&told).0 == 408, "{told}");
    }
}

#[test]
fn a_body_that_stops_in_the_middle_is_answered() {
    let served = impatient();
    let host = format!("Host: {}\r\n", served.address);
    let json = "Content-Type: application/json\r\n";
    let stalled: Vec<_> = [
        format!("POST /v1/events HTTP/1.1\r\n{host}{json}Content-Length: 100\r\n\r\n{{\"event"),
        format!("POST /v1/query HTTP/1.1\r\n{host}{json}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"a"),
        format!("POST /v1/clock/accept HTTP/1.1\r\n{host}{json}Content-Length: 2\r\n\r\n{{"),
        format!("POST /v1/store/verify HTTP/1.1\r\n{host}{json}Content-Length: 2\r\n\r\n{{"),
    ]
    .iter()
    .map(|text| stalled(&served, text))
    .collect();
    assert_eq!(served.get("/v1/health").status, 200, "others are served meanwhile");
    for wire in stalled {
        let (status, body) = parsed(&wire.rest());
        assert_eq!((status, &body["error"]["code"]), (500, &json!("OPERATION_TIMEOUT")), "{body}");
    }
    // Of another kind and not even sent: refused all the same.
    let plain = format!("POST /v1/events HTTP/1.1\r\n{host}Content-Length: 100\r\n\r\nx");
    let (status, body) = parsed(&served.connect().exchange(&plain));
    assert_eq!((status, &body["error"]["code"]), (400, &json!("MALFORMED_PAYLOAD")));
    assert_eq!(served.stored(), (0, 0));
    let refused = &served.get("/v1/health").body["stats"]["refused_requests"];
    assert_eq!((&refused["body_late"], &refused["content_type"]), (&json!(4), &json!(1)), "{refused}");
}

#[test]
fn a_body_that_breaks_off_stores_nothing() {
    let served = impatient();
    let host = format!("Host: {}\r\n", served.address);
    let whole = json!({"event_type": "A", "source": "s"}).to_string();
    let wire = stalled(
        &served,
        &format!(
            "POST /v1/events HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{whole}",
            whole.len() + 1
        ),
    );
    wire.0.shutdown(std::net::Shutdown::Write).unwrap();
    let told = wire.rest();
    assert!(told.is_empty() || parsed(&told).0 == 400, "{told}");
    assert_eq!(served.stored(), (0, 0));
}

#[test]
fn what_is_no_http_is_refused() {
    let served = impatient();
    for text in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /v1/health\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        let told = served.connect().exchange(text);
        assert!(told.is_empty() || parsed(&told).0 == 400, "{told}");
    }
    let many: String = (0..5_000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let told = served.connect().exchange(&format!("GET /v1/health HTTP/1.1\r\n{many}\r\n"));
    assert_eq!(parsed(&told).0, 431, "{told}");
    assert_eq!(served.get("/v1/health").status, 200);
}

#[test]
fn a_client_that_reads_nothing_holds_nobody_up() {
    // A page of all of it is made for each of them, and for us, at the same time.
    let served = with_timeout("20s");
    let text = "x".repeat(1 << 20);
    for n in 0..8 {
        let event = json!({"event_type": "LARGE", "source": "s", "data": {"n": n, "text": text}});
        assert_eq!(served.post("/v1/events", &event).outcome(), (200, "success"));
    }
    let page = format!("GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
    let deaf: Vec<_> = (0..4).map(|_| stalled(&served, &page.repeat(4))).collect();
    let answer = served.get("/v1/events");
    assert_eq!(answer.body["events"].as_array().unwrap().len(), 8);
    // The server ends though they never read: their connections are cut. See also `shutdown`.
    drop(served);
    drop(deaf);
}
