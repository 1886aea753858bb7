//! How a key is presented, and from where: headers that anybody may send, with any bytes in them.
//!
//! The first byte says how many lines are `Authorization` (none to three) and how many `X-API-Key` (none to two), and who
//! is at the other end; the rest are values of `X-Forwarded-For`. A line that begins with 1 is sent as `Basic`, encoded.

#![no_main]

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use keybell_core::Code;
use keybell_core::credential::{HEADER_BYTES_MAX, presented};
use keybell_core::forwarded::client_address;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

const STORIES: &[&[u8]] = &[
    b"\x01Bearer kb_test_Ab3dEf6hIj9L_0123456789ABCDEFGHIJKLMNOPQRSTUV1og6vy\n203.0.113.9, 10.0.0.2",
    b"\x05\x01kb_test_Ab3dEf6hIj9L:kb_test_Ab3dEf6hIj9L_01234\nkb_test_Ab3dEf6hIj9L_01234\n[fd00::1]:80, ::1",
    b"\x12\x01kb_live_a:\nbEARER  secret-token:kb_live_a \nkb_live_a\n1.1.1.1\nfd00::2 , ::ffff:10.0.0.3",
];

/// What a line begins with that is sent as `Basic`.
const BASIC: u8 = 1;

/// The one at the other end: a proxy of ours, its address as IPv4 writes it in IPv6, or somebody else.
const PEERS: [(&str, bool); 4] =
    [("10.0.0.1", true), ("::ffff:10.0.0.1", true), ("198.51.100.7", false), ("2001:db8::7", false)];

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    keybell_fuzz::mutate(data, size, max_size, STORIES)
});

fuzz_target!(|input: &[u8]| {
    let [how_many, rest @ ..] = input else { return };
    let mut lines = keybell_fuzz::lines(rest);
    let mut values = |count| lines.by_ref().take(count).map(value).collect::<Vec<_>>();
    let authorization = values(usize::from(how_many % 4));
    let api_key = values(usize::from(how_many / 4 % 3));
    let forwarded_for: Vec<&[u8]> = lines.collect();
    credentials(&authorization, &api_key);
    addresses(&forwarded_for, PEERS[usize::from(how_many / 12) % PEERS.len()]);
});

fn value(line: &[u8]) -> Vec<u8> {
    match line {
        [BASIC, pair @ ..] => format!("Basic {}", STANDARD.encode(pair)).into_bytes(),
        _ => line.to_vec(),
    }
}

/// All headers together present what each of them presents alone.
fn credentials(authorization: &[Vec<u8>], api_key: &[Vec<u8>]) {
    let together = text_of(authorization, api_key);
    let by_authorization = authorization.iter().map(|value| text_of(std::slice::from_ref(value), &[]));
    let by_api_key = api_key.iter().map(|value| text_of(&[], std::slice::from_ref(value)));
    let alone: Vec<_> = by_authorization.chain(by_api_key).collect();
    let values = authorization.iter().chain(api_key);
    for (value, presented) in values.zip(&alone) {
        if let Ok(presented) = presented {
            let text = presented.as_ref().expect("a header that can be read presents something");
            is_what_was_sent(value, text);
        }
    }
    let first = alone.first().cloned().unwrap_or(Ok(None));
    let expected = if alone.iter().all(|each| *each == first) {
        first
    } else if alone.iter().all(Result::is_ok) {
        Err(Code::ConflictingCredentials)
    } else {
        assert!(together.is_err(), "a header that cannot be read is as if it were not there");
        return;
    };
    assert_eq!(together, expected);
}

fn text_of(authorization: &[Vec<u8>], api_key: &[Vec<u8>]) -> Result<Option<String>, Code> {
    let authorization = authorization.iter().map(Vec::as_slice);
    let found = presented(authorization, api_key.iter().map(Vec::as_slice))?;
    Ok(found.map(|found| found.as_str().to_owned()))
}

/// `text` stands in the header that presents it, and is one token if it stands there in the open.
fn is_what_was_sent(value: &[u8], text: &str) {
    assert!(!text.is_empty() && text.len() <= HEADER_BYTES_MAX, "{text:?}");
    let value = std::str::from_utf8(value).expect("what is not UTF-8 cannot be read");
    let value = value.trim_matches([' ', '\t']);
    let scheme_and_rest = value.split_once(' ');
    if let Some((_, encoded)) = scheme_and_rest.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")) {
        let pair = STANDARD.decode(padded(encoded.trim())).expect("what presents a key is base64");
        let pair = String::from_utf8(pair).expect("what presents a key is UTF-8");
        let (user, password) = pair.split_once(':').expect("what presents a key is a pair");
        if password.is_empty() {
            assert_eq!(text, user);
        } else {
            assert!(password.ends_with(text), "{text:?} of {pair:?}");
            assert!(text.starts_with(&format!("{user}_")), "{text:?} does not belong to {user:?}");
        }
    } else {
        assert!(value.ends_with(text), "{text:?} of {value:?}");
        assert!(!text.contains([' ', '\t', ',']), "{text:?} is no one token");
    }
}

/// Some clients leave the padding out.
fn padded(encoded: &str) -> String {
    let bare = encoded.trim_end_matches('=');
    format!("{bare}{}", &"==="[..bare.len().wrapping_neg() % 4])
}

/// Who is not one of ours is believed nothing, and of the others only what our proxies wrote.
fn addresses(forwarded_for: &[&[u8]], (peer, is_ours): (&str, bool)) {
    let peer: IpAddr = peer.parse().expect("it is an address");
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse::<IpNet>().expect("a network"));
    let client = |values: &[&[u8]]| client_address(peer, values.iter().copied(), &trusted);
    let told = client(forwarded_for);
    assert_eq!(told, told.to_canonical());
    if !is_ours {
        assert_eq!(told, peer, "a stranger is believed");
    }
    if !trusted.iter().any(|network| network.contains(&told)) {
        let mut forged: Vec<&[u8]> = vec![b"203.0.113.200, 10.9.9.9"];
        forged.extend(forwarded_for);
        assert_eq!(client(&forged), told, "what a client wrote before is believed");
    }
    assert_eq!(client_address(peer, forwarded_for.iter().copied(), &[]), peer.to_canonical());
}
