//! Signing secrets of webhooks, sealed. During a rotation's overlap a webhook has two.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp, WebhookId, WorkspaceId};

use super::audit::{self, AuditFact};
use super::webhooks;
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Read, Tx};

statements! {
    INSERT = "INSERT INTO signing_secrets (workspace_id, webhook_id, created_at, sealed, expires_at) \
              VALUES ($1, $2, $3, $4, $5)";
    OF_WEBHOOK = "SELECT created_at, sealed, expires_at FROM signing_secrets \
                  WHERE workspace_id = $1 AND webhook_id = $2 ORDER BY created_at DESC";
    DELETE_ALL = "DELETE FROM signing_secrets WHERE workspace_id = $1 AND webhook_id = $2";
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
