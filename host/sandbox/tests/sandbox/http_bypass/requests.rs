//! Requests that try to be for another origin, or another request, than the one that is granted.

use telemetry_core::limits;
use telemetry_sandbox::Grants;

use super::{Request, Trap, trusted};
use crate::fixture::{Fixture, spec};

#[test]
fn other_origins_than_the_granted_one() {
    let trap = Trap::set();
    let (mut attacker, _) = trusted(&trap);
    let port = trap.port;
    let (other, none) = (port.wrapping_add(1).max(1), "http://good.example/");
    for url in [
        none.to_owned(),
        format!("http://good.example:{other}/"),
        format!("https://good.example:{port}/"),
        format!("http://sub.good.example:{port}/"),
        format!("http://good.example.:{port}/"),
        format!("http://good.example.evil.example:{port}/"),
        format!("http://evil.example:{port}/good.example:{port}"),
        format!("http://evil.example:{port}/?http://good.example:{port}"),
        format!("http://evil.example:{port}/#@good.example:{port}"),
        format!("http://evil.example:{port}\\@good.example:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://localhost:{port}/"),
        // Letters that look alike.
        format!("http://gооd.example:{port}/"),
        format!("http://good。example。:{port}/"),
    ] {
        attacker.refused(&Request::get(url), "origin");
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn urls_that_are_none_or_that_could_be_read_in_two_ways() {
    let trap = Trap::set();
    let (mut attacker, origin) = trusted(&trap);
    let port = trap.port;
    for url in [
        String::new(),
        "nonsense".to_owned(),
        format!("//good.example:{port}/"),
        format!("http://good@127.0.0.1:{port}/"),
        format!("http://good.example:{port}@127.0.0.1:{port}/"),
        format!("http://user:pass@good.example:{port}/"),
        format!("http://@good.example@127.0.0.1:{port}/"),
        "http://good.example:99999/".to_owned(),
        format!("http://[::1%25eth0]:{port}/"),
        format!("http://good.example{port}:/\u{0}"),
        format!("ftp://good.example:{port}/"),
        format!("ws://good.example:{port}/"),
        format!("gopher://good.example:{port}/_GET"),
        "file:///etc/passwd".to_owned(),
        format!("file://good.example:{port}/etc/passwd"),
        "data:text/plain,x".to_owned(),
        "javascript:alert(1)".to_owned(),
        "unix:///var/run/docker.sock".to_owned(),
        format!("{origin}/a\r\nhost: evil.example"),
        format!("{origin}/a\nb"),
        format!("{origin}/a\tb"),
        format!("{origin}/a b"),
        format!("{origin}/\u{0}"),
        format!(" {origin}/"),
        format!("{origin}/ HTTP/1.1\r\nhost: evil.example\r\n\r\nGET /"),
        format!("ht\ntp://good.example:{port}/"),
        format!("http://good.exa\tmple:{port}/"),
    ] {
        attacker.refused(&Request::get(url), "url");
    }
    attacker.refused(&Request::get(format!("{origin}/{}", "x".repeat(limits::MAX_HTTP_URL_BYTES))), "size");
    assert_eq!(trap.connections(), 0);
}

#[test]
fn methods_headers_and_bodies() {
    let trap = Trap::set();
    let (mut attacker, origin) = trusted(&trap);
    let url = format!("{origin}/");
    for method in
        ["CONNECT", "TRACE", "OPTIONS", "get", "", "GET /x HTTP/1.1\r\nhost: evil.example\r\n\r\nGET", "A B"]
    {
        attacker.refused(&Request::method(&url, method), "method");
    }
    for name in [
        "Host",
        "HOST",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "Expect",
        "TE",
        "Trailer",
        "Proxy-Authorization",
        "Proxy-Connection",
        ":authority",
        "",
        "a b",
        "a:b",
        "a\r\nhost: evil.example\r\nb",
        "a\nb",
        "ä",
    ] {
        attacker.refused(&Request::with(&url, name, "x"), "header");
    }
    for value in ["a\r\nhost: evil.example", "a\nb", "a\rb", "a\u{0}b", "${secret:LINES}", "\u{7f}"] {
        attacker.refused(&Request::with(&url, "x", value), "header");
    }
    let headers = vec![("x".to_owned(), "y".to_owned()); limits::MAX_HTTP_HEADERS + 1];
    attacker.refused(&Request { headers, ..Request::get(&*url) }, "size");
    let headers = vec![("x".to_owned(), "y".repeat(8_000)); 10];
    attacker.refused(&Request { headers, ..Request::get(&*url) }, "size");
    attacker.refused(&Request::post(&url, &"x".repeat(limits::MAX_HTTP_REQUEST_BYTES + 1)), "size");
    for method in ["GET", "HEAD", "DELETE"] {
        attacker.refused(&Request { body: "x".to_owned(), ..Request::method(&url, method) }, "body");
    }
    attacker.refused(&Request { milliseconds: 0, ..Request::get(&*url) }, "time");
    assert_eq!(trap.connections(), 0);
}

#[test]
fn secrets_that_are_not_granted_or_out_of_place() {
    let trap = Trap::set();
    let (mut attacker, origin) = trusted(&trap);
    let url = format!("{origin}/");
    for reference in
        ["${secret:OTHER}", "${secret:EMPTY}", "${secret:PATH}", "a${secret:TOKEN}b${secret:OTHER}"]
    {
        attacker.refused(&Request::post(&url, reference), "secret");
        attacker.refused(&Request::with(&url, "authorization", reference), "secret");
    }
    for path in [
        "?token=${secret:TOKEN}",
        "${secret:TOKEN}",
        "%24%7Bsecret:TOKEN%7D",
        "$%7bsecret:TOKEN%7d",
        "#${secret:TOKEN}",
        "${SECRET:TOKEN}",
    ] {
        attacker.refused(&Request::get(format!("{url}{path}")), "secret");
    }
    attacker
        .refused(&Request::get(format!("http://${{secret:TOKEN}}.good.example:{}/", trap.port)), "secret");
    // A few kilobytes that would become a gigabyte.
    attacker.refused(&Request::post(&url, &"${secret:LONG}".repeat(16_000)), "size");
    attacker.refused(&Request::with(&url, "x", &"${secret:LONG}".repeat(5)), "size");
    assert_eq!(trap.connections(), 0);
}

#[test]
fn a_grant_is_a_whole_origin() {
    for grant in [
        "http://good.example/prefix",
        "http://good.example/?q",
        "http://u@good.example",
        "*",
        "ftp://good.example",
    ] {
        let mut spec = spec("evil-sink");
        spec.grants = Grants { http: vec![grant.to_owned()], ..Grants::default() };
        let error = Fixture::new().sandbox.load(spec).unwrap_err();
        assert!(matches!(error, telemetry_sandbox::LoadError::Grant { .. }), "{grant}: {error}");
    }
}
