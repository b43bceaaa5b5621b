//! Hosts at addresses that are not granted, however they are written or found.

use std::sync::Arc;

use super::{Attacker, Names, Request, Trap};

/// Addresses that are not public, in every spelling; their origins are granted, private addresses are not.
const NOT_PUBLIC: [&str; 58] = [
    // Loopback, private, link-local (with the address of clouds' metadata), carriers' NAT.
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.254",
    // This network, protocol assignments, documentation, benchmarks, relays, multicast, reserved, broadcast.
    "0.0.0.0",
    "0.1.2.3",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    // IPv6: unspecified, loopback, mapped, compatible, translated, NAT64 (well-known and local), 6to4, Teredo.
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::1]",
    "[2002:a00:1::]",
    "[2002:a9fe:a9fe::]",
    "[2001::1]",
    // Unique local, link-local, site-local, multicast, documentation, discard, segment routing.
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    // Other spellings of loopback.
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "%31%32%37.0.0.1",
];

#[test]
fn addresses_that_are_not_granted() {
    let trap = Trap::set();
    let port = trap.port;
    let (some, others) = NOT_PUBLIC.split_at(NOT_PUBLIC.len() / 2);
    for hosts in [some, others] {
        let origins = hosts.iter().map(|host| format!("http://{host}:{port}"));
        let mut attacker = Attacker::new(origins, false, Names::of(&[]));
        for host in hosts {
            attacker.refused(&Request::get(format!("http://{host}:{port}/")), "address");
            attacker.refused(&Request::post(&format!("http://{host}:{port}/x"), "body"), "address");
        }
        assert_eq!(attacker.plugin.status().http_requests, 0);
        let log = attacker.plugin.log().after(0, 1_000);
        assert!(log[0].message.contains("was not sent (address)"), "{:?}", log[0]);
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn addresses_that_no_grant_reaches() {
    let trap = Trap::set();
    let port = trap.port;
    let hosts = [
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "[::ffff:0.0.0.0]",
        "[::ffff:224.0.0.1]",
    ];
    let origins = hosts.map(|host| format!("http://{host}:{port}"));
    let mut attacker = Attacker::new(origins, true, Names::of(&[]));
    for host in hosts {
        attacker.refused(&Request::get(format!("http://{host}:{port}/")), "address");
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn names_that_lead_to_addresses_that_are_not_granted() {
    let trap = Trap::set();
    let port = trap.port;
    let names = Names::of(&[
        ("localhost", &[&["127.0.0.1", "::1"]]),
        ("localhost.", &[&["127.0.0.1"]]),
        ("private.example", &[&["10.1.2.3"]]),
        ("six.example", &[&["fd00::1"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
        ("mixed.example", &[&["8.8.8.8", "127.0.0.1"]]),
        ("mixed-last.example", &[&["8.8.8.8", "2606:4700::1111", "1.1.1.1", "::1"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
        ("xn--bcher-kva.example", &[&["127.0.0.1"]]),
    ]);
    let hosts = [
        "localhost",
        "LOCALHOST",
        "LocalHost",
        "localhost.",
        "private.example",
        "six.example",
        "mapped.example",
        "mixed.example",
        "mixed-last.example",
        "metadata.example",
        "bücher.example",
        "xn--bcher-kva.example",
        "BÜCHER.example",
    ];
    let origins = hosts.map(|host| format!("http://{host}:{port}"));
    let mut attacker = Attacker::new(origins, false, Arc::clone(&names));
    for host in hosts {
        attacker.refused(&Request::get(format!("http://{host}:{port}/")), "address");
    }
    assert_eq!(names.asked("mixed.example"), 1);
    assert_eq!(trap.connections(), 0);
}
