//! The client's address behind proxies: `X-Forwarded-For`, believed only as far as it was written by proxies we trust.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Most hops that are read. A chain longer than this was not made by anybody's proxies.
const HOPS_MAX: usize = 32;

/// The address of the client: `peer`, or, where the peer is a trusted proxy, the first address from the right in
/// `forwarded_for` (the header's values, in order) that is not one.
///
/// What stands left of that address was written by the client and is not believed. Where an entry cannot be read, or all
/// of them are trusted proxies, the last trusted hop is the answer. An IPv4-mapped address is given as IPv4.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    let hops = forwarded_for.rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    for hop in hops.take(HOPS_MAX) {
        if !is_trusted(client) {
            return client;
        }
        let Some(address) = read_hop(hop) else { return client };
        client = address;
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn read_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address =
        bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let headers = headers.iter().map(|value| value.as_bytes());
        client_address(peer.parse().expect("an address"), headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
    }

    #[test]
    fn the_first_stranger_from_the_right_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("fd00::1", &["2001:db8::5"]), "2001:db8::5");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_read() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["[2001:db8::5]:4711"]), "2001:db8::5");
        assert_eq!(client("10.0.0.1", &["[2001:db8::5]"]), "2001:db8::5");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_ends_the_chain_at_the_last_hop_we_know() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn a_chain_is_read_for_so_many_hops_and_no_further() {
        let chain = |hops: usize| format!("203.0.113.9{}", ", 10.0.0.2".repeat(hops));
        assert_eq!(client("10.0.0.1", &[&chain(HOPS_MAX - 1)]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[&chain(HOPS_MAX)]), "10.0.0.2");
    }
}
