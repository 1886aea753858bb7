//! Which addresses are not public: the IANA registries of special-purpose addresses, and where clouds keep credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::AddressRule;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// The well-known prefix of NAT64 (RFC 6052).
pub(super) const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 0, 96);

/// 6to4 (RFC 3056).
pub(super) const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 0, 16);

/// IPv4 that is not public: the IANA registry of special-purpose addresses. The first that fits counts.
const REFUSED_V4: [(Ipv4Net, AddressRule); 16] = [
    (v4(0, 0, 0, 0, 8), AddressRule::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressRule::Private),
    (v4(100, 64, 0, 0, 10), AddressRule::Shared),
    (v4(127, 0, 0, 0, 8), AddressRule::Loopback),
    (v4(169, 254, 0, 0, 16), AddressRule::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressRule::Private),
    (v4(192, 0, 0, 0, 24), AddressRule::Reserved),
    (v4(192, 0, 2, 0, 24), AddressRule::Documentation),
    (v4(192, 88, 99, 0, 24), AddressRule::Transition),
    (v4(192, 168, 0, 0, 16), AddressRule::Private),
    (v4(198, 18, 0, 0, 15), AddressRule::Benchmarking),
    (v4(198, 51, 100, 0, 24), AddressRule::Documentation),
    (v4(203, 0, 113, 0, 24), AddressRule::Documentation),
    (v4(224, 0, 0, 0, 4), AddressRule::Multicast),
    (v4(255, 255, 255, 255, 32), AddressRule::Broadcast),
    (v4(240, 0, 0, 0, 4), AddressRule::Reserved),
];

/// IPv6 that has a name of its own in a refusal. What is outside `2000::/3` is refused in any case.
const REFUSED_V6: [(Ipv6Net, AddressRule); 12] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), AddressRule::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), AddressRule::Loopback),
    (v6(0, 0, 0, 0, 96), AddressRule::Transition),
    (v6(0x64, 0xff9b, 1, 0, 48), AddressRule::Transition),
    (v6(0x2001, 0, 0, 0, 32), AddressRule::Transition),
    (v6(0x2001, 2, 0, 0, 48), AddressRule::Benchmarking),
    (v6(0x2001, 0, 0, 0, 23), AddressRule::Reserved),
    (v6(0x2001, 0xdb8, 0, 0, 32), AddressRule::Documentation),
    (v6(0x3fff, 0, 0, 0, 20), AddressRule::Documentation),
    (v6(0xfc00, 0, 0, 0, 7), AddressRule::UniqueLocal),
    (v6(0xfe80, 0, 0, 0, 10), AddressRule::LinkLocal),
    (v6(0xff00, 0, 0, 0, 8), AddressRule::Multicast),
];

/// All of IPv6 that is given out for public use.
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 0, 3);

/// What an IPv4 address is, where it is not public.
pub(super) fn rule_of_v4(address: Ipv4Addr) -> Option<AddressRule> {
    REFUSED_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, rule)| *rule)
}

/// What an IPv6 address is, where it is not public.
pub(super) fn rule_of_v6(address: Ipv6Addr) -> Option<AddressRule> {
    let named = REFUSED_V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, rule)| *rule);
    named.or_else(|| (!GLOBAL_UNICAST_V6.contains(&address)).then_some(AddressRule::Reserved))
}

/// The IPv4 address that an IPv6 address stands for, by any of the ways there are. A local NAT64's and a Teredo client's
/// are found too, so that a metadata address is recognised even where their network is allowed.
pub(super) fn address_inside(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let octets = v6.octets();
    let at =
        |start: usize| Ipv4Addr::new(octets[start], octets[start + 1], octets[start + 2], octets[start + 3]);
    match v6.segments() {
        // 6to4, RFC 3056.
        [0x2002, ..] => Some(at(2)),
        // Teredo, RFC 4380: the client's address, its bits turned round.
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!at(12).to_bits())),
        // NAT64 of both kinds, IPv4-compatible, and IPv4-translated (RFC 2765).
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0 | 0xffff, 0, ..] => Some(at(12)),
        _ => None,
    }
}

/// Where clouds tell a machine its credentials and its network. Some are within networks that operators allow for other
/// reasons, and one is public.
pub(super) fn is_cloud_metadata(address: IpAddr) -> bool {
    const V4: [Ipv4Addr; 9] = [
        // Amazon, Google, Azure, DigitalOcean, Oracle, Hetzner and most others.
        Ipv4Addr::new(169, 254, 169, 254),
        // Amazon's containers and pods, and its resolver.
        Ipv4Addr::new(169, 254, 170, 2),
        Ipv4Addr::new(169, 254, 170, 23),
        Ipv4Addr::new(169, 254, 169, 253),
        // Tencent.
        Ipv4Addr::new(169, 254, 0, 23),
        // Alibaba.
        Ipv4Addr::new(100, 100, 100, 200),
        // Oracle's older one.
        Ipv4Addr::new(192, 0, 0, 192),
        // Scaleway.
        Ipv4Addr::new(169, 254, 42, 42),
        // Azure's wire server, which is a public address.
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    const V6: [Ipv6Addr; 6] = [
        // Amazon, and its pods.
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
        // Google.
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        // OpenStack.
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
        // Oracle.
        Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
        // Scaleway.
        Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    ];
    match address {
        IpAddr::V4(v4) => V4.contains(&v4),
        IpAddr::V6(v6) => V6.contains(&v6),
    }
}
