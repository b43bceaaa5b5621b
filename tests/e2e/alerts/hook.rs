//! The far side of a webhook: a real HTTP server on loopback that keeps what it is sent and answers as it was told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Beyond any delivery under load; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// One request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn key(&self) -> &str {
        &self.headers["idempotency-key"]
    }

    pub(crate) fn status(&self) -> &str {
        self.body["status"].as_str().unwrap()
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        self.body["commonLabels"][name].as_str().unwrap_or_default()
    }
}

/// A status, and what stands in `Retry-After`.
type Answer = (u16, Option<u32>);

#[derive(Default)]
struct Book {
    received: Vec<Request>,
    /// For the next requests, in this order.
    next: VecDeque<Answer>,
    /// For all others.
    otherwise: Option<Answer>,
    /// Whether answers wait.
    held: bool,
    /// Whether what stands in answers is no UTF-8.
    garbled: bool,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    book: Mutex<Book>,
    /// A request came, or the answers need not wait any longer.
    changed: Condvar,
}

/// The server; it stops when it is dropped.
pub(crate) struct Hook {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.book.lock().unwrap().stopping {
                    return;
                }
                // A client that is killed in the middle of a request is no fault of the server.
                let _ = serve(&stream.unwrap(), &served);
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// A receiver of the configuration that posts here.
    pub(crate) fn receiver(&self) -> Value {
        self.receiver_of("webhook", json!({"receiver": "ops", "external_url": "http://bridge"}))
    }

    /// A receiver whose sink is `plugin`, which is told in its configuration where to post.
    pub(crate) fn receiver_of(&self, plugin: &str, mut config: Value) -> Value {
        let origin = format!("http://{}", self.address);
        config["url"] = json!(format!("{origin}/hook"));
        json!({"plugin": plugin, "config": config, "grants": {"http": [origin], "allow_private": true}})
    }

    /// Answers nothing from now on, until [`Self::let_go`].
    pub(crate) fn hold(&self) {
        self.shared.book.lock().unwrap().held = true;
    }

    /// Answers with bytes that are no UTF-8 from now on.
    pub(crate) fn garble(&self) {
        self.shared.book.lock().unwrap().garbled = true;
    }

    /// Answers what waits, and all that comes.
    pub(crate) fn let_go(&self) {
        self.shared.book.lock().unwrap().held = false;
        self.shared.changed.notify_all();
    }

    /// Answers the next request that has no answer yet with this status.
    pub(crate) fn next(&self, status: u16) {
        self.shared.book.lock().unwrap().next.push_back((status, None));
    }

    /// Answers all further requests with this status.
    pub(crate) fn always(&self, status: u16, retry_after: Option<u32>) {
        self.shared.book.lock().unwrap().otherwise = Some((status, retry_after));
    }

    pub(crate) fn received(&self) -> Vec<Request> {
        self.shared.book.lock().unwrap().received.clone()
    }

    /// The label and the status of all requests.
    pub(crate) fn told(&self, label: &str) -> Vec<(String, String)> {
        let requests = self.received();
        requests.iter().map(|it| (it.label(label).to_owned(), it.status().to_owned())).collect()
    }

    /// Waits until so many requests have come in all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Request> {
        self.waited_for(count).received.clone()
    }

    /// Waits until so many requests have come in all, of which there may be thousands.
    pub(crate) fn wait_past(&self, count: usize) {
        drop(self.waited_for(count));
    }

    fn waited_for(&self, count: usize) -> MutexGuard<'_, Book> {
        let book = self.shared.book.lock().unwrap();
        let waiting =
            self.shared.changed.wait_timeout_while(book, PATIENCE, |book| book.received.len() < count);
        let (book, time) = waiting.unwrap();
        assert!(!time.timed_out(), "{} of {count} requests came: {:?}", book.received.len(), book.received);
        book
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.shared.book.lock().unwrap().stopping = true;
        // Wakes the thread, whether it holds an answer or waits for a request.
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.address);
        let stopped = self.thread.take().map(JoinHandle::join);
        assert!(stopped.is_none_or(|stopped| stopped.is_ok()) || std::thread::panicking());
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let request_line = std::mem::take(&mut line);
    let mut headers = BTreeMap::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        line.clear();
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, retry_after) = if request_line == "POST /hook HTTP/1.1\r\n" {
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let mut book = shared.book.lock().unwrap();
        book.received.push(Request { headers, body });
        shared.changed.notify_all();
        let waiting = shared.changed.wait_timeout_while(book, PATIENCE, |book| book.held && !book.stopping);
        let (mut book, _) = waiting.unwrap();
        book.next.pop_front().or(book.otherwise).unwrap_or((200, None))
    } else {
        (404, None)
    };
    let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let mut stream = stream;
    let head = format!("HTTP/1.1 {status} \r\n{retry_after}Content-Length: 5\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(if shared.book.lock().unwrap().garbled { b"not\xffd" } else { b"noted" })
}
