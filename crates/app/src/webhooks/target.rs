//! Where a webhook may send: judged when it is made or edited, as far as can be judged then.
//!
//! The connector judges again at every connection; here a person is told at once what would never work.

use std::net::IpAddr;
use std::time::Duration;

use keybell_core::FieldError;
use keybell_core::target::{Refused, TargetPolicy, URL_BYTES_MAX};
use tokio::time::timeout;
use url::{Host, Url};

use crate::App;

/// How long a name may take to resolve while somebody waits for a form. One that takes longer is accepted: the connector
/// will see.
const RESOLVE_MAX: Duration = Duration::from_secs(3);

impl App {
    /// The URL that `text` is, where it may be called.
    ///
    /// A name that resolves only to addresses that may not be called is refused with the rule that refuses them. One that
    /// does not resolve is accepted: it may do so tomorrow.
    pub(super) async fn check_target(&self, text: &str) -> Result<Url, FieldError> {
        let policy = self.settings().delivery.target_policy();
        if text.len() > URL_BYTES_MAX {
            return Err(refused(&Refused::TooLong));
        }
        let url = Url::parse(text).map_err(|_| {
            let example = "https://example.com/webhooks";
            error("invalid", format!("must be an absolute URL such as {example}"))
        })?;
        policy.check_url(&url).map_err(|why| refused(&why))?;
        if let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default()) {
            let addresses = timeout(RESOLVE_MAX, tokio::net::lookup_host((name, port))).await;
            let addresses =
                addresses.ok().and_then(Result::ok).into_iter().flatten().map(|address| address.ip());
            check_addresses(&policy, addresses).map_err(|why| refused(&why))?;
        }
        Ok(url)
    }
}

/// Refused where there are addresses and none of them may be called, with what refuses the first.
fn check_addresses(policy: &TargetPolicy, addresses: impl Iterator<Item = IpAddr>) -> Result<(), Refused> {
    let mut first = None;
    for address in addresses {
        match policy.check_address(address) {
            Ok(()) => return Ok(()),
            Err(why) => first = first.or(Some(why)),
        }
    }
    first.map_or(Ok(()), Err)
}

fn refused(why: &Refused) -> FieldError {
    error(why.rule(), why.to_string())
}

fn error(code: &'static str, message: String) -> FieldError {
    FieldError::new("url", code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_only_where_none_of_its_addresses_may_be_called() {
        let policy = TargetPolicy::default();
        let rule = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().expect("an address"));
            check_addresses(&policy, addresses).map_or_else(|why| why.rule(), |()| "ok")
        };
        assert_eq!(rule(&["10.0.0.1", "8.8.8.8"]), "ok");
        assert_eq!(rule(&["10.0.0.1", "127.0.0.1"]), "private");
        assert_eq!(rule(&["::1"]), "loopback");
        assert_eq!(rule(&[]), "ok");
    }
}
