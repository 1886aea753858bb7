//! Ids: typed, prefixed, ordered by time.
//!
//! An id is a `UUIDv7` (RFC 9562, section 5.7): 16 bytes in the database, and outside a prefix and 26 characters of
//! Crockford's base32 in lower case, such as `whk_06dhtsbh1nxwk8n6s4c3v9r7e0`. Both orders are the order of creation.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{Randomness, Timestamp};

/// What an id names: its prefix, and a type that keeps one kind from being taken for another.
pub trait Kind: 'static {
    /// What stands before the first `_` outside.
    const PREFIX: &'static str;
}

/// The kinds of ids.
pub mod kind {
    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
            $(#[$doc])*
            pub enum $name {}
            impl super::Kind for $name {
                const PREFIX: &'static str = $prefix;
            }
        )*};
    }
    kinds! {
        /// A person who can sign in.
        Account = "acc";
        /// An audit entry.
        Audit = "aud";
        /// A delivery: one event to one webhook.
        Delivery = "dlv";
        /// An event, as the database knows it; its outer id may be the publisher's.
        Event = "evt";
        /// A person's place in one workspace.
        Member = "mem";
        /// A request to make many deliveries again.
        Resend = "rsd";
        /// A webhook.
        Webhook = "whk";
        /// A workspace.
        Workspace = "ws";
    }
}

/// The id of an account.
pub type AccountId = Id<kind::Account>;
/// The id of an audit entry.
pub type AuditId = Id<kind::Audit>;
/// The id of a delivery.
pub type DeliveryId = Id<kind::Delivery>;
/// The key of an event in the database. What the outside sees is an `EventId`, which may be the publisher's own.
pub type EventKey = Id<kind::Event>;
/// The id of a member.
pub type MemberId = Id<kind::Member>;
/// The id of a request to make many deliveries again. The outside never sees it.
pub type ResendId = Id<kind::Resend>;
/// The id of a webhook.
pub type WebhookId = Id<kind::Webhook>;
/// The id of a workspace.
pub type WorkspaceId = Id<kind::Workspace>;

/// An id of the kind `K`.
pub struct Id<K> {
    bytes: [u8; 16],
    kind: PhantomData<fn() -> K>,
}

/// Crockford's base32, in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in digits of 5 bits.
const DIGITS: usize = 26;

impl<K: Kind> Id<K> {
    /// A new id made at `now`: 48 bits of milliseconds, then 74 random bits.
    pub fn new(now: Timestamp, randomness: &dyn Randomness) -> Self {
        let mut bytes = randomness.bytes::<16>();
        let millis = u64::try_from(now.millis()).unwrap_or(0).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self::from_bytes(bytes)
    }

    /// What is not higher than any id of the millisecond of `at`, and higher than all before: the lower end of a range.
    pub fn first_of(at: Timestamp) -> Self {
        let mut bytes = [0; 16];
        let millis = u64::try_from(at.millis()).unwrap_or(0).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        Self::from_bytes(bytes)
    }

    /// The id that the database stored.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Id { bytes, kind: PhantomData }
    }

    /// What the database stores.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// The millisecond in which the id was made, as an instant.
    pub fn made_at(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.bytes[..6]);
        Timestamp::from_micros(i64::from_be_bytes(millis) * 1_000)
    }

    /// Parses the outer form: the prefix, `_` and 26 characters of base32 in lower case. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?.as_bytes();
        if digits.len() != DIGITS {
            return None;
        }
        let mut number: u128 = 0;
        for digit in digits {
            let value = ALPHABET.iter().position(|known| known == digit)?;
            if number >> 123 != 0 {
                return None;
            }
            number = number << 5 | value as u128;
        }
        Some(Self::from_bytes(number.to_be_bytes()))
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.bytes);
        let mut text = [0; DIGITS];
        for (place, digit) in text.iter_mut().rev().enumerate() {
            *digit = ALPHABET[(number >> (5 * place) & 31) as usize];
        }
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// By hand, since deriving would ask the same of `K`.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "expected an id such as {}_06dhtsbh1nxwk8n6s4c3v9r7e0",
                K::PREFIX
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn prints_parses_and_orders_by_time() {
        let at = Timestamp::from_seconds(1_795_447_916);
        let first = WebhookId::new(at, &Fixed(0xff));
        let second = WebhookId::new(at + std::time::Duration::from_millis(1), &Fixed(0));
        assert!(first < second && first.to_string() < second.to_string());
        assert_eq!(WebhookId::parse(&first.to_string()), Some(first));
        assert_eq!(first.made_at(), at);
        assert_eq!(first.to_string().len(), 4 + 26);
    }

    #[test]
    fn a_range_by_time_holds_every_id_of_its_millisecond() {
        let at = Timestamp::from_seconds(1_795_447_916);
        let next = at + std::time::Duration::from_millis(1);
        for fill in [0, 0xff] {
            let id = WebhookId::new(at, &Fixed(fill));
            assert!(WebhookId::first_of(at) <= id && id < WebhookId::first_of(next), "{fill}");
        }
    }

    #[test]
    fn bears_version_7_and_the_variant_of_rfc_9562() {
        let id = WebhookId::new(Timestamp::EPOCH, &Fixed(0xff));
        assert_eq!((id.as_bytes()[6] >> 4, id.as_bytes()[8] >> 6), (7, 2));
    }

    #[test]
    fn refuses_another_kind_and_every_other_spelling() {
        let id = WebhookId::new(Timestamp::EPOCH, &Fixed(1)).to_string();
        assert_eq!(DeliveryId::parse(&id), None);
        assert_eq!(WebhookId::parse(&id.to_uppercase()), None);
        assert_eq!(WebhookId::parse(&id[..id.len() - 1]), None);
        assert_eq!(WebhookId::parse(&format!("{id}0")), None);
        assert_eq!(WebhookId::parse("whk_zzzzzzzzzzzzzzzzzzzzzzzzzz"), None, "more than 128 bits");
        assert_eq!(
            WebhookId::parse("whk_7zzzzzzzzzzzzzzzzzzzzzzzzz"),
            Some(WebhookId::from_bytes([0xff; 16]))
        );
    }
}
