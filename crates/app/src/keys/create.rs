//! Making a key.

use std::sync::Arc;

use ipnet::IpNet;
use keybell_core::fields;
use keybell_core::grant::ManageKeys;
use keybell_core::key::fields as key_fields;
use keybell_core::key::{ApiKey, Environment, KeyId, RateLimit, SecretKey};
use keybell_core::{Code, FieldError, Grant, Problem, Timestamp};
use keybell_store::ops::api_keys::{InsertKey, Inserted, StoredKey};
use serde_json::{Map, Value, json};

use super::{IssuedKey, refuse_more_than_own, refuse_the_platforms_limits};
use crate::App;
use crate::problems::Errors;

/// Tries to find an ID that nobody has. At 10⁹ keys one try fails in 10¹² cases.
pub(super) const ID_TRIES_MAX: u32 = 3;

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
        let checked = self.check_new_key(&new, now, &mut errors);
        errors.refuse_any()?;
        refuse_more_than_own(&grant, &checked.scopes)?;
        refuse_the_platforms_limits(&grant, &self.settings().rate_limits, &[], &new.rate_limits)?;

        for _ in 0..ID_TRIES_MAX {
            let secret_key = SecretKey::mint(self.brand(), new.environment.kind(), self.randomness());
            let key = record(&grant, &new, &checked, secret_key.id(), now);
            let changes = told_of_new(&key);
            let current = self.keyring().peppers().digest(&secret_key);
            let stored = StoredKey { key: key.clone(), current, previous: None };
            let op = InsertKey {
                stored: stored.clone(),
                keys_max: self.settings().limits.api_keys_per_workspace,
                origin: grant.origin().clone(),
                fact: self.audit_fact(now, "api_key.created", &secret_key.public_identifier(), changes),
            };
            let keyring = Arc::clone(self.keyring());
            let inserted = self.commit(op, move |inserted| {
                if *inserted == Inserted::Done {
                    keyring.put(&stored);
                }
            });
            match inserted.await? {
                Inserted::Done => return Ok(IssuedKey { key, secret_key }),
                // No secret of ours digests to what another system's key does.
                Inserted::IdTaken | Inserted::ImportedBefore => {}
                Inserted::NoWorkspace => return Err(Code::NotFound.into()),
                Inserted::Full => return Err(full(self.settings().limits.api_keys_per_workspace)),
            }
        }
        Err(Problem::internal("no free ID was found for a key"))
    }

    /// What is wrong with the fields of a new key, without making it: for a form that found something wrong itself, and tells
    /// all of it at once.
    pub fn wrong_with_new_key(&self, new: &NewKey) -> Vec<FieldError> {
        let mut errors = Errors::default();
        self.check_new_key(new, self.now(), &mut errors);
        errors.refuse_any().err().map(|problem| problem.errors).unwrap_or_default()
    }

    /// Checks the fields of a new key; what is wrong goes to `errors`.
    pub(super) fn check_new_key(&self, new: &NewKey, now: Timestamp, errors: &mut Errors) -> CheckedKey {
        errors.one(fields::name(&new.name));
        errors.one(fields::description(&new.description));
        errors.one(new.expires_at.map_or(Ok(()), |at| key_fields::expires_at(at, now)));
        errors.one(fields::metadata(&new.metadata));
        errors.many(key_fields::rate_limits(&new.rate_limits));
        CheckedKey {
            scopes: errors.many(key_fields::scopes(&new.scopes, |scope| self.is_declared_scope(scope))),
            allowed_networks: errors.many(key_fields::allowed_networks(&new.allowed_networks)),
        }
    }
}

/// Fields of a new key as they are to be stored.
pub(super) struct CheckedKey {
    pub(super) scopes: Vec<String>,
    allowed_networks: Vec<IpNet>,
}

/// The record of a new key.
pub(super) fn record(
    grant: &Grant<ManageKeys>,
    new: &NewKey,
    checked: &CheckedKey,
    id: KeyId,
    now: Timestamp,
) -> ApiKey {
    ApiKey {
        workspace: grant.workspace(),
        id,
        environment: new.environment,
        name: new.name.clone(),
        description: new.description.clone(),
        enabled: true,
        scopes: checked.scopes.clone(),
        allowed_networks: checked.allowed_networks.clone(),
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
    }
}

/// What the audit log says of a new key.
pub(super) fn told_of_new(key: &ApiKey) -> Value {
    json!({ "name": { "to": key.name }, "scopes": { "to": key.scopes } })
}

fn full(keys_max: u32) -> Problem {
    Problem::new(Code::Conflict, format!("The workspace has {keys_max} API keys, as many as it may have."))
}
