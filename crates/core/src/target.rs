//! Where requests may go: the guard against requests into the operator's own network.
//!
//! [`TargetPolicy::check_url`] judges a URL when a webhook is made or edited; [`TargetPolicy::check_address`] judges every
//! address at the moment of connecting to it. Names are not judged, since a name means what it resolves to. Whatever is
//! not known to be public is refused; an operator opens networks with `delivery.allowed_networks`.

mod ports;
mod special;

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use ports::speaks_something_else;
use special::{NAT64, SIX_TO_FOUR, address_inside, is_cloud_metadata, rule_of_v4, rule_of_v6};

/// Most bytes of a webhook's URL, as the URL standard writes it: what common servers and proxies still take.
pub const URL_BYTES_MAX: usize = 2_048;
/// Most bytes of a host's name without a dot at its end (RFC 1035).
pub const HOST_BYTES_MAX: usize = 253;
/// Most bytes of one label of it (RFC 1035).
pub const HOST_LABEL_BYTES_MAX: usize = 63;

/// Which targets an installation calls.
#[derive(Clone, Debug, Default)]
pub struct TargetPolicy {
    /// Refuse `http` URLs.
    pub require_https: bool,
    /// Networks that may be called though they are not public. A cloud's metadata address must be named exactly, as
    /// `/32` or `/128`.
    pub allowed_networks: Vec<IpNet>,
    /// The only ports that may be called. Empty: any but those of services that a request over HTTP could be made to
    /// speak to, such as 25 (mail): the port blocking list of the Fetch standard.
    pub allowed_ports: Vec<u16>,
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
    /// The host's name cannot be one: it has an empty label, or is too long.
    #[error(
        "the URL's host must be a name of at most {HOST_BYTES_MAX} characters, each part of at most {HOST_LABEL_BYTES_MAX} and none empty"
    )]
    HostName,
    /// The port is not one that may be called.
    #[error("port {0} may not be called. Whoever runs this installation can allow it")]
    Port(u16),
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
    /// Another address in IPv6's clothes: Teredo, local NAT64, IPv4-compatible, and the relay of 6to4.
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
            AddressRule::Transition => "an address that stands for another (Teredo, NAT64 or 6to4)",
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
            Refused::HostName => "host_name",
            Refused::Port(_) => "port",
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
            None => return Err(Refused::NoHost),
            Some(Host::Domain(name)) => check_name(name)?,
            Some(Host::Ipv4(address)) => self.check_address(address.into())?,
            Some(Host::Ipv6(address)) => self.check_address(address.into())?,
        }
        self.check_port(url.port_or_known_default().ok_or(Refused::Scheme)?)
    }

    fn check_port(&self, port: u16) -> Result<(), Refused> {
        let allowed = if self.allowed_ports.is_empty() {
            !speaks_something_else(port)
        } else {
            self.allowed_ports.contains(&port)
        };
        if allowed { Ok(()) } else { Err(Refused::Port(port)) }
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
            // A translator or a tunnel on the way leads to the IPv4 address, so that is what counts.
            IpAddr::V6(v6) if NAT64.contains(&v6) || SIX_TO_FOUR.contains(&v6) => match inside {
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

/// Whether a name can be one in DNS. One dot at its end says that it is complete.
fn check_name(name: &str) -> Result<(), Refused> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(Refused::NoHost);
    }
    let fits = |label: &str| !label.is_empty() && label.len() <= HOST_LABEL_BYTES_MAX;
    if name.len() <= HOST_BYTES_MAX && name.split('.').all(fits) { Ok(()) } else { Err(Refused::HostName) }
}

#[cfg(test)]
mod tests;
