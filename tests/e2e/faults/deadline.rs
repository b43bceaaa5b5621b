//! Time that runs out: a query's own deadline, and a request that its server waits for no longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Clock, Host, ManualClock, Timestamp};
use bridge_telemetry_server::Server;
use serde_json::{Value, json};
use telemetry_core::Subscription;

use super::{serves, shown_by_health};
use crate::fixture::{code, in_memory, message, metric, open, query, start};

/// While it is slow, a minute passes between any two looks: as on a machine that hardly comes to work.
#[derive(Debug)]
struct SlowClock {
    clock: ManualClock,
    slow: AtomicBool,
}

impl Clock for SlowClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        if self.slow.load(Ordering::SeqCst) {
            self.clock.advance(Duration::from_secs(60));
        }
        self.clock.monotonic()
    }
}

fn host_on_a_slow_clock() -> (Host, Arc<SlowClock>) {
    let clock = Arc::new(SlowClock { clock: ManualClock::at(start()), slow: AtomicBool::new(false) });
    let host = open(in_memory(), Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    (host, clock)
}

fn ask(host: &Host, clock: &SlowClock) -> Envelope {
    clock.slow.store(true, Ordering::SeqCst);
    let answer = query(host, json!({"aggregation": "SUM"}));
    clock.slow.store(false, Ordering::SeqCst);
    answer
}

/// The answer to a query that could not be done in its time.
pub(super) fn asked_without_time() -> Envelope {
    let (host, clock) = host_on_a_slow_clock();
    ask(&host, &clock)
}

#[test]
fn a_query_beyond_its_deadline() {
    let (host, clock) = host_on_a_slow_clock();
    let late = ask(&host, &clock);
    assert_eq!(code(&late), "OPERATION_TIMEOUT", "{}", late.body);
    assert!(message(&late).contains("ask for a shorter range or fewer series"), "{}", late.body);
    assert_eq!(late.body["error"]["details"]["context"], "get_metrics");
    shown_by_health(&host, "OPERATION_TIMEOUT");
    let answer = query(&host, json!({"aggregation": "SUM"}));
    assert_eq!(answer.body["metrics"]["m"]["value"], 1);
    serves(&host);
}

#[test]
fn a_request_that_its_server_waits_for_no_longer() {
    let mut config = in_memory();
    config["server"] = json!({"request_timeout": "5s"});
    let host = Arc::new(open(config, Arc::new(ManualClock::at(start()))));
    let held = Subscription { event_types: Some(vec!["HELD".to_owned()]), ..Subscription::default() };
    // Held until this test lets go, or ends.
    let (leave, left) = channel::<()>();
    let left = Mutex::new(left);
    host.subscribe(held, move |_| {
        let _ = left.lock().unwrap().recv();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.serve(Arc::clone(&host), async {
        let _ = stopped.await;
    }));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // The server closes a connection that is idle for as long as a request may take.
        .max_idle_connections(0)
        .build()
        .into();
    let post = |body: Value| -> (u16, Value) {
        let request = agent.post(format!("http://{address}/v1/events")).content_type("application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    };
    let (status, body) = post(json!({"event_type": "HELD", "source": "s"}));
    assert_eq!((status, &body["error"]["code"]), (500, &json!("OPERATION_TIMEOUT")), "{body}");
    let told = body["error"]["message"].as_str().unwrap();
    assert!(told.contains("server.request_timeout"), "{told}");
    assert!(body["error"]["details"]["context"].is_string(), "{body}");
    // The host is told after the answer.
    while host.health_check().stats.host_faults == 0 {
        std::thread::yield_now();
    }
    shown_by_health(&host, "OPERATION_TIMEOUT");
    // Others are served meanwhile, and the call goes on to its end.
    let (status, body) = post(json!({"event_type": "OTHER", "source": "s"}));
    assert_eq!((status, &body["status"]), (200, &json!("success")));
    drop(leave);
    assert_eq!(host.health_check().stats.events_total, 2);
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap().unwrap();
}
