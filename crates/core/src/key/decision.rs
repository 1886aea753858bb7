//! May this key do this now? Asked for every request that the gate lets through, so it allocates nothing.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Environment, KeyStatus, RequestKind, Scopes};
use crate::{Code, Timestamp};

/// What the state of a key is made of, as far as it decides.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// Whether it is on, off, or off for ever.
    pub switch: Switch,
    /// From when on it is no longer good, if ever.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub scopes: &'a Scopes,
    /// From where it may be used; from everywhere where there is none.
    pub allowed_networks: &'a [IpNet],
}

/// Whether a key is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// Somebody switched it off, and can switch it on.
    Off,
    /// It was revoked.
    Revoked,
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

/// What is asked of a key besides being one. The default asks nothing, and counts as one request of no known kind.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Scopes that it must all have.
    pub required_scopes: &'a [String],
    /// The environment that it must belong to.
    pub environment: Option<Environment>,
    /// Where the request came from. A key with allowed networks is refused where this is not known.
    pub source_address: Option<IpAddr>,
    /// What kind of request it came with, which says the rate limits that count it.
    pub request: RequestKind,
    /// How many requests it counts as. 0 counts nothing and is never over a limit.
    pub cost: u64,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Asked {
            required_scopes: &[],
            environment: None,
            source_address: None,
            request: RequestKind::Unknown,
            cost: 1,
        }
    }
}

impl KeyStatus {
    /// The state of a key at `now`.
    pub fn of(switch: Switch, expires_at: Option<Timestamp>, now: Timestamp) -> KeyStatus {
        match switch {
            Switch::Revoked => KeyStatus::Revoked,
            Switch::Off => KeyStatus::Disabled,
            Switch::On if expires_at.is_some_and(|end| end <= now) => KeyStatus::Expired,
            Switch::On => KeyStatus::Active,
        }
    }
}

impl Standing<'_> {
    /// Whether a key whose secret was proved may do what is asked, and otherwise the first reason why not: revoked,
    /// disabled, expired, the secret rotated out, another environment, a source that is not allowed, a missing scope.
    pub fn decide(&self, proof: Proof, asked: &Asked<'_>, now: Timestamp) -> Result<(), Code> {
        match KeyStatus::of(self.switch, self.expires_at, now) {
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
        if !asked.required_scopes.iter().all(|scope| self.scopes.has(scope)) {
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
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    /// What a standing borrows.
    struct Held {
        scopes: Scopes,
        networks: [IpNet; 1],
    }

    impl Held {
        fn new() -> Held {
            Held {
                scopes: Scopes::new(["reports:read"]),
                networks: ["192.0.2.0/24".parse().expect("a network")],
            }
        }

        /// A key that each reason to refuse applies to.
        fn worst(&self) -> Standing<'_> {
            Standing {
                environment: Environment::Test,
                switch: Switch::Revoked,
                expires_at: Some(NOW),
                scopes: &self.scopes,
                allowed_networks: &self.networks,
            }
        }

        fn good(&self) -> Standing<'_> {
            Standing { switch: Switch::On, expires_at: None, ..self.worst() }
        }

        fn open(&self) -> Standing<'_> {
            Standing { allowed_networks: &[], ..self.good() }
        }
    }

    fn from(source: &str) -> Asked<'static> {
        Asked { source_address: Some(source.parse().expect("an address")), ..Asked::default() }
    }

    #[test]
    fn the_first_reason_is_told_in_the_documented_order() {
        let scopes = ["reports:write".to_owned()];
        let mut asked =
            Asked { required_scopes: &scopes, environment: Some(Environment::Live), ..Asked::default() };
        let mut proof = Proof::Previous { expires_at: NOW };
        let held = Held::new();
        let mut key = held.worst();
        let mut told = Vec::new();
        loop {
            let answer = key.decide(proof, &asked, NOW);
            told.push(answer.err().map_or("valid", Code::as_str));
            match answer {
                Err(Code::KeyRevoked) => key.switch = Switch::Off,
                Err(Code::KeyDisabled) => key.switch = Switch::On,
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
        let held = Held::new();
        let key = Standing { expires_at: Some(NOW), ..held.good() };
        let just_before = NOW.before(Duration::from_micros(1));
        assert_eq!(key.decide(Proof::Current, &from("192.0.2.1"), just_before), Ok(()));
        assert_eq!(key.decide(Proof::Current, &from("192.0.2.1"), NOW), Err(Code::KeyExpired));
        let previous = Proof::Previous { expires_at: NOW };
        assert_eq!(Held::new().good().decide(previous, &from("192.0.2.1"), just_before), Ok(()));
        assert_eq!(Held::new().good().decide(previous, &from("192.0.2.1"), NOW), Err(Code::SecretRotatedOut));
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
            let answer = Held::new().good().decide(Proof::Current, &from(source), NOW);
            assert_eq!(answer.is_ok(), allowed, "{source}");
        }
    }

    /// The first `prefix` bits of two addresses, compared one by one.
    fn same_bits(one: &[u8], other: &[u8], prefix: usize) -> bool {
        let bit = |bytes: &[u8], place: usize| bytes[place / 8] >> (7 - place % 8) & 1;
        (0..prefix).all(|place| bit(one, place) == bit(other, place))
    }

    fn is_allowed(network: IpNet, source: IpAddr) -> bool {
        let held = Held { networks: [network], ..Held::new() };
        let asked = Asked { source_address: Some(source), ..Asked::default() };
        held.good().decide(Proof::Current, &asked, NOW).is_ok()
    }

    proptest! {
        #[test]
        fn an_ipv4_source_is_allowed_where_its_first_bits_are_the_networks(
            network: [u8; 4], prefix in 0_u8..=32, flipped in 0_u32..33, mapped: bool,
        ) {
            // An address like the network's but for one bit, so that both answers come about.
            let bits = u32::from_be_bytes(network) ^ 1_u32.checked_shl(flipped).unwrap_or(0);
            let source = std::net::Ipv4Addr::from_bits(bits);
            let net = IpNet::new(IpAddr::from(network), prefix).expect("the prefix fits").trunc();
            let seen = if mapped { IpAddr::from(source.to_ipv6_mapped()) } else { IpAddr::from(source) };
            prop_assert_eq!(is_allowed(net, seen), same_bits(&network, &source.octets(), prefix.into()));
        }

        #[test]
        fn an_ipv6_source_is_allowed_where_its_first_bits_are_the_networks(
            network: [u8; 16], prefix in 0_u8..=128, flipped in 0_u32..129,
        ) {
            let bits = u128::from_be_bytes(network) ^ 1_u128.checked_shl(flipped).unwrap_or(0);
            let source = std::net::Ipv6Addr::from_bits(bits);
            prop_assume!(source.to_ipv4_mapped().is_none());
            let net = IpNet::new(IpAddr::from(network), prefix).expect("the prefix fits").trunc();
            prop_assert_eq!(is_allowed(net, source.into()), same_bits(&network, &source.octets(), prefix.into()));
        }
    }

    #[test]
    fn a_source_that_is_not_known_is_allowed_only_where_every_source_is() {
        let asked = Asked::default();
        assert_eq!(Held::new().good().decide(Proof::Current, &asked, NOW), Err(Code::SourceNotAllowed));
        assert_eq!(Held::new().open().decide(Proof::Current, &asked, NOW), Ok(()));
    }

    #[test]
    fn all_scopes_that_are_asked_for_must_be_there_by_their_whole_names() {
        for (asked, allowed) in [
            (&["reports:read"][..], true),
            (&["reports:read", "reports:write"], false),
            (&["reports"], false),
            (&["reports:*"], false),
        ] {
            let required: Vec<String> = asked.iter().map(ToString::to_string).collect();
            let asked = Asked { required_scopes: &required, ..Asked::default() };
            assert_eq!(
                Held::new().open().decide(Proof::Current, &asked, NOW).is_ok(),
                allowed,
                "{required:?}"
            );
        }
    }
}
