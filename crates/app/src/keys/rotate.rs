//! Rotating a key: a new secret under the same identifier, the old one good for an overlap.

use std::time::Duration;

use keybell_core::grant::ManageKeys;
use keybell_core::key::{ApiKey, KeyId, SecretKey};
use keybell_core::{Code, Grant, Problem};
use keybell_store::ops::api_keys::{EndOverlap, RotateKey};
use serde_json::json;

use super::{
    CHANGE_TRIES_MAX, IssuedKey, changed_meanwhile, changed_record, next_version, not_theirs,
    refuse_more_than_own, revoked,
};
use crate::App;

/// How long the old secret stays good where nothing else is asked for: a day to roll it out.
pub const OVERLAP_DEFAULT: Duration = Duration::from_hours(24);
/// The longest overlap: two secrets are twice as many to lose.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

impl App {
    /// Gives a key a new secret; the one it has stays good for `overlap`, up to [`OVERLAP_MAX`]. A secret from a rotation
    /// before that is no good from now on.
    ///
    /// Whoever rotates a key learns its secret, so it takes the right to give every scope that the key has.
    pub async fn rotate_key(
        &self,
        grant: Grant<ManageKeys>,
        id: KeyId,
        overlap: Duration,
    ) -> Result<IssuedKey, Problem> {
        if overlap > OVERLAP_MAX {
            let message = format!("must be from 0 to {}", OVERLAP_MAX.as_secs());
            return Err(Problem::field("overlap_seconds", "out_of_range", message));
        }
        for _ in 0..CHANGE_TRIES_MAX {
            let before = self.stored_key(grant.workspace(), id).await?.key;
            if grant.only_made_by().is_some_and(|member| member != before.created_by.id) {
                return Err(not_theirs());
            }
            if before.revoked_at.is_some() {
                return Err(revoked());
            }
            refuse_more_than_own(&grant, &before.scopes)?;
            let now = self.now();
            let public = before.public_identifier(self.brand());
            let secret_key = SecretKey::mint_for(public, self.randomness());
            let changes = json!({ "secret_key": { "overlap_seconds": overlap.as_secs() } });
            let op = RotateKey {
                workspace: grant.workspace(),
                id,
                digest: self.keyring().peppers().digest(&secret_key),
                overlap_until: now + overlap,
                from: before.updated_at,
                at: next_version(before.updated_at, now),
                only_made_by: grant.only_made_by().map(str::to_owned),
                by: grant.by().clone(),
                origin: grant.origin().clone(),
                fact: self.audit_fact(now, "api_key.rotated", &public, changes),
            };
            if let Some(key) = changed_record(self.change_key(op).await?)? {
                return Ok(IssuedKey { key: self.with_last_use(key), secret_key });
            }
        }
        Err(changed_meanwhile())
    }

    /// Ends the overlap of the last rotation now. When this comes back, no check of the secret before it says yes any more.
    /// Where there is no overlap, nothing changes.
    pub async fn end_overlap(&self, grant: Grant<ManageKeys>, id: KeyId) -> Result<ApiKey, Problem> {
        let at = self.now();
        let public = self.keyring().with(id, |key| self.public_identifier_of(key)).ok_or(Code::NotFound)?;
        let op = EndOverlap {
            workspace: grant.workspace(),
            id,
            at,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(at, "api_key.overlap_ended", &public, json!({})),
        };
        let changed = changed_record(self.change_key(op).await?)?;
        changed.map(|key| self.with_last_use(key)).ok_or_else(changed_meanwhile)
    }
}
