//! The end of a server: requests under way are answered, nothing else holds it up.

use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use serde_json::json;
use telemetry_core::Subscription;

use super::{LONG, Served, parsed};
use crate::fixture::in_memory;

fn served(request_timeout: &str) -> Served {
    let mut config = in_memory();
    config["server"] = json!({"request_timeout": request_timeout});
    Served::start(config)
}

/// Events of the type `HELD` are held until the sender is dropped; tells when one is.
fn hold(served: &Served) -> (std::sync::mpsc::Receiver<()>, Sender<()>) {
    let (entered, arrivals) = channel();
    let (gate, waiting) = channel::<()>();
    let state = std::sync::Mutex::new((entered, waiting));
    let held = Subscription { event_types: Some(vec!["HELD".to_owned()]), ..Subscription::default() };
    served.host.subscribe(held, move |_| {
        let state = state.lock().unwrap();
        state.0.send(()).unwrap();
        let _ = state.1.recv_timeout(LONG);
    });
    (arrivals, gate)
}

/// Waits until nobody listens any more.
fn wait_for_closed_door(served: &Served) {
    let late = Instant::now() + LONG;
    while TcpStream::connect(served.address).is_ok() {
        assert!(Instant::now() < late, "the server still listens");
        std::thread::yield_now();
    }
}

#[test]
fn a_request_under_way_is_answered() {
    let mut served = served("300s");
    let (arrivals, gate) = hold(&served);
    let mut wire = served.connect();
    let body = json!({"event_type": "HELD", "source": "s"}).to_string();
    wire.say(&format!(
        "POST /v1/events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        served.address,
        body.len()
    ));
    arrivals.recv_timeout(LONG).unwrap();
    // One that is idle does not count.
    let idle = served.connect();
    served.begin_to_stop();
    wait_for_closed_door(&served);
    assert_eq!(idle.rest(), "");
    drop(gate);
    let (status, answer) = parsed(&wire.rest());
    assert_eq!((status, &answer["status"]), (200, &json!("success")));
    served.ended().unwrap();
    let id = answer["event_id"].as_str().unwrap();
    assert_eq!(
        served.host.event_json(id).body["event"]["event_type"],
        "HELD",
        "the host outlives its server"
    );
}

#[test]
fn the_address_is_free_at_once() {
    let mut served = served("300s");
    assert_eq!(served.get("/v1/health").status, 200);
    served.begin_to_stop();
    served.ended().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let again = runtime.block_on(bridge_telemetry_server::Server::bind(served.address)).unwrap();
    assert_eq!(again.address(), served.address);
}

#[test]
fn half_a_request_holds_it_up_for_a_requests_time_at_most() {
    let mut served = served("5s");
    let mut head = served.connect();
    head.say("GET /v1/hea");
    let mut body = served.connect();
    body.say(&format!(
        "POST /v1/events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{",
        served.address
    ));
    // Both were read once somebody later is answered; should they not be, they end all the sooner.
    assert_eq!(served.get("/v1/health").status, 200);
    served.begin_to_stop();
    served.ended().unwrap();
    assert!(head.rest().len() < 500 && body.rest().len() < 1_000);
}

#[test]
fn a_call_that_never_ends_is_cut() {
    let mut served = served("5s");
    let (arrivals, gate) = hold(&served);
    let mut wire = served.connect();
    let body = json!({"event_type": "HELD", "source": "s"}).to_string();
    wire.say(&format!(
        "POST /v1/events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        served.address,
        body.len()
    ));
    arrivals.recv_timeout(LONG).unwrap();
    served.begin_to_stop();
    let told = wire.rest();
    assert!(told.is_empty() || parsed(&told).1["error"]["code"] == "OPERATION_TIMEOUT", "{told}");
    // The runtime waits for the call itself, which only the host can end.
    drop(gate);
    served.ended().unwrap();
}
