//! Where the server listens, where others reach it, and its way out.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use keybell_app::delivery::connect::Connector;
use keybell_app::delivery::exchange::Timings;
use keybell_app::delivery::guard::Guard;
use keybell_app::delivery::resolve::SystemResolver;
use keybell_app::delivery::roots::Root;
use keybell_app::delivery::target::Target;
use keybell_core::target::TargetPolicy;
use url::{Host, Url};

use super::Finding;
use crate::config::Config;

/// As long as a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![listen(config.server.listen), public_url(config)];
    findings.push(roots(config.delivery.require_https, &config.delivery.extra_roots));
    if let Some(url) = &config.server.public_url {
        findings.push(reach(url, &config.delivery.extra_roots).await);
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
fn roots(needed: bool, extra: &[Root]) -> Finding {
    const WHAT: &str = "way out";
    match rustls_native_certs::load_native_certs().certs.len() {
        0 if !extra.is_empty() => Finding::warning(
            WHAT,
            "the system trusts no certificate authority: https webhooks work by delivery.extra_roots only",
        ),
        0 if needed => {
            Finding::bad(WHAT, "the system trusts no certificate authority; install ca-certificates")
        }
        0 => Finding::warning(WHAT, "the system trusts no certificate authority: https webhooks will fail"),
        count => Finding::good(WHAT, format!("the system trusts {count} certificate authorities")),
    }
}

/// Connects to the public URL as deliveries do: names, routes and certificates work from here.
async fn reach(url: &Url, extra_roots: &[Root]) -> Finding {
    const WHAT: &str = "reach";
    // The operator's own address may be a private one.
    let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("it is a network"));
    let policy = TargetPolicy {
        allowed_networks: everywhere.to_vec(),
        allowed_ports: url.port_or_known_default().into_iter().collect(),
        ..TargetPolicy::default()
    };
    let connector = Connector::new(Guard::new(policy, Arc::new(SystemResolver)), extra_roots);
    let reached = match Target::of(url) {
        Ok(target) => connector.connect(&target, TIMEOUT, &mut Timings::default()).await.map(drop),
        Err(failure) => Err(failure),
    };
    match reached {
        Ok(()) => Finding::good(WHAT, format!("{url} can be connected to from here")),
        Err(failure) => Finding::warning(WHAT, format!("nobody answers at {url} yet: {}", failure.sentence)),
    }
}
