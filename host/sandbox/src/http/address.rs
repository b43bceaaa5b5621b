//! Which addresses are public. Everything that is not plainly a unicast address of the public internet is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not public unicast (IANA special-purpose registry), as network and prefix length.
const NOT_PUBLIC_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Blocks within 2000::/3 that are not public unicast, or that carry an IPv4 address which nobody checks.
const NOT_PUBLIC_V6: [([u16; 2], u32); 4] =
    [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

/// Whether the address is a unicast address of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether a connection to the address can make sense at all, where private addresses are granted.
pub(super) fn is_reachable(address: IpAddr) -> bool {
    let unmapped = address.to_canonical();
    !(unmapped.is_unspecified() || unmapped.is_multicast() || unmapped == IpAddr::V4(Ipv4Addr::BROADCAST))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !NOT_PUBLIC_V4
        .iter()
        .any(|(network, length)| within(bits.into(), u32::from_be_bytes(*network).into(), 32 - length))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    // NAT64: a network without IPv4 reaches public IPv4 hosts in this way.
    if within(bits, 0x0064_ff9b << 96, 32) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Public unicast is 2000::/3. Loopback, unique local, link-local, multicast, IPv4-mapped and the rest lie outside.
    bits >> 125 == 1
        && !NOT_PUBLIC_V6.iter().any(|([first, second], length)| {
            within(bits, u128::from(*first) << 112 | u128::from(*second) << 96, 128 - length)
        })
}

fn within(bits: u128, network: u128, free_bits: u32) -> bool {
    bits >> free_bits == network >> free_bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range() {
        let check = |texts: &[&str], public: bool| {
            for text in texts {
                assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
            }
        };
        check(
            &[
                "127.0.0.1",
                "127.255.255.254",
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "169.254.169.254",
                "100.64.0.1",
                "100.127.255.255",
                "192.0.0.8",
                "192.0.2.1",
                "198.19.0.1",
                "198.51.100.7",
                "203.0.113.9",
                "224.0.0.1",
                "239.255.255.250",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::ffff:127.0.0.1",
                "::ffff:8.8.8.8",
                "::127.0.0.1",
                "64:ff9b::10.0.0.1",
                "64:ff9b:1::1",
                "100::1",
                "2001::1",
                "2001:db8::1",
                "2002:7f00:1::1",
                "3fff:1::1",
                "5f00::1",
                "fc00::1",
                "fd12:3456::1",
                "fe80::1",
                "fec0::1",
                "ff02::1",
            ],
            false,
        );
        check(
            &[
                "1.1.1.1",
                "8.8.8.8",
                "100.63.255.255",
                "100.128.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.1",
                "223.255.255.255",
                "2606:4700::1111",
                "2a00:1450:4001::1",
                "2001:4860:4860::8888",
                "64:ff9b::8.8.8.8",
            ],
            true,
        );
    }

    #[test]
    fn what_no_grant_reaches() {
        for text in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"] {
            assert!(!is_reachable(text.parse().unwrap()), "{text}");
        }
        for text in ["127.0.0.1", "::1", "10.0.0.1", "169.254.1.1", "8.8.8.8"] {
            assert!(is_reachable(text.parse().unwrap()), "{text}");
        }
    }
}
