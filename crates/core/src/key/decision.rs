//! May this key do this now? Asked for every request that the gate lets through, so it allocates nothing.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Environment, KeyStatus};
use crate::{Code, Timestamp};

/// What the state of a key is made of, as far as it decides: the part of the record that is kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// Whether somebody switched it off.
    pub enabled: bool,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// From when on it is no longer good, if ever.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub scopes: Box<[Box<str>]>,
    /// From where it may be used; from everywhere where there is none.
    pub allowed_networks: Box<[IpNet]>,
}

/// Which of a key's secrets was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The one it has.
    Current,
    /// The one it had before the last rotation, good until that instant.
    Previous {
        /// The end of the overlap.
        expires_at: Timestamp,
    },
}

/// What is asked of a key besides being one. The default asks nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Scopes that it must all have.
    pub required_scopes: &'a [String],
    /// The environment that it must belong to.
    pub environment: Option<Environment>,
    /// Where the request came from. A key with allowed networks is refused where this is not known.
    pub source_address: Option<IpAddr>,
}

impl Standing {
    /// The key's state at `now`, as its record shows it.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if !self.enabled {
            KeyStatus::Disabled
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyStatus::Expired
        } else {
            KeyStatus::Active
        }
    }

    /// Whether a key whose secret was proved may do what is asked, and otherwise the first reason why not: revoked,
    /// disabled, expired, the secret rotated out, another environment, a source that is not allowed, a missing scope.
    pub fn decide(&self, proof: Proof, asked: &Asked<'_>, now: Timestamp) -> Result<(), Code> {
        match self.status(now) {
            KeyStatus::Revoked => return Err(Code::KeyRevoked),
            KeyStatus::Disabled => return Err(Code::KeyDisabled),
            KeyStatus::Expired => return Err(Code::KeyExpired),
            KeyStatus::Active => {}
        }
        if matches!(proof, Proof::Previous { expires_at } if expires_at <= now) {
            return Err(Code::SecretRotatedOut);
        }
        if asked.environment.is_some_and(|environment| environment != self.environment) {
            return Err(Code::WrongEnvironment);
        }
        if !self.allows_source(asked.source_address) {
            return Err(Code::SourceNotAllowed);
        }
        if !asked.required_scopes.iter().all(|scope| self.has_scope(scope)) {
            return Err(Code::InsufficientScope);
        }
        Ok(())
    }

    fn allows_source(&self, source: Option<IpAddr>) -> bool {
        if self.allowed_networks.is_empty() {
            return true;
        }
        let Some(source) = source.map(|address| address.to_canonical()) else { return false };
        self.allowed_networks.iter().any(|network| network.contains(&source))
    }

    /// Whether the key has this scope, by its whole name.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| **own == *scope)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    /// A key that each reason to refuse applies to.
    fn worst() -> Standing {
        Standing {
            environment: Environment::Test,
            enabled: false,
            revoked_at: Some(NOW),
            expires_at: Some(NOW),
            scopes: Box::new(["reports:read".into()]),
            allowed_networks: Box::new(["192.0.2.0/24".parse().expect("a network")]),
        }
    }

    fn good() -> Standing {
        Standing { enabled: true, revoked_at: None, expires_at: None, ..worst() }
    }

    fn from(source: &str) -> Asked<'static> {
        Asked { source_address: Some(source.parse().expect("an address")), ..Asked::default() }
    }

    #[test]
    fn the_first_reason_is_told_in_the_documented_order() {
        let scopes = ["reports:write".to_owned()];
        let mut asked =
            Asked { required_scopes: &scopes, environment: Some(Environment::Live), source_address: None };
        let mut proof = Proof::Previous { expires_at: NOW };
        let mut key = worst();
        let mut told = Vec::new();
        loop {
            let answer = key.decide(proof, &asked, NOW);
            told.push(answer.err().map_or("valid", Code::as_str));
            match answer {
                Err(Code::KeyRevoked) => key.revoked_at = None,
                Err(Code::KeyDisabled) => key.enabled = true,
                Err(Code::KeyExpired) => key.expires_at = None,
                Err(Code::SecretRotatedOut) => proof = Proof::Current,
                Err(Code::WrongEnvironment) => asked.environment = Some(Environment::Test),
                Err(Code::SourceNotAllowed) => asked.source_address = from("192.0.2.9").source_address,
                Err(Code::InsufficientScope) => asked.required_scopes = &[],
                Err(other) => panic!("{other:?} is no reason of a key"),
                Ok(()) => break,
            }
        }
        insta::assert_snapshot!(told.join(" → "), @"key_revoked → key_disabled → key_expired → secret_rotated_out → wrong_environment → source_not_allowed → insufficient_scope → valid");
    }

    #[test]
    fn a_key_is_good_until_its_expiry_and_not_at_it() {
        let key = Standing { expires_at: Some(NOW), ..good() };
        let just_before = NOW.before(Duration::from_micros(1));
        assert_eq!(key.decide(Proof::Current, &from("192.0.2.1"), just_before), Ok(()));
        assert_eq!(key.decide(Proof::Current, &from("192.0.2.1"), NOW), Err(Code::KeyExpired));
        let previous = Proof::Previous { expires_at: NOW };
        assert_eq!(good().decide(previous, &from("192.0.2.1"), just_before), Ok(()));
        assert_eq!(good().decide(previous, &from("192.0.2.1"), NOW), Err(Code::SecretRotatedOut));
    }

    #[test]
    fn a_mapped_address_is_taken_as_the_ipv4_address_it_is() {
        for (source, allowed) in [
            ("192.0.2.255", true),
            ("::ffff:192.0.2.9", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.3.0", false),
            ("2001:db8::1", false),
        ] {
            let answer = good().decide(Proof::Current, &from(source), NOW);
            assert_eq!(answer.is_ok(), allowed, "{source}");
        }
    }

    #[test]
    fn a_source_that_is_not_known_is_allowed_only_where_every_source_is() {
        let asked = Asked::default();
        assert_eq!(good().decide(Proof::Current, &asked, NOW), Err(Code::SourceNotAllowed));
        let open = Standing { allowed_networks: Box::new([]), ..good() };
        assert_eq!(open.decide(Proof::Current, &asked, NOW), Ok(()));
    }

    #[test]
    fn all_scopes_that_are_asked_for_must_be_there_by_their_whole_names() {
        let open = Standing { allowed_networks: Box::new([]), ..good() };
        for (asked, allowed) in [
            (&["reports:read"][..], true),
            (&["reports:read", "reports:write"], false),
            (&["reports"], false),
            (&["reports:*"], false),
        ] {
            let required: Vec<String> = asked.iter().map(ToString::to_string).collect();
            let asked = Asked { required_scopes: &required, ..Asked::default() };
            assert_eq!(open.decide(Proof::Current, &asked, NOW).is_ok(), allowed, "{required:?}");
        }
    }
}
