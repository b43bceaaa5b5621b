//! Far sides that answer with too much, without end, or under another address the next time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Attacker, DEADLINE_MS, Names, Request, Trap, trusted};
use crate::sink::TIME;

/// The connection goes to the addresses that were checked: a name is asked once, whatever it would answer next.
#[test]
fn a_name_that_answers_differently_the_next_time() {
    let trap = Trap::answering(|mut stream| drop(stream.write_all(b"HTTP/1.1 204 Gone\r\n\r\n")));
    let names = Names::of(&[("rebound.example", &[&["127.0.0.1"], &["::1"]])]);
    let origin = format!("http://rebound.example:{}", trap.port);
    let mut attacker = Attacker::new([origin.clone()], true, Arc::clone(&names));
    assert_eq!(attacker.send(&Request::get(format!("{origin}/"))), "204 ");
    assert_eq!((names.asked("rebound.example"), trap.connections()), (1, 1));
    assert_eq!(trap.four.load(Ordering::SeqCst), 1);
}

/// Reads the request's head.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn answer(mut stream: TcpStream) {
    let head = head(&mut stream);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let line = "HTTP/1.1 200 OK\r\n";
    match path {
        "/redirect" => {
            drop(
                stream.write_all(
                    b"HTTP/1.1 302 Found\r\nlocation: http://[::1]:1/\r\ncontent-length: 0\r\n\r\n",
                ),
            );
        }
        "/drip" => {
            drop(stream.write_all(format!("{line}content-length: 100000\r\n\r\n").as_bytes()));
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        "/drip-head" => {
            drop(stream.write_all(format!("{line}x-a: ").as_bytes()));
            while stream.write_all(b"b").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        "/many-headers" => {
            drop(stream.write_all(format!("{line}{}\r\n", "x-a: b\r\n".repeat(100_000)).as_bytes()));
        }
        "/large" => drop(stream.write_all(format!("{line}\r\n{}", "x".repeat(2 << 20)).as_bytes())),
        "/bomb" => {
            drop(stream.write_all(
                format!("{line}content-encoding: gzip\r\ncontent-length: 2\r\n\r\nok").as_bytes(),
            ));
        }
        _ => drop(stream.write_all(format!("{line}content-length: 2\r\n\r\nok").as_bytes())),
    }
}

/// What a far side can do: each is one connection, counted as sent and, without a full answer, as failed.
#[test]
fn answers_that_are_too_much_or_never_end() {
    let trap = Trap::answering(answer);
    let (mut attacker, origin) = trusted(&trap);
    let mut sent = 0;
    for (path, told, failed) in [
        ("/ok", "200 ok", false),
        ("/redirect", "302 ", false),
        // Nothing is unpacked.
        ("/bomb", "200 ok", false),
        ("/drip", "timeout", true),
        ("/drip-head", "timeout", true),
        ("/many-headers", "", true),
        ("/large", "too large", true),
    ] {
        let before = attacker.plugin.status();
        let begun = Instant::now();
        let mut request = Request::get(format!("{origin}{path}"));
        if told == "timeout" {
            // It is waited for longer than a call may take by itself.
            request.milliseconds = 2 * DEADLINE_MS;
        }
        let answer = attacker.send(&request);
        let after = attacker.plugin.status();
        sent += 1;
        assert!(answer.starts_with(told), "{path}: {answer}");
        assert!(begun.elapsed() < TIME / 2, "{path}");
        assert_eq!(after.http_requests, sent, "{path}");
        assert_eq!(after.http_failed - before.http_failed, u64::from(failed), "{path}: {answer}");
    }
    assert_eq!(trap.connections() as u64, sent);
    assert_eq!(attacker.plugin.status().http_refused, 0);
}
