//! Where requests may go: the guard against requests into the operator's own network.
//!
//! [`TargetPolicy::check_url`] judges a URL when a webhook is made or edited; [`TargetPolicy::check_address`] judges every
//! address at the moment of connecting to it. Names are not judged, since a name means what it resolves to. Whatever is
//! not known to be public is refused; an operator opens networks with `delivery.allowed_networks`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Most bytes of a webhook's URL, as the URL standard writes it: what common servers and proxies still take.
pub const URL_BYTES_MAX: usize = 2_048;

/// Which targets an installation calls.
#[derive(Clone, Debug, Default)]
pub struct TargetPolicy {
    /// Refuse `http` URLs.
    pub require_https: bool,
    /// Networks that may be called though they are not public. A cloud's metadata address must be named exactly, as
    /// `/32` or `/128`.
    pub allowed_networks: Vec<IpNet>,
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The scheme is not `https`, and `http` is not allowed either.
    #[error("the URL must begin with https://")]
    HttpsRequired,
    /// The scheme is neither `https` nor `http`.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// The URL names a user or a password.
    #[error("the URL must not have a user name or password; send credentials in a custom header")]
    UserInformation,
    /// The URL has a fragment, which is never sent.
    #[error("the URL must not have a fragment (#…), since it is never sent")]
    Fragment,
    /// The URL is longer than [`URL_BYTES_MAX`].
    #[error("the URL must have at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// The URL names no host.
    #[error("the URL must name a host")]
    NoHost,
    /// The address is not one that may be called.
    #[error("the address {address} may not be called: it is {}. Whoever runs this installation can allow it", rule.phrase())]
    Address {
        /// The address.
        address: IpAddr,
        /// What refuses it.
        rule: AddressRule,
    },
}

/// What an address is, where it is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressRule {
    /// Where a cloud tells a machine its credentials.
    CloudMetadata,
    /// This host.
    Loopback,
    /// A network of the operator's own.
    Private,
    /// One link.
    LinkLocal,
    /// A network of the operator's own, in IPv6.
    UniqueLocal,
    /// A carrier's own network (RFC 6598).
    Shared,
    /// `0.0.0.0/8` and `::`.
    Unspecified,
    /// A group of hosts.
    Multicast,
    /// Every host of the link.
    Broadcast,
    /// For examples in documents.
    Documentation,
    /// For measuring networks.
    Benchmarking,
    /// Another address in IPv6's clothes: 6to4, Teredo, local NAT64, IPv4-compatible.
    Transition,
    /// Not given out for public use.
    Reserved,
}

impl AddressRule {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            AddressRule::CloudMetadata => "cloud_metadata",
            AddressRule::Loopback => "loopback",
            AddressRule::Private => "private",
            AddressRule::LinkLocal => "link_local",
            AddressRule::UniqueLocal => "unique_local",
            AddressRule::Shared => "shared",
            AddressRule::Unspecified => "unspecified",
            AddressRule::Multicast => "multicast",
            AddressRule::Broadcast => "broadcast",
            AddressRule::Documentation => "documentation",
            AddressRule::Benchmarking => "benchmarking",
            AddressRule::Transition => "transition",
            AddressRule::Reserved => "reserved",
        }
    }

    const fn phrase(self) -> &'static str {
        match self {
            AddressRule::CloudMetadata => "a cloud's metadata address",
            AddressRule::Loopback => "a loopback address",
            AddressRule::Private => "a private address",
            AddressRule::LinkLocal => "a link-local address",
            AddressRule::UniqueLocal => "a unique local address",
            AddressRule::Shared => "in a carrier's shared network",
            AddressRule::Unspecified => "an unspecified address",
            AddressRule::Multicast => "a multicast address",
            AddressRule::Broadcast => "the broadcast address",
            AddressRule::Documentation => "an address for documentation",
            AddressRule::Benchmarking => "an address for benchmarks",
            AddressRule::Transition => "an address that stands for another (6to4, Teredo or NAT64)",
            AddressRule::Reserved => "a reserved address",
        }
    }
}

impl Refused {
    /// A stable word for the rule that refused: in field errors and in attempts.
    pub const fn rule(&self) -> &'static str {
        match self {
            Refused::HttpsRequired => "https_required",
            Refused::Scheme => "scheme",
            Refused::UserInformation => "user_information",
            Refused::Fragment => "fragment",
            Refused::TooLong => "too_long",
            Refused::NoHost => "no_host",
            Refused::Address { rule, .. } => rule.as_str(),
        }
    }
}

impl TargetPolicy {
    /// Whether a webhook may have this URL. An address in it is judged too, however it was spelled; a name is not.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if !self.require_https => {}
            _ if self.require_https => return Err(Refused::HttpsRequired),
            _ => return Err(Refused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInformation);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        match url.host() {
            None => Err(Refused::NoHost),
            Some(Host::Domain(name)) if name.trim_matches('.').is_empty() => Err(Refused::NoHost),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
        }
    }

    /// Whether a connection to this address may be made.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        // An IPv4-mapped address is the IPv4 address: the operating system connects there.
        let judged = address.to_canonical();
        let inside = address_inside(judged);
        let refused = |rule| Err(Refused::Address { address, rule });

        let is_metadata =
            is_cloud_metadata(judged) || inside.is_some_and(|inside| is_cloud_metadata(inside.into()));
        if is_metadata {
            let named = self.allowed_networks.iter().any(|network| *network == IpNet::from(judged));
            return if named { Ok(()) } else { refused(AddressRule::CloudMetadata) };
        }
        if self.allowed_networks.iter().any(|network| network.contains(&judged)) {
            return Ok(());
        }
        let rule = match judged {
            IpAddr::V4(v4) => rule_of_v4(v4),
            // A translator on the way turns it into the IPv4 address, so that is what counts.
            IpAddr::V6(v6) if NAT64.contains(&v6) => match inside {
                Some(v4) => return self.check_address(v4.into()).map_err(|refused| refused.seen_as(address)),
                None => Some(AddressRule::Transition),
            },
            IpAddr::V6(v6) => rule_of_v6(v6),
        };
        rule.map_or(Ok(()), refused)
    }
}

impl Refused {
    /// The same, said of the address that was asked about.
    fn seen_as(self, address: IpAddr) -> Refused {
        match self {
            Refused::Address { rule, .. } => Refused::Address { address, rule },
            other => other,
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// The well-known prefix of NAT64 (RFC 6052).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 0, 96);

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
const REFUSED_V6: [(Ipv6Net, AddressRule); 13] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), AddressRule::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), AddressRule::Loopback),
    (v6(0, 0, 0, 0, 96), AddressRule::Transition),
    (v6(0x64, 0xff9b, 1, 0, 48), AddressRule::Transition),
    (v6(0x2001, 0, 0, 0, 32), AddressRule::Transition),
    (v6(0x2001, 2, 0, 0, 48), AddressRule::Benchmarking),
    (v6(0x2001, 0, 0, 0, 23), AddressRule::Reserved),
    (v6(0x2001, 0xdb8, 0, 0, 32), AddressRule::Documentation),
    (v6(0x2002, 0, 0, 0, 16), AddressRule::Transition),
    (v6(0x3fff, 0, 0, 0, 20), AddressRule::Documentation),
    (v6(0xfc00, 0, 0, 0, 7), AddressRule::UniqueLocal),
    (v6(0xfe80, 0, 0, 0, 10), AddressRule::LinkLocal),
    (v6(0xff00, 0, 0, 0, 8), AddressRule::Multicast),
];

/// All of IPv6 that is given out for public use.
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 0, 3);

fn rule_of_v4(address: Ipv4Addr) -> Option<AddressRule> {
    REFUSED_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, rule)| *rule)
}

fn rule_of_v6(address: Ipv6Addr) -> Option<AddressRule> {
    let named = REFUSED_V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, rule)| *rule);
    named.or_else(|| (!GLOBAL_UNICAST_V6.contains(&address)).then_some(AddressRule::Reserved))
}

/// The IPv4 address that an IPv6 address stands for, by any of the ways there are. A local NAT64's and a Teredo client's
/// are found too, so that a metadata address is recognised even where their network is allowed.
fn address_inside(address: IpAddr) -> Option<Ipv4Addr> {
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
fn is_cloud_metadata(address: IpAddr) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed: &[&str]) -> TargetPolicy {
        let allowed_networks = allowed.iter().map(|text| text.parse().expect("a network")).collect();
        TargetPolicy { require_https: false, allowed_networks }
    }

    /// The word of the rule that refuses an address, or `ok`.
    fn address(policy: &TargetPolicy, text: &str) -> &'static str {
        policy
            .check_address(text.parse().expect("an address"))
            .map_or_else(|refused| refused.rule(), |()| "ok")
    }

    fn url(policy: &TargetPolicy, text: &str) -> &'static str {
        policy.check_url(&Url::parse(text).expect("a URL")).map_or_else(|refused| refused.rule(), |()| "ok")
    }

    #[test]
    fn public_addresses_may_be_called() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(address(&policy(&[]), public), "ok", "{public}");
        }
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_by_their_rule() {
        for (refused, rule) in [
            ("0.0.0.0", "unspecified"),
            ("0.255.255.255", "unspecified"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.0", "shared"),
            ("100.127.255.255", "shared"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("169.254.0.0", "link_local"),
            ("169.254.255.255", "link_local"),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.1", "reserved"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "transition"),
            ("192.168.0.0", "private"),
            ("192.168.255.255", "private"),
            ("198.18.0.0", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.254", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "transition"),
            ("::127.0.0.1", "transition"),
            ("::8.8.8.8", "transition"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("::ffff:0:10.1.2.3", "reserved"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::8.8.8.8", "transition"),
            ("64:ff9b:2::1", "reserved"),
            ("100::1", "reserved"),
            ("2001::1", "transition"),
            ("2001:2::1", "benchmarking"),
            ("2001:10::1", "reserved"),
            ("2001:1ff:ffff::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::1", "transition"),
            ("2002:808:808::1", "transition"),
            ("3fff::1", "documentation"),
            ("3fff:fff::1", "documentation"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
            ("fc00::1", "unique_local"),
            ("fdff::1", "unique_local"),
            ("fe80::1", "link_local"),
            ("febf::1", "link_local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("1fff::1", "reserved"),
        ] {
            assert_eq!(address(&policy(&[]), refused), rule, "{refused}");
        }
    }

    #[test]
    fn allowed_networks_open_what_they_hold_and_nothing_else() {
        let opened = policy(&["10.1.0.0/16", "127.0.0.1/32", "fd12::/16", "2002::/16"]);
        for allowed in [
            "10.1.0.0",
            "10.1.255.255",
            "127.0.0.1",
            "fd12::1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "2002:808:808::1",
        ] {
            assert_eq!(address(&opened, allowed), "ok", "{allowed}");
        }
        for (refused, rule) in [
            ("10.2.0.0", "private"),
            ("127.0.0.2", "loopback"),
            ("::1", "loopback"),
            ("64:ff9b::10.2.0.0", "private"),
        ] {
            assert_eq!(address(&opened, refused), rule, "{refused}");
        }
    }

    #[test]
    fn a_metadata_address_is_opened_only_by_its_exact_name() {
        let metadata = [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.169.253",
            "169.254.0.23",
            "169.254.42.42",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
        ];
        for wide in [
            &[][..],
            &["0.0.0.0/0", "::/0"],
            &["169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "169.254.169.252/30"],
        ] {
            for address_text in metadata {
                assert_eq!(
                    address(&policy(wide), address_text),
                    "cloud_metadata",
                    "{address_text} with {wide:?}"
                );
            }
        }
        let exact = policy(&["169.254.169.254/32", "fd00:ec2::254/128"]);
        for named in
            ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::169.254.169.254"]
        {
            let expected = if named.starts_with("64") { "cloud_metadata" } else { "ok" };
            assert_eq!(address(&exact, named), expected, "{named}");
        }
        assert_eq!(address(&exact, "100.100.100.200"), "cloud_metadata");
    }

    #[test]
    fn a_url_is_absolute_https_without_user_or_fragment() {
        let strict = TargetPolicy { require_https: true, ..TargetPolicy::default() };
        assert_eq!(url(&strict, "https://example.com/a?b=c"), "ok");
        assert_eq!(url(&strict, "http://example.com/"), "https_required");
        assert_eq!(url(&strict, "ftp://example.com/"), "https_required");
        let lax = policy(&[]);
        assert_eq!(url(&lax, "http://example.com:8080/"), "ok");
        for (text, rule) in [
            ("ftp://example.com/", "scheme"),
            ("file:///etc/passwd", "scheme"),
            ("data:text/plain,x", "scheme"),
            ("https://user@example.com/", "user_information"),
            ("https://:password@example.com/", "user_information"),
            ("https://example.com/#a", "fragment"),
            ("https://example.com/#", "fragment"),
            ("https://./", "no_host"),
        ] {
            assert_eq!(url(&lax, text), rule, "{text}");
        }
    }

    #[test]
    fn a_url_has_at_most_2048_bytes() {
        let of = |bytes: usize| {
            format!("https://example.com/{}", "a".repeat(bytes - "https://example.com/".len()))
        };
        assert_eq!(url(&policy(&[]), &of(URL_BYTES_MAX)), "ok");
        assert_eq!(url(&policy(&[]), &of(URL_BYTES_MAX + 1)), "too_long");
    }

    #[test]
    fn an_address_in_a_url_is_judged_however_it_is_spelled() {
        for (host, rule) in [
            ("127.0.0.1", "loopback"),
            ("127.1", "loopback"),
            ("2130706433", "loopback"),
            ("0x7f000001", "loopback"),
            ("0x7f.1", "loopback"),
            ("0177.0.0.1", "loopback"),
            ("127.0.0.1.", "loopback"),
            ("0", "unspecified"),
            ("%31%32%37.0.0.1", "loopback"),
            ("１２７.0.0.1", "loopback"),
            ("127。0。0。1", "loopback"),
            ("[::1]", "loopback"),
            ("[::ffff:7f00:1]", "loopback"),
            ("[::ffff:127.0.0.1]", "loopback"),
            ("[0:0:0:0:0:ffff:a00:1]", "private"),
            ("[64:ff9b::7f00:1]", "loopback"),
            ("169.254.169.254", "cloud_metadata"),
            ("0xa9fea9fe", "cloud_metadata"),
            ("2852039166", "cloud_metadata"),
            ("[fd00:ec2::254]", "cloud_metadata"),
            ("8.8.8.8", "ok"),
        ] {
            assert_eq!(url(&policy(&[]), &format!("http://{host}:8080/x")), rule, "{host}");
        }
    }

    #[test]
    fn names_are_left_to_be_judged_by_their_addresses() {
        for name in [
            "localhost",
            "localhost.",
            "backend",
            "example.com.",
            "bücher.example",
            "metadata.google.internal",
        ] {
            assert_eq!(url(&policy(&[]), &format!("https://{name}/")), "ok", "{name}");
        }
    }

    #[test]
    fn a_refusal_says_what_and_why() {
        let refused =
            policy(&[]).check_address("10.0.0.1".parse().expect("an address")).expect_err("private");
        assert_eq!(
            refused.to_string(),
            "the address 10.0.0.1 may not be called: it is a private address. Whoever runs this installation can allow it"
        );
    }
}
