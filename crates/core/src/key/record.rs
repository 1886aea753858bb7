//! An API key as it is remembered and shown: everything but its secret.

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{Brand, Environment, KeyId, PublicIdentifier, RateLimit, Switch};
use crate::{ActorRef, Timestamp, WorkspaceId};

/// An API key, without its secret and without the digest of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// Its ID; [`ApiKey::public_identifier`] is how the outside names it.
    pub id: KeyId,
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What it may do.
    pub scopes: Vec<String>,
    /// From where it may be used; from everywhere where there is none.
    pub allowed_networks: Vec<IpNet>,
    /// How often it may be used.
    pub rate_limits: Vec<RateLimit>,
    /// What the platform wants to know when it is verified: a JSON object.
    pub metadata: Map<String, Value>,
    /// From when on it is no longer good, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: ActorRef,
    /// When it was last changed: later with each change, so that it also tells versions of the record apart.
    pub updated_at: Timestamp,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// The address it was last used from.
    pub last_used_from: Option<String>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    pub revoked_by: Option<ActorRef>,
    /// The secret before the last rotation.
    pub previous_secret: Option<PreviousSecret>,
}

/// What is known of the secret that a rotation replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The end of the overlap, until which it is good.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// The state of a key, as its record shows it. The first that applies of revoked, disabled, expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It is good.
    Active,
    /// It is switched off, and can be switched on.
    Disabled,
    /// Its time is over; a later expiry would make it good again.
    Expired,
    /// It is no good for ever.
    Revoked,
}

impl KeyStatus {
    /// Every state.
    pub const ALL: [KeyStatus; 4] =
        [KeyStatus::Active, KeyStatus::Disabled, KeyStatus::Expired, KeyStatus::Revoked];

    /// Its word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyStatus::Active => "active",
            KeyStatus::Disabled => "disabled",
            KeyStatus::Expired => "expired",
            KeyStatus::Revoked => "revoked",
        }
    }

    /// The state of that word.
    pub fn parse(word: &str) -> Option<KeyStatus> {
        KeyStatus::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl ApiKey {
    /// How the outside names it: its `id` in the API.
    pub fn public_identifier(&self, brand: &Brand) -> PublicIdentifier {
        PublicIdentifier { brand: *brand, kind: self.environment.kind(), id: self.id }
    }

    /// Its state at `now`.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        KeyStatus::of(self.switch(), self.expires_at, now)
    }

    /// Whether it is on.
    pub fn switch(&self) -> Switch {
        match (self.revoked_at, self.enabled) {
            (Some(_), _) => Switch::Revoked,
            (None, false) => Switch::Off,
            (None, true) => Switch::On,
        }
    }
}
