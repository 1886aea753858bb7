//! A key as a check needs it, small enough that a million of them are no burden.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use ipnet::IpNet;
use keybell_core::key::{Digest, Environment, KeyId, Proof, Scopes, Standing, Switch};
use keybell_core::{Timestamp, WorkspaceId};
use keybell_store::ops::api_keys::{DigestOf, LoadedKey, LoadedPrevious, StoredDigest};

use super::shared_scopes::SharedScopes;
use crate::rate_limits::KeyLimit;

/// From when on a key that never expires is no longer good.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// What is stored where there is no metadata.
const NO_METADATA: &str = "{}";

/// A key as a check needs it. What most keys do not have stands apart, and what they have is packed.
pub(crate) struct LiveKey {
    /// What is remembered of the secret it has.
    pub(super) current: PackedDigest,
    /// Its ID.
    pub(crate) id: KeyId,
    /// The workspace it belongs to.
    pub(crate) workspace: WorkspaceId,
    /// Which half of the platform it opens.
    pub(crate) environment: Environment,
    switch: Switch,
    expires_at: Timestamp,
    /// What it may do.
    pub(crate) scopes: Scopes,
    /// How it is used.
    pub(crate) activity: Activity,
    rare: Option<Box<Rare>>,
    pub(super) version: Timestamp,
    /// What people call it.
    pub(crate) name: Box<str>,
}

/// What most keys do not have.
struct Rare {
    allowed_networks: Box<[IpNet]>,
    metadata: Option<Box<str>>,
    previous: Option<Previous>,
    limits: Box<[KeyLimit]>,
}

/// A digest with the number of its pepper in a byte: there will never be so many. 0 is nobody's.
#[derive(Clone, Copy)]
pub(super) struct PackedDigest {
    pub(super) digest: Digest,
    pub(super) pepper: u8,
    pub(super) of: DigestOf,
}

/// The secret before the last rotation.
pub(crate) struct Previous {
    pub(super) digest: PackedDigest,
    pub(super) expires_at: Timestamp,
    last_used: AtomicU32,
}

/// How a key is used: what is counted since it was last written down, and when it was last used.
///
/// It changes while the key is checked by many at once. Only the address takes a lock, with the first use in a second.
#[derive(Default)]
pub(crate) struct Activity {
    /// The minute that is being counted, in minutes since the Unix epoch, in the upper half, and in the lower how often the
    /// key was let through in it: together, so that no count is told of another minute.
    counted: AtomicU64,
    /// Whether it stands in the list of keys that have something to write down.
    pub(crate) is_listed: AtomicBool,
    /// Whether it stands in the queue of keys whose last use is to be written down.
    pub(crate) is_use_queued: AtomicBool,
    /// Whether another record has taken the place of this one: what is still counted here belongs elsewhere.
    pub(crate) is_retired: AtomicBool,
    /// In seconds since the Unix epoch, which fit 32 bits until 2106; 0 is never.
    last_used: AtomicU32,
    /// The address of the last use as IPv6, in two halves; all zero where none is known.
    source: [AtomicU64; 2],
}

/// When and from where a key was last used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastUse {
    /// When, to the second.
    pub(crate) at: Option<Timestamp>,
    /// From where.
    pub(crate) from: Option<IpAddr>,
    /// When the secret before the last rotation was last used.
    pub(crate) previous_at: Option<Timestamp>,
}

impl LiveKey {
    pub(super) fn of(loaded: &LoadedKey, scopes: &SharedScopes) -> LiveKey {
        let rare = Rare {
            allowed_networks: loaded.allowed_networks.as_slice().into(),
            metadata: (loaded.metadata != NO_METADATA).then(|| loaded.metadata.as_str().into()),
            previous: loaded.previous.map(Previous::of),
            limits: loaded.rate_limits.iter().cloned().map(KeyLimit::of).collect(),
        };
        let from = loaded.last_used_from.as_ref().and_then(|text| text.parse().ok());
        LiveKey {
            current: PackedDigest::of(loaded.current),
            id: loaded.id,
            workspace: loaded.workspace,
            environment: loaded.environment,
            switch: loaded.switch,
            expires_at: loaded.expires_at.unwrap_or(NEVER),
            scopes: scopes.of(&loaded.scopes),
            activity: Activity::last_used(loaded.last_used_at, from),
            rare: rare.is_needed().then(|| Box::new(rare)),
            version: loaded.updated_at,
            name: loaded.name.as_str().into(),
        }
    }

    /// What decides whether it may do something.
    pub(crate) fn standing(&self) -> Standing<'_> {
        Standing {
            environment: self.environment,
            switch: self.switch,
            expires_at: Some(self.expires_at),
            scopes: &self.scopes,
            allowed_networks: self.rare.as_ref().map_or(&[], |rare| &rare.allowed_networks),
        }
    }

    /// What the platform wants to know of it: the text of a JSON object.
    pub(crate) fn metadata(&self) -> &str {
        self.rare.as_ref().and_then(|rare| rare.metadata.as_deref()).unwrap_or(NO_METADATA)
    }

    /// The limits of its own.
    pub(crate) fn limits(&self) -> &[KeyLimit] {
        self.rare.as_ref().map_or(&[], |rare| &rare.limits)
    }

    /// The secret before the last rotation.
    pub(super) fn previous(&self) -> Option<&Previous> {
        self.rare.as_ref()?.previous.as_ref()
    }

    /// The digest of that secret, as it is stored.
    pub(crate) fn previous_digest(&self) -> Option<[u8; 32]> {
        self.previous().map(|previous| *previous.digest.digest.as_bytes())
    }

    /// Notes that the secret that `proof` says was let through at `now`. Whether that is later than what is known of the key.
    pub(crate) fn secret_used(&self, proof: Proof, now: Timestamp) -> bool {
        let second = second(now);
        if let (Proof::Previous { .. }, Some(previous)) = (proof, self.previous()) {
            forwards(&previous.last_used, second);
        }
        self.activity.last_used.load(SeqCst) < second
    }

    /// Notes that it was let through at `now` from `source`, unless a later use is known. Whoever notes it holds the lock
    /// that [`LiveKey::last_use`] is asked under.
    pub(crate) fn used(&self, now: Timestamp, source: Option<IpAddr>) {
        if forwards(&self.activity.last_used, second(now)) {
            self.activity.set_source(source);
        }
    }

    /// When and from where it was last used.
    pub(crate) fn last_use(&self) -> LastUse {
        let at = |cell: &AtomicU32| match cell.load(SeqCst) {
            0 => None,
            seconds => Some(Timestamp::from_seconds(seconds.into())),
        };
        let [high, low] = [0, 1].map(|half| u128::from(self.activity.source[half].load(SeqCst)));
        let bits = high << 64 | low;
        LastUse {
            at: at(&self.activity.last_used),
            from: (bits != 0).then(|| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()),
            previous_at: self.previous().and_then(|previous| at(&previous.last_used)),
        }
    }

    /// Takes over when the record before this one was last used: the database may not know it yet. Whoever calls it holds the
    /// lock of [`LiveKey::used`].
    pub(super) fn inherit(&self, before: &LiveKey) {
        let known = before.last_use();
        if let Some(at) = known.at {
            self.used(at, known.from);
        }
        let Some(previous) = self.previous() else { return };
        // Which of the two secrets of the record before this one's old secret was, if it was one of them.
        let is_this = |digest: &PackedDigest| previous.digest.digest.matches(&digest.digest);
        let last_used = match before.previous() {
            // The key's last use was one of the secret before it, where that one's is as late.
            _ if is_this(&before.current) => known.at.filter(|_| known.at > known.previous_at),
            Some(other) if is_this(&other.digest) => known.previous_at,
            _ => None,
        };
        if let Some(at) = last_used {
            forwards(&previous.last_used, second(at));
        }
    }
}

/// Moves a second forwards, never back. Whether it moved.
fn forwards(cell: &AtomicU32, second: u32) -> bool {
    // Looked at first, since most often it is this second already, and a line that is only read is not fought over.
    cell.load(SeqCst) < second && cell.fetch_max(second, SeqCst) < second
}

fn second(at: Timestamp) -> u32 {
    u32::try_from(at.seconds()).unwrap_or(u32::MAX)
}

/// A minute and the count of it, of the word they are kept in.
fn halves(counted: u64) -> (u32, u32) {
    let [high, low] = [counted >> 32, counted & u64::from(u32::MAX)];
    let half = |half| u32::try_from(half).expect("half of 64 bits fits 32");
    (half(high), half(low))
}

impl Rare {
    fn is_needed(&self) -> bool {
        self.metadata.is_some()
            || self.previous.is_some()
            || !self.limits.is_empty()
            || !self.allowed_networks.is_empty()
    }
}

impl PackedDigest {
    pub(super) fn of(StoredDigest { digest, pepper, of }: StoredDigest) -> PackedDigest {
        PackedDigest { digest, pepper: u8::try_from(pepper).unwrap_or(0), of }
    }

    /// As it is stored.
    pub(super) fn stored(self) -> StoredDigest {
        StoredDigest { digest: self.digest, pepper: self.pepper.into(), of: self.of }
    }
}

impl Previous {
    fn of(loaded: LoadedPrevious) -> Previous {
        Previous {
            digest: PackedDigest::of(loaded.digest),
            expires_at: loaded.expires_at,
            last_used: AtomicU32::new(seconds(loaded.last_used_at)),
        }
    }
}

impl Activity {
    /// Counts that it was let through in `minute`. Gives the minute before it and its count, where one was not taken yet.
    pub(crate) fn count(&self, minute: u32) -> Option<(u32, u32)> {
        let mut known = self.counted.load(SeqCst);
        loop {
            let (before, count) = halves(known);
            let after = if before == minute { known + 1 } else { u64::from(minute) << 32 | 1 };
            match self.counted.compare_exchange_weak(known, after, SeqCst, SeqCst) {
                Ok(_) => return (before != minute && count > 0).then_some((before, count)),
                Err(other) => known = other,
            }
        }
    }

    /// Takes what was counted, with its minute; `None` where nothing was.
    pub(crate) fn take(&self) -> Option<(u32, u32)> {
        let (minute, count) = halves(self.counted.fetch_and(u64::from(u32::MAX) << 32, SeqCst));
        (count > 0).then_some((minute, count))
    }

    fn last_used(at: Option<Timestamp>, from: Option<IpAddr>) -> Activity {
        let activity = Activity { last_used: AtomicU32::new(seconds(at)), ..Activity::default() };
        activity.set_source(from);
        activity
    }

    fn set_source(&self, source: Option<IpAddr>) {
        let bits = match source {
            None => 0,
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().to_bits(),
            Some(IpAddr::V6(address)) => address.to_bits(),
        };
        let halves = bits.to_be_bytes();
        let (high, low) = halves.split_at(8);
        for (half, bytes) in self.source.iter().zip([high, low]) {
            let bytes = bytes.try_into().expect("half of sixteen bytes");
            half.store(u64::from_be_bytes(bytes), SeqCst);
        }
    }
}

fn seconds(at: Option<Timestamp>) -> u32 {
    at.map_or(0, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its ID beside it in the map it fits the allocator's class of 160 bytes.
    #[test]
    fn a_key_is_small() {
        assert!(size_of::<(KeyId, LiveKey)>() <= 160, "{} bytes", size_of::<LiveKey>());
    }

    #[test]
    fn each_minute_is_counted_apart_and_a_count_is_taken_once() {
        let activity = Activity::default();
        assert_eq!([activity.count(7), activity.count(7), activity.count(8)], [None, None, Some((7, 2))]);
        assert_eq!([activity.take(), activity.take()], [Some((8, 1)), None]);
        assert_eq!([activity.count(8), activity.count(9), activity.count(9)], [None, Some((8, 1)), None]);
    }

    #[test]
    fn addresses_read_back_as_they_were_set() {
        for text in ["203.0.113.9", "2001:db8::5", "::1"] {
            let source: Option<IpAddr> = Some(text.parse().expect("an address"));
            let activity = Activity::last_used(None, source);
            let [high, low] = [0, 1].map(|half| u128::from(activity.source[half].load(SeqCst)));
            let read = IpAddr::V6(Ipv6Addr::from_bits(high << 64 | low)).to_canonical();
            assert_eq!(Some(read), source);
        }
    }
}
