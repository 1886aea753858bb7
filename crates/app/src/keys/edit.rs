//! Editing a key: everything but its secret and its environment.

use keybell_core::fields;
use keybell_core::grant::ManageKeys;
use keybell_core::key::fields as key_fields;
use keybell_core::key::{ApiKey, KeyId, RateLimit};
use keybell_core::{FieldError, Grant, Problem, Timestamp};
use keybell_store::ops::api_keys::EditKey;
use serde_json::{Map, Value, json};

use super::{
    CHANGE_TRIES_MAX, changed_meanwhile, changed_record, next_version, not_theirs, refuse_more_than_own,
    refuse_the_platforms_limits, revoked,
};
use crate::problems::Errors;
use crate::{App, audit};

/// What shall be different. `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct KeyPatch {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
    /// What it may do: the whole list.
    pub scopes: Option<Vec<String>>,
    /// From when on it is no longer good; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// From where it may be used: the whole list.
    pub allowed_networks: Option<Vec<String>>,
    /// How often it may be used: the whole list.
    pub rate_limits: Option<Vec<RateLimit>>,
    /// A merge patch of the metadata; `Some(None)` removes all of it.
    pub metadata: Option<Option<Map<String, Value>>>,
}

impl App {
    /// Changes a key; the record after it, which is the one before where the patch says nothing new.
    ///
    /// [`Code::Conflict`](keybell_core::Code::Conflict) where the key is revoked.
    pub async fn edit_key(
        &self,
        grant: Grant<ManageKeys>,
        id: KeyId,
        patch: KeyPatch,
    ) -> Result<ApiKey, Problem> {
        for _ in 0..CHANGE_TRIES_MAX {
            let before = self.stored_key(grant.workspace(), id).await?.key;
            if grant.only_made_by().is_some_and(|member| member != before.created_by.id) {
                return Err(not_theirs());
            }
            if before.revoked_at.is_some() {
                return Err(revoked());
            }
            let now = self.now();
            let after = self.patched(&grant, &before, &patch, now)?;
            if after == before {
                return Ok(self.with_last_use(before));
            }
            let from = before.updated_at;
            let key = ApiKey { updated_at: next_version(from, now), ..after };
            let op = EditKey {
                from,
                only_made_by: grant.only_made_by().map(str::to_owned),
                by: grant.by().clone(),
                origin: grant.origin().clone(),
                fact: self.audit_fact(
                    now,
                    "api_key.edited",
                    &key.public_identifier(self.brand()),
                    differences(&before, &key),
                ),
                key,
            };
            if let Some(key) = changed_record(self.change_key(op).await?)? {
                return Ok(self.with_last_use(key));
            }
        }
        Err(changed_meanwhile())
    }

    /// What is wrong with the fields of a patch of `before`, without changing it: for a form that found something wrong itself,
    /// and tells all of it at once.
    pub fn wrong_with_patch(
        &self,
        grant: &Grant<ManageKeys>,
        before: &ApiKey,
        patch: &KeyPatch,
    ) -> Vec<FieldError> {
        let patched = self.patched(grant, before, patch, self.now());
        patched.err().map(|problem| problem.errors).unwrap_or_default()
    }

    /// The record with the patch applied. What the patch does not name is not checked: a key whose time is over can be
    /// given another name.
    fn patched(
        &self,
        grant: &Grant<ManageKeys>,
        before: &ApiKey,
        patch: &KeyPatch,
        now: Timestamp,
    ) -> Result<ApiKey, Problem> {
        let mut key = before.clone();
        let mut errors = Errors::default();
        if let Some(name) = &patch.name {
            errors.one(fields::name(name));
            key.name.clone_from(name);
        }
        if let Some(description) = &patch.description {
            errors.one(fields::description(description));
            key.description.clone_from(description);
        }
        if let Some(enabled) = patch.enabled {
            key.enabled = enabled;
        }
        if let Some(scopes) = &patch.scopes {
            // A scope that the catalogue dropped stays until somebody takes it from the key.
            let is_declared = |scope: &str| self.is_declared_scope(scope) || has(before, scope);
            key.scopes = errors.many(key_fields::scopes(scopes, is_declared));
        }
        if let Some(expires_at) = patch.expires_at {
            let changed = expires_at.filter(|_| expires_at != before.expires_at);
            errors.one(changed.map_or(Ok(()), |at| key_fields::expires_at(at, now)));
            key.expires_at = expires_at;
        }
        if let Some(networks) = &patch.allowed_networks {
            key.allowed_networks = errors.many(key_fields::allowed_networks(networks));
        }
        if let Some(rate_limits) = &patch.rate_limits {
            errors.many(key_fields::rate_limits(rate_limits));
            key.rate_limits.clone_from(rate_limits);
        }
        match &patch.metadata {
            None => {}
            Some(None) => key.metadata.clear(),
            Some(Some(changes)) => fields::merge(&mut key.metadata, changes.clone()),
        }
        if patch.metadata.is_some() {
            errors.one(fields::metadata(&key.metadata));
        }
        errors.refuse_any()?;
        let added: Vec<String> = key.scopes.iter().filter(|scope| !has(before, scope)).cloned().collect();
        refuse_more_than_own(grant, &added)?;
        let platforms = &self.settings().rate_limits;
        refuse_the_platforms_limits(grant, platforms, &before.rate_limits, &key.rate_limits)?;
        Ok(key)
    }
}

fn has(key: &ApiKey, scope: &str) -> bool {
    key.scopes.iter().any(|own| own == scope)
}

fn differences(before: &ApiKey, after: &ApiKey) -> Map<String, Value> {
    let editable = |key: &ApiKey| {
        let networks: Vec<String> = key.allowed_networks.iter().map(ToString::to_string).collect();
        [
            ("name", json!(key.name)),
            ("description", json!(key.description)),
            ("enabled", json!(key.enabled)),
            ("scopes", json!(key.scopes)),
            ("expires_at", json!(key.expires_at)),
            ("allowed_networks", json!(networks)),
            ("rate_limits", json!(key.rate_limits)),
            ("metadata", Value::Object(key.metadata.clone())),
        ]
    };
    audit::differences(editable(before), editable(after))
}
