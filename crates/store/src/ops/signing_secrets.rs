//! Signing secrets of webhooks, sealed. During the overlap of rotations a webhook has several, and each of them signs.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp, WebhookId, WorkspaceId};

use super::audit::{self, AuditFact};
use super::webhooks;
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Op, Read, Tx};

statements! {
    INSERT = "INSERT INTO signing_secrets (workspace_id, webhook_id, created_at, sealed, expires_at) \
              VALUES ($1, $2, $3, $4, $5)";
    OF_WEBHOOK = "SELECT created_at, sealed, expires_at FROM signing_secrets \
                  WHERE workspace_id = $1 AND webhook_id = $2 ORDER BY created_at DESC";
    DELETE_ALL = "DELETE FROM signing_secrets WHERE workspace_id = $1 AND webhook_id = $2";
    NEW_VERSION = "UPDATE webhooks SET updated_at = $5 WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 \
                   AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4) \
                   AND (SELECT COUNT(*) FROM signing_secrets s WHERE s.workspace_id = $1 AND s.webhook_id = $2 \
                   AND (s.expires_at IS NULL OR s.expires_at > $5)) < $6";
    LIVE = "SELECT COUNT(*) FROM signing_secrets \
            WHERE workspace_id = $1 AND webhook_id = $2 AND (expires_at IS NULL OR expires_at > $3)";
    END_AT = "UPDATE signing_secrets SET expires_at = $3 \
              WHERE workspace_id = $1 AND webhook_id = $2 AND (expires_at IS NULL OR expires_at > $3)";
    DELETE_ENDED = "DELETE FROM signing_secrets WHERE workspace_id = $1 AND webhook_id = $2 AND expires_at <= $3";
}

/// A signing secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// When it was made; no two of a webhook have the same time.
    pub created_at: Timestamp,
    /// The key, sealed.
    pub sealed: Vec<u8>,
    /// Until when it signs, where it was rotated out.
    pub expires_at: Option<Timestamp>,
}

/// What came of asking for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The secrets, newest first.
    Secrets(Vec<SealedSecret>),
    /// The webhook is somebody else's, and whoever asks may only see their own.
    NotTheirs,
    /// The workspace has no such webhook.
    Missing,
}

/// Reads a webhook's signing secrets for a person, and writes down that they were read.
#[derive(Debug)]
pub struct ShowSecrets {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who reads them.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for ShowSecrets {
    const NAME: &'static str = "signing_secrets.show";
    type Out = Shown;

    fn run(&self, tx: &mut dyn Tx) -> Result<Shown, StoreError> {
        let maker = webhooks::maker(tx.as_read(), self.workspace, self.webhook)?;
        let Some(maker) = maker else { return Ok(Shown::Missing) };
        if self.only_made_by.as_ref().is_some_and(|member| *member != maker) {
            return Ok(Shown::NotTheirs);
        }
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        of_webhook(tx.as_read(), self.workspace, self.webhook).map(Shown::Secrets)
    }
}

/// What came of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new secret signs, and those before it until the end of the overlap.
    Done,
    /// As many secrets sign as may.
    Full,
    /// Somebody changed the webhook since the version that the rotation was made from.
    Stale,
    /// The webhook is somebody else's, and whoever asks may only change their own.
    NotTheirs,
    /// The workspace has no such webhook.
    Missing,
}

/// Gives a webhook a new signing secret, made from the version `from`. Those it has sign until `overlap_until`, or until
/// their own end where that is sooner.
#[derive(Debug)]
pub struct RotateSecret {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The new secret. That it was made is the webhook's new version, greater than `from`.
    pub secret: SealedSecret,
    /// Until when those before it sign; the new one's time where they end at once.
    pub overlap_until: Timestamp,
    /// Most secrets that may sign at once, the new one included.
    pub secrets_max: i64,
    /// The `updated_at` of what the rotation was made from.
    pub from: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who rotates it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RotateSecret {
    const NAME: &'static str = "signing_secrets.rotate";
    type Out = Rotated;

    fn run(&self, tx: &mut dyn Tx) -> Result<Rotated, StoreError> {
        let (workspace, webhook) = (Arg::from(&self.workspace), Arg::from(&self.webhook));
        let at = Arg::from(self.secret.created_at);
        // Where those before it end at once, there is room whatever their number.
        let overlaps = self.overlap_until > self.secret.created_at;
        let max = if overlaps { self.secrets_max } else { i64::MAX };
        let args =
            [workspace, webhook, self.from.into(), self.only_made_by.as_ref().into(), at, Arg::Int(max)];
        if tx.exec(&NEW_VERSION, &args)? == 0 {
            return self.why_not(tx, max);
        }
        tx.exec(&END_AT, &[workspace, webhook, self.overlap_until.into()])?;
        tx.exec(&DELETE_ENDED, &[workspace, webhook, at])?;
        insert(tx, self.workspace, self.webhook, &self.secret)?;
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Rotated::Done)
    }
}

impl RotateSecret {
    fn why_not(&self, tx: &mut dyn Tx, max: i64) -> Result<Rotated, StoreError> {
        let maker = webhooks::maker(tx.as_read(), self.workspace, self.webhook)?;
        let Some(maker) = maker else { return Ok(Rotated::Missing) };
        if self.only_made_by.as_ref().is_some_and(|member| *member != maker) {
            return Ok(Rotated::NotTheirs);
        }
        let args = [(&self.workspace).into(), (&self.webhook).into(), self.secret.created_at.into()];
        let live = tx.as_read().first(&LIVE, &args, |row| row.int(0))?;
        Ok(if live.is_some_and(|live| live >= max) { Rotated::Full } else { Rotated::Stale })
    }
}

pub(super) fn insert(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    webhook: WebhookId,
    secret: &SealedSecret,
) -> Result<(), StoreError> {
    let SealedSecret { created_at, sealed, expires_at } = secret;
    let args =
        [(&workspace).into(), (&webhook).into(), (*created_at).into(), sealed.into(), (*expires_at).into()];
    tx.exec(&INSERT, &args)?;
    Ok(())
}

pub(super) fn of_webhook(
    tx: &mut dyn Read,
    workspace: WorkspaceId,
    webhook: WebhookId,
) -> Result<Vec<SealedSecret>, StoreError> {
    tx.all(&OF_WEBHOOK, &[(&workspace).into(), (&webhook).into()], |row| {
        Ok(SealedSecret {
            created_at: row.at(0)?,
            sealed: row.bytes(1)?.to_vec(),
            expires_at: row.opt_at(2)?,
        })
    })
}

pub(super) fn delete_all(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    webhook: WebhookId,
) -> Result<(), StoreError> {
    tx.exec(&DELETE_ALL, &[(&workspace).into(), (&webhook).into()])?;
    Ok(())
}
