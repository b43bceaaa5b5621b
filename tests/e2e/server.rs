//! The HTTP interface (spec §8): the real server on a loopback port over a real host, asked by a real client. Every answer
//! is held against the OpenAPI document.

mod document;
mod operator;
mod plugins;
mod refusals;
mod routes;
mod shutdown;
mod stalls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge_telemetry::{Clock, Host, ManualClock};
use bridge_telemetry_server::{INSTANCE_HEADER, Server, ServerError};
use document::Document;
use serde_json::Value;
use tokio::sync::oneshot;
use ureq::http::{HeaderMap, Method, Request};

use crate::fixture::{open, start};

/// Beyond any work of a server under load: only a test that fails waits for so long.
const LONG: Duration = Duration::from_secs(300);
/// The client never reads more.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(Document::committed)
}

/// What the server answered; the body is JSON.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and error code; of a success, `success`.
    fn outcome(&self) -> (u16, &str) {
        let code = self.body.pointer("/error/code").or(self.body.get("status"));
        (self.status, code.and_then(Value::as_str).unwrap_or_default())
    }
}

/// A server and its host, which has no threads of its own; both end with it.
struct Served {
    host: Arc<Host>,
    clock: Arc<ManualClock>,
    address: SocketAddr,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Served {
    fn start(config: Value) -> Self {
        let clock = Arc::new(ManualClock::at(start()));
        let host = Arc::new(open(config, Arc::clone(&clock) as Arc<dyn Clock>));
        let (bound, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&host);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async move {
                let server = Server::bind("127.0.0.1:0".parse().unwrap()).await?;
                bound.send(server.address()).unwrap();
                let stopped = async {
                    // Dropped or sent: both end it.
                    let _ = stopped.await;
                };
                server.serve(served, stopped).await
            })
        });
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(LONG))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            // The server closes a connection whose body it did not read, which the next request may not hear of in time.
            .max_idle_connections(0)
            .build()
            .into();
        let address = address.recv_timeout(LONG).unwrap();
        Self { host, clock, address, agent, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks; with a body, as JSON. The answer has what every answer has, and is what the document says.
    fn ask(&self, method: &Method, path: &str, body: Option<&[u8]>) -> Answer {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let answer = match body {
            Some(body) => {
                self.agent.run(request.header("content-type", "application/json").body(body).unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap();
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&bytes)));
        let answer = Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body };
        assert_eq!(answer.header(INSTANCE_HEADER), self.host.instance().to_string());
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        document().check(method, path, &answer);
        answer
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&Method::GET, path, None)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Method::POST, path, Some(body.to_string().as_bytes()))
    }

    /// What a request is answered that succeeds.
    fn query(&self, body: &Value) -> Value {
        let answer = self.post("/v1/query", body);
        assert_eq!(answer.outcome(), (200, "success"), "{}", answer.body);
        answer.body
    }

    fn stored(&self) -> (u64, u64) {
        let stats = self.host.health_check().stats;
        (stats.events_total, stats.metrics_total)
    }

    /// A connection of its own, for bytes that no client would send.
    fn connect(&self) -> Wire {
        Wire::to(self.address)
    }

    /// Tells the server to shut down; does not wait.
    fn begin_to_stop(&mut self) {
        self.stop.take();
    }

    /// Waits for the server's end.
    fn ended(&mut self) -> Result<(), ServerError> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.begin_to_stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok_and(|ended| ended.is_ok())) || std::thread::panicking());
    }
}

/// A bare connection.
struct Wire(TcpStream);

impl Wire {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self(stream)
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// All that comes until the server closes the connection.
    fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Says all of it, and reads until the server closes the connection.
    fn exchange(mut self, text: &str) -> String {
        self.say(text);
        self.rest()
    }
}

/// The status and the body of an answer that was read as text.
fn parsed(text: &str) -> (u16, Value) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{text:?}")), serde_json::from_str(body).unwrap_or_default())
}
