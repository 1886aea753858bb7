//! Where a request goes: a webhook's URL, taken apart once.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::PathAndQuery;
use url::{Host, Url};

use super::exchange::{Failure, FailureCode};

/// A URL as the connector needs it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Target {
    /// What a connection is kept for.
    pub endpoint: Arc<Endpoint>,
    /// The `host` header.
    pub host: HeaderValue,
    /// The request line's path and query.
    pub path: PathAndQuery,
    /// The URL, for the rules that judge it.
    pub url: Arc<Url>,
}

/// What connections are kept for: requests to the same endpoint may share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or address.
    pub host: HostName,
    /// The port.
    pub port: u16,
}

/// A name to resolve, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostName {
    /// A name, in ASCII.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostName::Name(name) => name.fmt(f),
            HostName::Address(address) => address.fmt(f),
        }
    }
}

impl Target {
    /// Takes a URL apart. What cannot be called is a failure of the kind `target_refused`.
    pub fn of(url: &Url) -> Result<Target, Failure> {
        let refused = |sentence: &str| Failure::new(FailureCode::TargetRefused, sentence);
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(refused("The URL is neither https nor http.")),
        };
        let host = match url.host().ok_or_else(|| refused("The URL has no host."))? {
            Host::Domain(name) => HostName::Name(name.to_owned()),
            Host::Ipv4(address) => HostName::Address(address.into()),
            Host::Ipv6(address) => HostName::Address(address.into()),
        };
        let port = url.port_or_known_default().ok_or_else(|| refused("The URL has no port."))?;
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(refused("The URL has no host.")),
        };
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path.push('?');
            path.push_str(query);
        }
        Ok(Target {
            endpoint: Arc::new(Endpoint { tls, host, port }),
            host: authority.parse().map_err(|_| refused("The URL's host does not fit into a header."))?,
            path: path.parse().map_err(|_| refused("The URL's path does not fit into a request line."))?,
            url: Arc::new(url.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().expect("a URL")).expect("it can be called")
    }

    #[test]
    fn keeps_path_query_and_an_unusual_port() {
        let target = target("https://example.com:8443/a%20b/?x=1&y=%2F");
        assert_eq!(target.host, "example.com:8443");
        assert_eq!(target.path.as_str(), "/a%20b/?x=1&y=%2F");
        assert_eq!((target.endpoint.tls, target.endpoint.port), (true, 8443));
    }

    #[test]
    fn a_usual_port_is_not_in_the_host_header() {
        assert_eq!(target("http://example.com/").host, "example.com");
        assert_eq!(target("http://example.com:80").endpoint, target("http://example.com/x").endpoint);
    }

    #[test]
    fn an_address_is_not_taken_for_a_name() {
        let target = target("http://[::1]:9/");
        assert_eq!(target.host, "[::1]:9");
        assert_eq!(target.endpoint.host, HostName::Address("::1".parse().expect("an address")));
    }
}
