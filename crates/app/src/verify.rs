//! Checking a key: from memory, without waiting. `HTTP`, the gateways' endpoint and the tower layer all end here.
//!
//! The order is that of the key's format: length, shape, checksum, look-up, digests in constant time, and only then the
//! state, which is told to nobody who did not prove the secret.

use std::net::IpAddr;
use std::sync::Arc;

use keybell_core::key::{Asked, Kind, PublicIdentifier, SecretKey};
use keybell_core::{Actor, Code, Problem, WorkspaceId};
use serde_json::value::RawValue;

use crate::App;
use crate::keyring::LiveKey;

/// What was decided about a key.
pub enum Decision {
    /// It may do what was asked.
    Valid(VerifiedKey),
    /// It may not: one of the codes of the API's table.
    Refused(Code),
}

/// A key whose secret was proved and that may do what was asked.
pub struct VerifiedKey {
    key: Arc<LiveKey>,
    public_identifier: PublicIdentifier,
    workspace_external_id: Option<Arc<str>>,
}

impl VerifiedKey {
    /// Its name to the outside.
    pub fn public_identifier(&self) -> PublicIdentifier {
        self.public_identifier
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
    pub fn workspace_external_id(&self) -> Option<&str> {
        self.workspace_external_id.as_deref()
    }

    /// Which half of the platform it opens.
    pub fn environment(&self) -> keybell_core::key::Environment {
        self.key.standing.environment
    }

    /// Every scope it has.
    pub fn scopes(&self) -> &[Box<str>] {
        &self.key.standing.scopes
    }

    /// What the platform wanted to know of it: a JSON object.
    pub fn metadata(&self) -> &RawValue {
        &self.key.metadata
    }
}

impl App {
    /// Whether `secret_key` is an API key that may do what is `asked` now.
    pub fn verify(&self, secret_key: &str, asked: &Asked<'_>) -> Decision {
        self.verify_within(None, secret_key, asked)
    }

    /// The same for somebody who may ask about the keys of one workspace: all others do not exist for them.
    pub fn verify_within(
        &self,
        workspace: Option<WorkspaceId>,
        secret_key: &str,
        asked: &Asked<'_>,
    ) -> Decision {
        let secret_key = SecretKey::parse(secret_key, self.brand()).map_err(|_| Code::InvalidKey);
        match secret_key.and_then(|secret_key| self.check(&secret_key, workspace, asked)) {
            Ok(verified) => Decision::Valid(verified),
            Err(code) => Decision::Refused(code),
        }
    }

    fn check(
        &self,
        secret_key: &SecretKey,
        within: Option<WorkspaceId>,
        asked: &Asked<'_>,
    ) -> Result<VerifiedKey, Code> {
        if secret_key.kind().environment().is_none() {
            return Err(Code::InvalidKey);
        }
        let (key, proof) = self.keyring().prove(secret_key).ok_or(Code::InvalidKey)?;
        if within.is_some_and(|workspace| workspace != key.workspace) {
            return Err(Code::InvalidKey);
        }
        key.standing.decide(proof, asked, self.now())?;
        Ok(VerifiedKey {
            public_identifier: secret_key.public_identifier(),
            workspace_external_id: self.workspace_external_id(key.workspace),
            key,
        })
    }

    /// Whoever `secret_key` lets act on Keybell itself: an operator, or an API key in its workspace.
    ///
    /// A problem of the codes of [`App::verify`] where it lets nobody. Other kinds of credentials act nowhere.
    pub fn actor_of_secret(&self, secret_key: &str, source: Option<IpAddr>) -> Result<Actor, Problem> {
        let secret_key = SecretKey::parse(secret_key, self.brand()).map_err(|_| Code::InvalidKey)?;
        if secret_key.kind() == Kind::Operator {
            return self.operator_of_secret(&secret_key);
        }
        let asked = Asked { source_address: source, ..Asked::default() };
        let key = self.check(&secret_key, None, &asked)?;
        Ok(Actor::ApiKey {
            key: key.public_identifier().to_string(),
            name: key.name().to_owned(),
            workspace: key.workspace(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
        })
    }
}
