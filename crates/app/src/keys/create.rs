//! Making a key.

use std::sync::Arc;

use keybell_core::fields;
use keybell_core::grant::ManageKeys;
use keybell_core::key::fields as key_fields;
use keybell_core::key::{ApiKey, Environment, RateLimit, SecretKey};
use keybell_core::{Code, Grant, Problem, Timestamp};
use keybell_store::ops::api_keys::{InsertKey, Inserted, StoredKey};
use serde_json::{Map, Value, json};

use super::{IssuedKey, refuse_more_than_own};
use crate::App;
use crate::keyring::LiveKey;
use crate::problems::Errors;

/// Tries to find an ID that nobody has. At 10⁹ keys one try fails in 10¹² cases.
const ID_TRIES_MAX: u32 = 3;

/// What a key shall be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// What it may do.
    pub scopes: Vec<String>,
    /// From when on it is no longer good; never where there is none.
    pub expires_at: Option<Timestamp>,
    /// Addresses and networks from which it may be used; from everywhere where there is none.
    pub allowed_networks: Vec<String>,
    /// How often it may be used.
    pub rate_limits: Vec<RateLimit>,
    /// What the platform wants to know when it is verified.
    pub metadata: Map<String, Value>,
}

impl App {
    /// Makes a key. Its secret is in the answer, and nowhere else.
    ///
    /// [`Code::Validation`] names the fields that are not valid; [`Code::Forbidden`] where a scope is more than whoever
    /// asks may give; [`Code::Conflict`] where the workspace has as many keys as it may.
    pub async fn create_key(&self, grant: Grant<ManageKeys>, new: NewKey) -> Result<IssuedKey, Problem> {
        let now = self.now();
        let mut errors = Errors::default();
        errors.one(fields::name(&new.name));
        errors.one(fields::description(&new.description));
        errors.one(new.expires_at.map_or(Ok(()), |at| key_fields::expires_at(at, now)));
        errors.one(fields::metadata(&new.metadata));
        errors.many(key_fields::rate_limits(&new.rate_limits));
        let scopes = errors.many(key_fields::scopes(&new.scopes, |scope| self.is_declared_scope(scope)));
        let allowed_networks = errors.many(key_fields::allowed_networks(&new.allowed_networks));
        errors.refuse_any()?;
        refuse_more_than_own(&grant, &scopes)?;

        for _ in 0..ID_TRIES_MAX {
            let secret_key = SecretKey::mint(self.brand(), new.environment.kind(), self.randomness());
            let key = ApiKey {
                workspace: grant.workspace(),
                id: secret_key.id(),
                environment: new.environment,
                name: new.name.clone(),
                description: new.description.clone(),
                enabled: true,
                scopes: scopes.clone(),
                allowed_networks: allowed_networks.clone(),
                rate_limits: new.rate_limits.clone(),
                metadata: new.metadata.clone(),
                expires_at: new.expires_at,
                created_at: now,
                created_by: grant.by().clone(),
                updated_at: now,
                last_used_at: None,
                last_used_from: None,
                revoked_at: None,
                revoked_by: None,
                previous_secret: None,
            };
            let changes = json!({ "name": { "to": key.name }, "scopes": { "to": key.scopes } });
            let current = self.keyring().peppers().digest(&secret_key);
            let stored = StoredKey { key: key.clone(), current, previous: None };
            let live = LiveKey::of(&stored);
            let op = InsertKey {
                stored,
                keys_max: self.settings().limits.api_keys_per_workspace,
                origin: grant.origin().clone(),
                fact: self.audit_fact(now, "api_key.created", &secret_key.public_identifier(), changes),
            };
            let keyring = Arc::clone(self.keyring());
            let inserted = self.commit(op, move |inserted| {
                if *inserted == Inserted::Done {
                    keyring.put(live);
                }
            });
            match inserted.await? {
                Inserted::Done => return Ok(IssuedKey { key, secret_key }),
                Inserted::IdTaken => {}
                Inserted::NoWorkspace => return Err(Code::NotFound.into()),
                Inserted::Full => return Err(full(self.settings().limits.api_keys_per_workspace)),
            }
        }
        Err(Problem::internal("no free ID was found for a key"))
    }
}

fn full(keys_max: u32) -> Problem {
    Problem::new(Code::Conflict, format!("The workspace has {keys_max} API keys, as many as it may have."))
}
