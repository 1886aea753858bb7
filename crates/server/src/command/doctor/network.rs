//! Where the server listens, where others reach it, and its way out.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use url::{Host, Url};

use super::Finding;
use crate::config::Config;

/// As long as a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![listen(config.server.listen), public_url(config)];
    findings.push(roots(config.delivery.require_https));
    if let Some(url) = &config.server.public_url {
        findings.push(reach(url).await);
    }
    findings
}

fn listen(address: SocketAddr) -> Finding {
    const WHAT: &str = "listen";
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(WHAT, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::warning(
            WHAT,
            format!("{address} is in use, which is right if it is by a server that runs"),
        ),
        Err(error) => Finding::bad(WHAT, format!("{address} cannot be listened on: {error}")),
    }
}

fn public_url(config: &Config) -> Finding {
    const WHAT: &str = "public URL";
    let everybody = !config.server.listen.ip().is_loopback();
    match &config.server.public_url {
        None if everybody => Finding::warning(
            WHAT,
            format!(
                "{} is open to others, but server.public_url does not say where they reach it",
                config.server.listen
            ),
        ),
        None => Finding::good(WHAT, "not set: reached from this machine only"),
        Some(url) if url.scheme() == "https" => Finding::good(WHAT, url.as_str()),
        Some(url) if is_this_machine(url) => Finding::good(WHAT, format!("{url}, for this machine only")),
        Some(url) => Finding::warning(
            WHAT,
            format!("{url} is plain HTTP: whoever can listen in sees keys and sessions"),
        ),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The certificates by which endpoints are believed to be who they say they are.
fn roots(needed: bool) -> Finding {
    const WHAT: &str = "way out";
    match rustls_native_certs::load_native_certs().certs.len() {
        0 if needed => {
            Finding::bad(WHAT, "the system trusts no certificate authority; install ca-certificates")
        }
        0 => Finding::warning(WHAT, "the system trusts no certificate authority: https webhooks will fail"),
        count => Finding::good(WHAT, format!("the system trusts {count} certificate authorities")),
    }
}

/// Resolves the public URL's host and connects to it: names and routes work, and something listens there.
async fn reach(url: &Url) -> Finding {
    const WHAT: &str = "reach";
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let resolved = match tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => return Finding::bad(WHAT, format!("{host} cannot be resolved: {error}")),
        Err(_) => return Finding::bad(WHAT, format!("{host} cannot be resolved within {TIMEOUT:?}")),
    };
    match tokio::time::timeout(TIMEOUT, tokio::net::TcpStream::connect(resolved.as_slice())).await {
        Ok(Ok(stream)) => {
            let peer = stream.peer_addr().map_or_else(|_| String::new(), |peer| format!(" ({peer})"));
            Finding::good(WHAT, format!("{url} can be connected to from here{peer}"))
        }
        Ok(Err(error)) => Finding::warning(WHAT, format!("nobody answers at {url} yet: {error}")),
        Err(_) => Finding::warning(WHAT, format!("nobody answers at {url} within {TIMEOUT:?}")),
    }
}
