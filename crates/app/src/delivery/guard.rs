//! The guard: where requests may go. What a person is told when a webhook is made, a test call and every delivery are
//! judged here, by the same rules.
//!
//! A URL is judged as it is written, a name by every address that it resolves to. Only addresses that came through here
//! are connected to, so a name that pointed elsewhere when the webhook was made, or a moment ago, gains nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use keybell_core::target::{Refused, TargetPolicy};
use url::Url;

use super::resolve::Resolve;
use super::target::{Endpoint, HostName};

/// Most addresses of a name that are tried: a name with more gains nothing by them within one connect time-out.
pub const ADDRESSES_MAX: usize = 8;

/// The rules of an installation, and the resolver they are applied with. Clones share both.
#[derive(Clone)]
pub struct Guard {
    policy: Arc<TargetPolicy>,
    resolver: Arc<dyn Resolve>,
}

/// What a host leads to.
#[derive(Debug)]
pub enum Leads {
    /// To these addresses, which may be called; at most [`ADDRESSES_MAX`], in the resolver's order.
    To(Vec<SocketAddr>),
    /// Only to addresses that may not be called: this is the first of them.
    Nowhere(Refused),
    /// The name has no address.
    NoAddress,
    /// The name could not be resolved.
    Unresolved(io::Error),
}

impl Guard {
    /// A guard that allows what `policy` allows.
    pub fn new(policy: TargetPolicy, resolver: Arc<dyn Resolve>) -> Guard {
        Guard { policy: Arc::new(policy), resolver }
    }

    /// Whether a URL may be called, as far as can be said without resolving its name.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        self.policy.check_url(url)
    }

    /// Resolves an endpoint and judges each address. Waits for as long as the resolver takes.
    pub async fn leads(&self, endpoint: &Endpoint) -> Leads {
        let found = match &endpoint.host {
            HostName::Address(address) => vec![SocketAddr::new(*address, endpoint.port)],
            HostName::Name(name) => match self.resolver.resolve(name, endpoint.port).await {
                Ok(found) => found,
                Err(error) => return Leads::Unresolved(error),
            },
        };
        let mut refusal = None;
        let mut allowed = Vec::new();
        for address in found {
            match self.policy.check_address(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
            if allowed.len() == ADDRESSES_MAX {
                break;
            }
        }
        match refusal {
            _ if !allowed.is_empty() => Leads::To(allowed),
            Some(refused) => Leads::Nowhere(refused),
            None => Leads::NoAddress,
        }
    }
}
