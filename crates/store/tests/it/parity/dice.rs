//! Values for operations, from a seed and from small pools, so that operations meet each other's rows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keybell_core::grant::Origin;
use keybell_core::id::{Id, Kind};
use keybell_core::{ActorRef, Randomness, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::audit::AuditFact;
use keybell_store::ops::usage::{Span, Step};
use keybell_testkit::random::SeededRandomness;

use crate::engine::NOW;

/// A sequence of choices.
pub(super) struct Dice(SeededRandomness);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(SeededRandomness::new(seed))
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number()
    }

    /// A number from 0 to one below `limit`.
    pub(super) fn below(&self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// A small number.
    pub(super) fn small(&self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).expect("it is small")
    }

    /// True once in `often`.
    pub(super) fn once_in(&self, often: u64) -> bool {
        self.below(often) == 0
    }

    pub(super) fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("a short list")]
    }

    pub(super) fn maybe<T>(&self, make: impl FnOnce(&Dice) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    /// Text of a pool of `limit`, some of it awkward.
    pub(super) fn text(&self, word: &str, limit: u64) -> String {
        let number = self.below(limit);
        let tail = ["", "_", "%", "Ä", "'", "🔔"];
        format!("{word}{number}{}", tail[usize::try_from(number % 6).expect("a short list")])
    }

    pub(super) fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A digest of a pool of `limit`.
    pub(super) fn digest(&self, limit: u64) -> [u8; 32] {
        [u8::try_from(self.below(limit)).expect("a small pool"); 32]
    }

    /// An id of a pool of `limit`; a greater number is a later one.
    pub(super) fn id<K: Kind>(&self, limit: u64) -> Id<K> {
        let mut bytes = [0; 16];
        bytes[15] = u8::try_from(self.below(limit)).expect("a small pool") + 1;
        Id::from_bytes(bytes)
    }

    pub(super) fn workspace(&self) -> WorkspaceId {
        self.id(2)
    }

    pub(super) fn webhook(&self) -> WebhookId {
        self.id(3)
    }

    /// A time, of any step and maybe of no length.
    pub(super) fn span(&self) -> Span {
        Span { workspace: self.workspace(), step: self.pick(&Step::ALL), from: self.at(), until: self.at() }
    }

    /// One of twenty instants, a minute apart.
    pub(super) fn at(&self) -> Timestamp {
        NOW + Duration::from_secs(60 * self.below(20))
    }

    pub(super) fn by(&self) -> ActorRef {
        let id = self.text("mem_", 2);
        ActorRef { kind: "member".to_owned(), name: id.to_uppercase(), id }
    }

    pub(super) fn origin(&self) -> Origin {
        let source_address =
            self.maybe(|dice| IpAddr::V4(Ipv4Addr::from_bits(0x7f00_0001 + u32::from(dice.once_in(2)))));
        Origin { source_address, request_id: self.text("req_", 9).into() }
    }

    pub(super) fn fact(&self, action: &'static str) -> AuditFact {
        AuditFact {
            id: Id::from_bytes(self.bytes(16).try_into().expect("sixteen bytes")),
            at: self.at(),
            action,
            target_kind: "target",
            target_id: self.text("id_", 5),
            changes_json: "{}".to_owned(),
        }
    }
}
