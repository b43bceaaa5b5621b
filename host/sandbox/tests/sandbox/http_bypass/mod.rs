//! A matrix of attempts to get past the rules of outbound HTTP. Each is refused with no connection made: a server on both
//! loopback addresses counts. Each is in the plugin's counts under the rule that it broke, and in its log.

mod addresses;
mod answers;
mod requests;

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use telemetry_core::extension::{DeliveryOutcome, Sink};
use telemetry_core::limits;
use telemetry_sandbox::{Grants, NamePort, Plugin, PluginStatus, SandboxOptions, Secrets};

use crate::fixture::{Fixture, spec};
use crate::sink::{TIME, alert};

/// Time of a call, without what it waits for: much for sending one request, and less than what may be waited for.
const DEADLINE_MS: u32 = 2_000;

/// Listens on one port of both loopback addresses and counts who comes.
struct Trap {
    port: u16,
    four: Arc<AtomicUsize>,
    six: Arc<AtomicUsize>,
}

impl Trap {
    fn set() -> Self {
        Self::answering(|_| {})
    }

    fn answering(serve: impl Fn(TcpStream) + Copy + Send + 'static) -> Self {
        // A port that is free on one address may be taken on the other.
        let (four, six) = (0..100)
            .find_map(|_| {
                let four = TcpListener::bind("127.0.0.1:0").unwrap();
                let six = TcpListener::bind(("::1", four.local_addr().unwrap().port())).ok()?;
                Some((four, six))
            })
            .unwrap();
        let port = four.local_addr().unwrap().port();
        let counted = |listener: TcpListener| {
            let count = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&count);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    counter.fetch_add(1, Ordering::SeqCst);
                    std::thread::spawn(move || serve(stream));
                }
            });
            count
        };
        Self { port, four: counted(four), six: counted(six) }
    }

    fn connections(&self) -> usize {
        self.four.load(Ordering::SeqCst) + self.six.load(Ordering::SeqCst)
    }
}

/// Answers by a table, one line of addresses after the other, and counts.
#[derive(Debug, Default)]
struct Names {
    table: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Names {
    fn of(table: &[(&'static str, &[&[&'static str]])]) -> Arc<Self> {
        let lines = |lines: &&[&[&'static str]]| lines.iter().map(|line| line.to_vec()).collect();
        let table = table.iter().map(|(name, answers)| (*name, lines(answers))).collect();
        Arc::new(Self { table, asked: Mutex::default() })
    }

    fn asked(&self, host: &str) -> usize {
        self.asked.lock().unwrap().get(host).copied().unwrap_or(0)
    }
}

impl NamePort for Names {
    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(host.to_owned()).or_default();
        let answers = self.table.get(host).map(Vec::as_slice).unwrap_or_default();
        let answer = answers.get(*times).or(answers.last());
        *times += 1;
        answer.into_iter().flatten().map(|address| address.parse().unwrap()).collect()
    }
}

/// A sink with these origins, and with secrets of which two are granted, one of them without a value.
struct Attacker {
    plugin: Plugin,
    sink: Box<dyn Sink>,
}

impl Attacker {
    fn new(origins: impl IntoIterator<Item = String>, private_addresses: bool, names: Arc<Names>) -> Self {
        let fixture = Fixture::with(SandboxOptions {
            cache_directory: Some(std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache")),
            names: Some(names),
            ..SandboxOptions::default()
        });
        let mut spec = spec("evil-sink");
        spec.limits.deadline_ms = DEADLINE_MS;
        spec.grants = Grants {
            http: origins.into_iter().collect(),
            private_addresses,
            secrets: ["TOKEN", "EMPTY", "LINES", "LONG"].map(str::to_owned).into(),
        };
        let long = "x".repeat(limits::MAX_SECRET_BYTES);
        spec.secrets = Secrets::from_iter([
            ("TOKEN", "s3cret"),
            ("OTHER", "not yours"),
            ("LINES", "a\r\nhost: elsewhere"),
            ("LONG", &long),
        ]);
        let plugin = fixture.sandbox.load(spec).unwrap();
        let sink = plugin.sink().unwrap();
        Self { plugin, sink }
    }

    /// Sends one request: what the guest is told of it.
    fn send(&mut self, request: &Request) -> String {
        match self.sink.deliver(&[alert(&request.order())], TIME).unwrap().remove(0) {
            DeliveryOutcome::Delivered(Some(answer)) => answer,
            DeliveryOutcome::Rejected(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request that must break `rule`.
    fn refused(&mut self, request: &Request, rule: &str) {
        let count = |status: &PluginStatus| status.http_refused_by_rule.get(rule).copied().unwrap_or(0);
        let before = self.plugin.status();
        let answer = self.send(request);
        let after = self.plugin.status();
        let what = format!("{request:?}: {answer}");
        assert_eq!(count(&after), count(&before) + 1, "{what}, {:?}", after.http_refused_by_rule);
        assert_eq!(after.http_refused, before.http_refused + 1, "{what}");
        assert_eq!(after.http_requests, before.http_requests, "{what}");
        for told in ["denied: ", "other: ", "too large", "timeout"] {
            if answer.starts_with(told) {
                assert!(!answer.contains("not yours") && !answer.contains("s3cret"), "{what}");
                return;
            }
        }
        panic!("{what}");
    }
}

#[derive(Clone, Debug)]
struct Request {
    method: String,
    url: String,
    body: String,
    milliseconds: u32,
    headers: Vec<(String, String)>,
}

impl Request {
    fn get(url: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            url: url.into(),
            body: String::new(),
            milliseconds: 10_000,
            headers: Vec::new(),
        }
    }

    fn method(url: &str, method: &str) -> Self {
        Self { method: method.to_owned(), ..Self::get(url) }
    }

    fn post(url: &str, body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::method(url, "POST") }
    }

    fn with(url: &str, name: &str, value: &str) -> Self {
        Self { headers: vec![(name.to_owned(), value.to_owned())], ..Self::get(url) }
    }

    fn order(&self) -> String {
        let Self { method, url, body, milliseconds, headers } = self;
        let mut order = format!("raw {method}\u{1}{url}\u{1}{body}\u{1}{milliseconds}");
        for (name, value) in headers {
            order.extend(["\u{1}", name, "\u{1}", value]);
        }
        order
    }
}

/// Everything is granted for one name: who gets past does it by the request alone.
fn trusted(trap: &Trap) -> (Attacker, String) {
    let names = Names::of(&[
        ("good.example", &[&["127.0.0.1"]]),
        ("evil.example", &[&["127.0.0.1"]]),
        ("good.example.", &[&["127.0.0.1"]]),
        ("good.example.evil.example", &[&["127.0.0.1"]]),
    ]);
    let origin = format!("http://good.example:{}", trap.port);
    (Attacker::new([origin.clone()], true, names), origin)
}
