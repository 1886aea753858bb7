//! Checking a key: from memory, without waiting. `HTTP`, the gateways' endpoint and the tower layer all end here.
//!
//! The order is that of the key's format: length, shape, checksum, look-up, digests in constant time, and only then the
//! state, which is told to nobody who did not prove the secret.

use std::net::IpAddr;
use std::sync::Arc;

use keybell_core::key::{
    Asked, Brand, Environment, Kind, LimitState, Outcome, Proof, PublicIdentifier, Refused, RequestKind,
    Scopes, SecretKey,
};
use keybell_core::{Actor, Code, Problem, Timestamp, WorkspaceId};

use crate::App;
use crate::keyring::LiveKey;
use crate::rate_limits::OverLimit;

impl From<OverLimit> for Refused {
    fn from(OverLimit { limits, retry_after_seconds }: OverLimit) -> Self {
        Refused { code: Code::RateLimited, rate_limits: limits, retry_after_seconds }
    }
}

/// A key whose secret was proved and that may do what was asked, looked at where it lies in memory.
pub struct VerifiedKey<'a> {
    key: &'a LiveKey,
    brand: Brand,
    workspace_external_id: Option<Arc<str>>,
    rate_limits: Vec<LimitState>,
}

impl VerifiedKey<'_> {
    /// Its name to the outside.
    pub fn public_identifier(&self) -> PublicIdentifier {
        PublicIdentifier { brand: self.brand, kind: self.environment().kind(), id: self.key.id }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// The workspace it belongs to.
    pub fn workspace(&self) -> WorkspaceId {
        self.key.workspace
    }

    /// The platform's own id of that workspace, where it gave one.
    pub fn workspace_external_id(&self) -> Option<&Arc<str>> {
        self.workspace_external_id.as_ref()
    }

    /// Which half of the platform it opens.
    pub fn environment(&self) -> Environment {
        self.key.environment
    }

    /// Every scope it has.
    pub fn scopes(&self) -> &Scopes {
        &self.key.scopes
    }

    /// What the platform wanted to know of it: the text of a JSON object.
    pub fn metadata(&self) -> &str {
        self.key.metadata()
    }

    /// The rate limits that counted the request, and what is left of them.
    pub fn rate_limits(&self) -> &[LimitState] {
        &self.rate_limits
    }
}

impl App {
    /// What `valid` makes of `secret_key` where that is an API key that may do what is `asked` now, or why it may not. It is
    /// counted by the key's rate limits and in its usage.
    ///
    /// `valid` is called while the key is held in memory: it must not wait for anything.
    pub fn verify<R>(
        &self,
        secret_key: &str,
        asked: &Asked<'_>,
        valid: impl FnOnce(&VerifiedKey<'_>) -> R,
    ) -> Result<R, Refused> {
        self.verify_within(None, secret_key, asked, valid)
    }

    /// The same for somebody who may ask about the keys of one workspace: all others do not exist for them.
    pub fn verify_within<R>(
        &self,
        within: Option<WorkspaceId>,
        secret_key: &str,
        asked: &Asked<'_>,
        valid: impl FnOnce(&VerifiedKey<'_>) -> R,
    ) -> Result<R, Refused> {
        let checked = self.keyring().prove(secret_key, self.brand(), |key, proof| {
            if within.is_some_and(|workspace| workspace != key.workspace) {
                return Err(Code::InvalidKey.into());
            }
            self.check(key, proof, asked).map(|verified| valid(&verified))
        });
        checked.unwrap_or_else(|| {
            self.usage().count_unproved();
            Err(Code::InvalidKey.into())
        })
    }

    fn check<'a>(
        &self,
        key: &'a LiveKey,
        proof: Proof,
        asked: &Asked<'_>,
    ) -> Result<VerifiedKey<'a>, Refused> {
        let now = self.now();
        let decided = key.standing().decide(proof, asked, now).map_err(Refused::from);
        let decided = decided.and_then(|()| self.take_rate_limits(key, asked, now));
        match decided {
            Ok(rate_limits) => {
                // The use first: to count lists the key, and what is listed is written down.
                self.keyring().used(key, proof, now, asked.source_address);
                self.usage().count(key, Outcome::Valid, now);
                let workspace_external_id = self.workspace_external_id(key.workspace);
                Ok(VerifiedKey { key, brand: *self.brand(), workspace_external_id, rate_limits })
            }
            Err(refused) => {
                if let Some(outcome) = Outcome::of_code(refused.code) {
                    self.usage().count(key, outcome, now);
                }
                Err(refused)
            }
        }
    }

    fn take_rate_limits(
        &self,
        key: &LiveKey,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Vec<LimitState>, Refused> {
        self.rate_limiter().take(key.id, key.limits(), asked, now).map_err(Refused::from)
    }

    /// Whoever `secret_key` lets act on Keybell itself, in a `request` from `source`: an operator, or an API key in its
    /// workspace.
    ///
    /// A problem of the codes of [`App::verify`] where it lets nobody. Other kinds of credentials act nowhere.
    pub fn actor_of_secret(
        &self,
        secret_key: &str,
        source: Option<IpAddr>,
        request: RequestKind,
    ) -> Result<Actor, Problem> {
        if let Ok(operator_key) = SecretKey::parse(secret_key, self.brand())
            && operator_key.kind() == Kind::Operator
        {
            return self.operator_of_secret(&operator_key);
        }
        let asked = Asked { source_address: source, request, ..Asked::default() };
        let actor = self.verify(secret_key, &asked, |key| Actor::ApiKey {
            key: key.public_identifier().to_string(),
            name: key.name().to_owned(),
            workspace: key.workspace(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
        })?;
        Ok(actor)
    }

    /// The key that `secret_key` is a secret of, whatever its state.
    pub(crate) fn holder_of_secret(&self, secret_key: &str) -> Result<Actor, Code> {
        let held = self.keyring().prove(secret_key, self.brand(), |key, proof| {
            if matches!(proof, Proof::Previous { expires_at } if expires_at <= self.now()) {
                return Err(Code::SecretRotatedOut);
            }
            Ok(Actor::ApiKey {
                key: self.public_identifier_of(key).to_string(),
                name: key.name.to_string(),
                workspace: key.workspace,
                scopes: Vec::new(),
            })
        });
        held.unwrap_or(Err(Code::InvalidKey))
    }

    /// What people call a key, and what the platform wants to know of it (the text of a JSON object), as they are now;
    /// `None` where there is no such key any more.
    pub fn described(&self, key: &PublicIdentifier) -> Option<(String, String)> {
        self.keyring().with(key.id, |key| (key.name.to_string(), key.metadata().to_owned()))
    }
}
