//! Outbound HTTP against a real local server: what the grant covers, and that nothing else makes a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telemetry_core::extension::{DeliveryOutcome, Sink};
use telemetry_sandbox::{Grants, Plugin, Secrets};

use crate::fixture::{Fixture, spec};
use crate::sink::{TIME, alert};

/// A server that keeps what it was sent and answers by path.
struct Server {
    address: String,
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let requests = Arc::clone(&requests);
                std::thread::spawn(move || serve(stream, &requests));
            }
        });
        Self { address: format!("http://127.0.0.1:{port}"), port, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, requests: &Mutex<Vec<String>>) {
    // A connection alone is seen, whatever comes over it.
    requests.lock().unwrap().push(String::new());
    let at = requests.lock().unwrap().len() - 1;
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok();
    requests.lock().unwrap()[at] = head.clone() + &String::from_utf8_lossy(&body);
    let answer = match head.split(' ').nth(1).unwrap_or_default() {
        "/redirect" => "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/error" => "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy".to_owned(),
        "/giant" => format!("HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n{}", "x".repeat(2_000_000)),
        "/endless" => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2_000_000)),
        "/headers" => format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20)),
        "/silence" => {
            // Until the other side gives up.
            reader.read_to_end(&mut Vec::new()).ok();
            return;
        }
        "/garbage" => "what?\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
    };
    stream.write_all(answer.as_bytes()).ok();
    stream.flush().ok();
    // The client closes first, so that nothing of the answer is lost.
    stream.shutdown(std::net::Shutdown::Write).ok();
    reader.read_to_end(&mut Vec::new()).ok();
}

fn granted(origins: &[&str], private_addresses: bool) -> (Plugin, Box<dyn Sink>) {
    let mut spec = spec("evil-sink");
    spec.grants = Grants {
        http: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        private_addresses,
        secrets: ["TOKEN".to_owned()].into(),
    };
    spec.secrets = Secrets::from_iter([("TOKEN", "s3cret"), ("OTHER", "not yours")]);
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let sink = plugin.sink().unwrap();
    (plugin, sink)
}

/// What became of one request, in the guest's words.
fn sent(sink: &mut dyn Sink, attack: &str) -> String {
    match sink.deliver(&[alert(attack)], TIME).unwrap().remove(0) {
        DeliveryOutcome::Delivered(Some(answer)) => answer,
        DeliveryOutcome::Rejected(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_granted_request_arrives_with_its_secrets() {
    let server = Server::start();
    let (plugin, mut sink) = granted(&[&server.address], true);
    assert_eq!(sent(&mut *sink, &format!("http {}/path?q=1#fragment", server.address)), "200 ok");
    assert_eq!(sent(&mut *sink, &format!("post {}/", server.address)), "200 ok");
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[0].contains("Bearer s3cret"), "{seen:?}");
    assert!(seen[0].contains("bridge-telemetry/"), "{seen:?}");
    assert!(seen[1].starts_with("POST / HTTP/1.1\r\n") && seen[1].ends_with("token=s3cret"), "{seen:?}");
    assert!(seen[1].contains("content-length: 12"), "{seen:?}");
    assert_eq!((plugin.status().http_requests, plugin.status().http_refused), (2, 0));
}

#[test]
fn answers_are_handed_on_as_they_are_and_redirects_are_not_followed() {
    let server = Server::start();
    let (_plugin, mut sink) = granted(&[&server.address], true);
    let mut check = |path: &str, expected: &str| {
        let answer = sent(&mut *sink, &format!("http {}{path}", server.address));
        assert!(answer.starts_with(expected), "{path}: {answer}");
    };
    check("/redirect", "302 ");
    check("/error", "503 busy");
    check("/giant", "too large");
    check("/endless", "too large");
    check("/headers", "too large");
    check("/garbage", "connection: ");
    assert!(!server.seen().iter().any(|request| request.contains("/elsewhere")));
}

#[test]
fn nothing_that_is_not_granted_makes_a_connection() {
    let server = Server::start();
    let port = server.port;
    // The origins are granted, private addresses are not.
    let names = [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://0.0.0.0:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://0x7f.0.0.1:{port}"),
        format!("http://127.1:{port}"),
    ];
    let origins: Vec<&str> = names.iter().map(String::as_str).collect();
    let (plugin, mut sink) = granted(&origins, false);
    for origin in &names {
        let answer = sent(&mut *sink, &format!("http {origin}/"));
        assert!(
            answer.starts_with("denied: ") && answer.contains("not a public address")
                || answer.starts_with("connection: "),
            "{origin}: {answer}"
        );
    }
    assert!(plugin.status().http_refused >= 5, "{:?}", plugin.status());
    // And what the grant does not name at all, with private addresses.
    let (plugin, mut sink) = granted(&[&server.address], true);
    for attack in [
        format!("http http://localhost:{port}/"),
        format!("http http://127.0.0.1:{}/", port.wrapping_add(1)),
        format!("http https://127.0.0.1:{port}/"),
        format!("http http://127.0.0.1.example.com:{port}/"),
        "http http://169.254.169.254/latest/meta-data".to_owned(),
        format!("stolen http://127.0.0.1:{port}/"),
        format!("host http://127.0.0.1:{port}/"),
        format!("trace http://127.0.0.1:{port}/"),
    ] {
        let answer = sent(&mut *sink, &attack);
        assert!(answer.starts_with("denied: "), "{attack}: {answer}");
        assert!(!answer.contains("not yours"), "{answer}");
    }
    assert_eq!((plugin.status().http_requests, plugin.status().http_refused), (0, 8));
    for attack in [
        format!("http http://user:pass@127.0.0.1:{port}/"),
        "http file:///etc/passwd".to_owned(),
        "http nonsense".to_owned(),
    ] {
        let answer = sent(&mut *sink, &attack);
        assert!(answer.starts_with("other: "), "{attack}: {answer}");
    }
    assert_eq!(sent(&mut *sink, &format!("giant http://127.0.0.1:{port}/")), "too large");
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

#[test]
fn no_grant_means_no_http() {
    let server = Server::start();
    let (_plugin, mut sink) = granted(&[], true);
    assert!(sent(&mut *sink, &format!("http {}/", server.address)).starts_with("denied: "));
    assert!(server.seen().is_empty());
}

#[test]
fn a_silent_server_leaves_time_to_answer() {
    let server = Server::start();
    let (_plugin, mut sink) = granted(&[&server.address], true);
    let outcomes = sink
        .deliver(&[alert(&format!("http {}/silence", server.address))], Duration::from_millis(200))
        .unwrap();
    assert_eq!(outcomes, [DeliveryOutcome::Rejected("timeout".to_owned())]);
}

#[test]
fn a_storm_of_requests_is_ended() {
    let (plugin, mut sink) = granted(&[], true);
    let failure = sink.deliver(&[alert("storm http://127.0.0.1:1/")], TIME).unwrap_err();
    assert_eq!(failure.reason.kind(), "limit", "{failure}");
    assert!(plugin.status().http_refused >= 256);
}
