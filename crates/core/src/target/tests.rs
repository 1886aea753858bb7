//! Every range at its ends, every spelling, every metadata address.

use super::*;

fn policy(allowed: &[&str]) -> TargetPolicy {
    let allowed_networks = allowed.iter().map(|text| text.parse().expect("a network")).collect();
    TargetPolicy { allowed_networks, ..TargetPolicy::default() }
}

/// The word of the rule that refuses an address, or `ok`.
fn address(policy: &TargetPolicy, text: &str) -> &'static str {
    policy.check_address(text.parse().expect("an address")).map_or_else(|refused| refused.rule(), |()| "ok")
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
        "2002:808:808::1",
        "3ffe:ffff::1",
    ] {
        assert_eq!(address(&policy(&[]), public), "ok", "{public}");
    }
}

/// Every network that is not public, at its ends, and in IPv6's clothes.
const REFUSED: &[(&str, &str)] = &[
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
    ("192.0.0.0", "reserved"),
    ("192.0.0.255", "reserved"),
    ("192.0.2.0", "documentation"),
    ("192.0.2.255", "documentation"),
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
    ("::ffff:169.254.1.1", "link_local"),
    ("::ffff:198.18.0.1", "benchmarking"),
    ("::ffff:203.0.113.1", "documentation"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("::ffff:0:10.1.2.3", "reserved"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::100.64.0.1", "shared"),
    ("64:ff9b::255.255.255.255", "broadcast"),
    ("64:ff9b:1::8.8.8.8", "transition"),
    ("64:ff9b:2::1", "reserved"),
    ("100::", "reserved"),
    ("100::ffff:ffff:ffff:ffff", "reserved"),
    ("100:0:0:1::1", "reserved"),
    ("2001::1", "transition"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "transition"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "reserved"),
    ("2001:1ff:ffff::1", "reserved"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::1", "loopback"),
    ("2002:a00:1::", "private"),
    ("2002:6440:1::1", "shared"),
    ("2002:e000:1::1", "multicast"),
    ("3fff::1", "documentation"),
    ("3fff:fff:ffff::1", "documentation"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    ("5f00:ffff::1", "reserved"),
    ("fc00::1", "unique_local"),
    ("fdff::1", "unique_local"),
    ("fe80::1", "link_local"),
    ("febf::1", "link_local"),
    ("fec0::1", "reserved"),
    ("feff::1", "reserved"),
    ("ff02::1", "multicast"),
    ("1fff::1", "reserved"),
];

#[test]
fn addresses_that_are_not_public_are_refused_by_their_rule() {
    for (refused, rule) in REFUSED {
        assert_eq!(address(&policy(&[]), refused), *rule, "{refused}");
    }
}

#[test]
fn each_of_them_may_be_called_once_its_network_is_allowed() {
    for (refused, _) in REFUSED {
        let itself: IpAddr = refused.parse().expect("an address");
        let alone = IpNet::from(itself.to_canonical());
        let network = IpNet::new(alone.addr(), alone.max_prefix_len() - 4).expect("a network");
        for allowed in [alone, network.trunc()] {
            let opened = TargetPolicy { allowed_networks: vec![allowed], ..TargetPolicy::default() };
            assert_eq!(opened.check_address(itself), Ok(()), "{refused} by {allowed}");
        }
    }
}

#[test]
fn allowed_networks_open_what_they_hold_and_nothing_else() {
    let opened = policy(&["10.1.0.0/16", "127.0.0.1/32", "fd12::/16", "64:ff9b:1::/48"]);
    for allowed in [
        "10.1.0.0",
        "10.1.255.255",
        "127.0.0.1",
        "fd12::1",
        "::ffff:10.1.2.3",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::1",
        "2002:7f00:1::1",
        "64:ff9b:1::8.8.8.8",
    ] {
        assert_eq!(address(&opened, allowed), "ok", "{allowed}");
    }
    for (refused, rule) in [
        ("10.2.0.0", "private"),
        ("127.0.0.2", "loopback"),
        ("::1", "loopback"),
        ("64:ff9b::10.2.0.0", "private"),
        ("2002:a02::1", "private"),
        ("2002:7f00:2::1", "loopback"),
        ("::10.1.2.3", "transition"),
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
    for named in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::169.254.169.254"] {
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
        ("https://a..b/", "host_name"),
        ("https://example.com../", "host_name"),
        ("https://.example.com/", "host_name"),
    ] {
        assert_eq!(url(&lax, text), rule, "{text}");
    }
}

#[test]
fn a_name_has_at_most_253_bytes_and_a_label_at_most_63() {
    let labels = |last: usize| format!("{}{}", format!("{}.", "a".repeat(49)).repeat(5), "b".repeat(last));
    assert_eq!(labels(3).len(), HOST_BYTES_MAX);
    for (name, rule) in [
        (labels(3), "ok"),
        (format!("{}.", labels(3)), "ok"),
        (labels(4), "host_name"),
        ("c".repeat(HOST_LABEL_BYTES_MAX), "ok"),
        ("c".repeat(HOST_LABEL_BYTES_MAX + 1), "host_name"),
    ] {
        assert_eq!(url(&policy(&[]), &format!("https://{name}/")), rule, "{name}");
    }
}

#[test]
fn ports_of_other_services_are_called_only_where_they_are_named() {
    let usual = policy(&[]);
    for (port, rule) in [
        (0, "port"),
        (9, "ok"),
        (21, "port"),
        (22, "port"),
        (23, "port"),
        (25, "port"),
        (53, "port"),
        (80, "ok"),
        (443, "ok"),
        (587, "port"),
        (2049, "port"),
        (2375, "ok"),
        (6667, "port"),
        (8080, "ok"),
        (8443, "ok"),
        (10080, "port"),
        (65535, "ok"),
    ] {
        assert_eq!(url(&usual, &format!("http://example.com:{port}/")), rule, "{port}");
    }
    let named = TargetPolicy { allowed_ports: vec![443, 25], ..TargetPolicy::default() };
    for (text, rule) in [
        ("https://example.com/", "ok"),
        ("https://example.com:25/", "ok"),
        ("http://example.com/", "port"),
        ("https://example.com:8443/", "port"),
        ("https://8.8.8.8:8443/", "port"),
    ] {
        assert_eq!(url(&named, text), rule, "{text}");
    }
}

#[test]
fn a_url_has_at_most_2048_bytes() {
    let of =
        |bytes: usize| format!("https://example.com/{}", "a".repeat(bytes - "https://example.com/".len()));
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
        ("[2002:7f00:1::]", "loopback"),
        ("[::127.0.0.1]", "transition"),
        ("0x7f.0.0.0x1", "loopback"),
        ("0300.0250.0.1", "private"),
        ("3232235521", "private"),
        ("10.1", "private"),
        ("0x0", "unspecified"),
        ("127.0.0.1%2e", "loopback"),
        ("127.0.0.1..", "host_name"),
        ("①②⑦.⓪.⓪.①", "loopback"),
        ("8.8.8.8", "ok"),
        ("134744072", "ok"),
    ] {
        assert_eq!(url(&policy(&[]), &format!("http://{host}:8080/x")), rule, "{host}");
    }
}

#[test]
fn names_are_left_to_be_judged_by_their_addresses() {
    for name in
        ["localhost", "localhost.", "backend", "example.com.", "bücher.example", "metadata.google.internal"]
    {
        assert_eq!(url(&policy(&[]), &format!("https://{name}/")), "ok", "{name}");
    }
}

#[test]
fn what_only_looks_like_an_address_is_no_url() {
    for host in ["256.0.0.1", "1.2.3.4.5", "0x7g.1", "[::1", "[::ffff:127.0.0.256]", "4294967296"] {
        assert!(Url::parse(&format!("http://{host}/")).is_err(), "{host}");
    }
}

#[test]
fn a_name_in_another_script_is_called_by_its_punycode() {
    let parsed = Url::parse("https://bücher.example/").expect("a URL");
    assert_eq!(parsed.host_str(), Some("xn--bcher-kva.example"));
    assert_eq!(url(&policy(&[]), "https://bücher.example/"), "ok");
    assert_eq!(url(&policy(&[]), "https://BÜCHER。example/"), "ok");
}

#[test]
fn a_refusal_says_what_and_why() {
    let refused = policy(&[]).check_address("10.0.0.1".parse().expect("an address")).expect_err("private");
    assert_eq!(
        refused.to_string(),
        "the address 10.0.0.1 may not be called: it is a private address. Whoever runs this installation can allow it"
    );
}
