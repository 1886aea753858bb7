//! Changes of a key: edited, rotated, revoked. Each is guarded in its statement, and has its audit entry in its transaction.

use keybell_core::grant::Origin;
use keybell_core::key::{ApiKey, KeyId};
use keybell_core::{ActorRef, Timestamp, WorkspaceId};

use super::{BY_ID, StoredDigest, StoredKey, Written, columns, read_key};
use crate::error::StoreError;
use crate::ops::audit::{self, AuditFact};
use crate::ops::json;
use crate::statements;
use crate::tx::{Op, Tx};

statements! {
    EDIT = concat!("UPDATE api_keys SET name = $5, description = $6, enabled = $7, scopes = $8, \
            allowed_networks = $9, rate_limits = $10, metadata = $11, expires_at = $12, updated_at = $13 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 AND revoked_at IS NULL \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4) RETURNING ", columns!());
    ROTATE = concat!("UPDATE api_keys SET previous_digest = digest, previous_pepper = pepper, \
            previous_digest_of = digest_of, previous_expires_at = $5, previous_last_used_at = \
            CASE WHEN previous_last_used_at IS NULL OR last_used_at > previous_last_used_at THEN last_used_at END, \
            digest = $6, pepper = $7, digest_of = $8, updated_at = $9 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 AND revoked_at IS NULL \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4) RETURNING ", columns!());
    REVOKE_AS_READ = concat!("UPDATE api_keys SET revoked_at = $4, revoked_by = $5, \
            updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END \
            WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL AND updated_at = $6 \
            AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3) RETURNING ", columns!());
    END_OVERLAP = concat!("UPDATE api_keys SET previous_expires_at = $4, \
            updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END \
            WHERE workspace_id = $1 AND id = $2 AND previous_expires_at > $4 AND revoked_at IS NULL \
            AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3) RETURNING ", columns!());
    REVOKE = concat!("UPDATE api_keys SET revoked_at = $4, revoked_by = $5, \
            updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END \
            WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL \
            AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3) RETURNING ", columns!());
}

/// What came of changing a key.
pub enum Changed {
    /// It is changed: the record as it is now.
    Done(Box<StoredKey>),
    /// It was revoked before: the record as it was left.
    Revoked(Box<StoredKey>),
    /// It was so already: the record, unchanged.
    Already(Box<StoredKey>),
    /// Somebody changed it since the version that the change was made from: the record as it is.
    Stale(Box<StoredKey>),
    /// It is somebody else's, and whoever asks may only change their own.
    NotTheirs,
    /// The workspace has no such key.
    Missing,
}

/// Writes what may be edited of a key, made from the version `from`.
pub struct EditKey {
    /// The record as it shall be; its `updated_at` is greater than `from`.
    pub key: ApiKey,
    /// The `updated_at` of the record that the edit was made from.
    pub from: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who edits it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for EditKey {
    const NAME: &'static str = "api_keys.edit";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let key = &self.key;
        let written = Written::of(key);
        let args = [
            (&key.workspace).into(),
            key.id.as_str().into(),
            self.from.into(),
            self.only_made_by.as_ref().into(),
            (&key.name).into(),
            (&key.description).into(),
            key.enabled.into(),
            (&written.scopes).into(),
            (&written.allowed_networks).into(),
            (&written.rate_limits).into(),
            (&written.metadata).into(),
            key.expires_at.into(),
            key.updated_at.into(),
        ];
        let Some(changed) = tx.as_read().first(&EDIT, &args, read_key)? else {
            return why_not(tx, key.workspace, key.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, key.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Gives a key a new secret, made from the version `from`; the one it has stays good until `overlap_until`.
pub struct RotateKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// Of the new secret.
    pub digest: StoredDigest,
    /// The end of the overlap.
    pub overlap_until: Timestamp,
    /// The `updated_at` of the record that the rotation was decided on.
    pub from: Timestamp,
    /// When; greater than `from`.
    pub at: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who rotates it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RotateKey {
    const NAME: &'static str = "api_keys.rotate";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let args = [
            (&self.workspace).into(),
            self.id.as_str().into(),
            self.from.into(),
            self.only_made_by.as_ref().into(),
            self.overlap_until.into(),
            self.digest.digest.as_bytes().as_slice().into(),
            i64::from(self.digest.pepper).into(),
            self.digest.of.as_str().into(),
            self.at.into(),
        ];
        let Some(changed) = tx.as_read().first(&ROTATE, &args, read_key)? else {
            return why_not(tx, self.workspace, self.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Ends the overlap of a key's last rotation: the secret before it is no good from `at` on. Where it was over, or there
/// was no rotation, it is [`Changed::Already`].
#[derive(Debug)]
pub struct EndOverlap {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// When.
    pub at: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who ends it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for EndOverlap {
    const NAME: &'static str = "api_keys.end_overlap";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let args = [
            (&self.workspace).into(),
            self.id.as_str().into(),
            self.only_made_by.as_ref().into(),
            self.at.into(),
        ];
        let Some(changed) = tx.as_read().first(&END_OVERLAP, &args, read_key)? else {
            // No version was named, so that nothing but the guard on the overlap is left to have held it up.
            return Ok(match why_not(tx, self.workspace, self.id, self.only_made_by.as_deref())? {
                Changed::Stale(stored) => Changed::Already(stored),
                other => other,
            });
        };
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Revokes a key for ever. Again is [`Changed::Revoked`], unchanged.
#[derive(Debug)]
pub struct RevokeKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// When.
    pub at: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who revokes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RevokeKey {
    const NAME: &'static str = "api_keys.revoke";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let by = json::write(&self.by);
        let args = [
            (&self.workspace).into(),
            self.id.as_str().into(),
            self.only_made_by.as_ref().into(),
            self.at.into(),
            (&by).into(),
        ];
        let Some(changed) = tx.as_read().first(&REVOKE, &args, read_key)? else {
            return why_not(tx, self.workspace, self.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Revokes several keys of a workspace in one transaction: those that are still as they were read, and not revoked. Gives
/// them as they are now.
#[derive(Debug)]
pub struct RevokeKeys {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The keys.
    pub keys: Vec<KeyToRevoke>,
    /// When.
    pub at: Timestamp,
    /// Only those that were made by this member.
    pub only_made_by: Option<String>,
    /// Who revokes them.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
}

/// A key that is to be revoked if it is as it was read.
#[derive(Debug)]
pub struct KeyToRevoke {
    /// The key.
    pub id: KeyId,
    /// The `updated_at` of the record that was read.
    pub read_at: Timestamp,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RevokeKeys {
    const NAME: &'static str = "api_keys.revoke_many";
    type Out = Vec<StoredKey>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let by = json::write(&self.by);
        let mut revoked = Vec::new();
        for KeyToRevoke { id, read_at, fact } in &self.keys {
            let args = [
                (&self.workspace).into(),
                id.as_str().into(),
                self.only_made_by.as_ref().into(),
                self.at.into(),
                (&by).into(),
                (*read_at).into(),
            ];
            if let Some(stored) = tx.as_read().first(&REVOKE_AS_READ, &args, read_key)? {
                audit::entry(tx, self.workspace, &self.by, &self.origin, fact)?;
                revoked.push(stored);
            }
        }
        Ok(revoked)
    }
}

/// Why a guarded change changed nothing.
fn why_not(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: KeyId,
    only_made_by: Option<&str>,
) -> Result<Changed, StoreError> {
    let found = tx.as_read().first(&BY_ID, &[(&workspace).into(), id.as_str().into()], read_key)?;
    Ok(match found {
        None => Changed::Missing,
        Some(stored) if only_made_by.is_some_and(|member| member != stored.key.created_by.id) => {
            Changed::NotTheirs
        }
        Some(stored) if stored.key.revoked_at.is_some() => Changed::Revoked(Box::new(stored)),
        Some(stored) => Changed::Stale(Box::new(stored)),
    })
}
