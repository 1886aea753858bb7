//! Webhooks. Secrets come in and go out sealed: of them the store knows only bytes.
//!
//! Every change makes `updated_at` greater, so that it tells versions of a webhook apart: an edit names the version it was
//! made from, and the memory never lets an older version replace a newer one.

mod record;

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp, WebhookId, WorkspaceId};

use super::audit::{self, AuditFact};
use super::json;
use super::signing_secrets::{self, SealedSecret};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Tx};

pub use record::{DisabledReason, StoredHeader, StoredValue, WebhookRateLimit, WebhookRecord};
use record::{Written, read_webhook};

macro_rules! columns {
    () => {
        "workspace_id, id, name, description, url, events, content_type, headers, enabled, disabled_reason, \
         failing_since, rate_limit, max_in_flight, metadata, created_at, created_by, updated_at"
    };
}
// Ids of deliveries are in the order of time, so the last of them came to an end last, or near enough to tell a person.
macro_rules! shown {
    () => {
        concat!(
            columns!(),
            ", (SELECT f.completed_at FROM finished_deliveries f \
                /*indexed by finished_deliveries_webhook*/ \
                WHERE f.workspace_id = webhooks.workspace_id AND f.webhook_id = webhooks.id \
                ORDER BY f.id DESC LIMIT 1) FROM webhooks "
        )
    };
}

statements! {
    INSERT = "INSERT INTO webhooks (workspace_id, id, name, description, url, events, content_type, headers, enabled, \
              disabled_reason, failing_since, rate_limit, max_in_flight, metadata, created_at, created_by_id, \
              created_by, updated_at) \
              SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, $13, $14, $15, $16, $14 \
              WHERE (SELECT COUNT(*) FROM webhooks WHERE workspace_id = $1) < $17 \
              AND EXISTS (SELECT 1 FROM workspaces WHERE id = $1)";
    BY_ID = concat!("SELECT ", shown!(), "WHERE workspace_id = $1 AND id = $2");
    LIST = concat!("SELECT ", shown!(), "WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    LOAD = concat!("SELECT ", shown!(), "WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT $3");
    EDIT = "UPDATE webhooks SET name = $5, description = $6, url = $7, events = $8, content_type = $9, headers = $10, \
            enabled = $11, disabled_reason = $12, rate_limit = $13, max_in_flight = $14, metadata = $15, \
            updated_at = $16 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4)";
    BEGIN_ANEW = "UPDATE webhooks SET failing_since = NULL, failing_last_at = NULL, failing_delivery = NULL, \
                  failing_several = 0, failing_warned_at = NULL WHERE workspace_id = $1 AND id = $2";
    DELETE = "DELETE FROM webhooks WHERE workspace_id = $1 AND id = $2 \
              AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3)";
    COUNT = "SELECT COUNT(*), COUNT(CASE WHEN w.enabled = 1 AND w.failing_since IS NULL THEN 1 END) FROM \
             (SELECT enabled, failing_since FROM webhooks WHERE workspace_id = $1 ORDER BY id LIMIT $2) w";
    CREATED_BY = "SELECT created_by_id FROM webhooks WHERE workspace_id = $1 AND id = $2";
}

/// A webhook with the secrets that sign its requests, newest first.
#[derive(Clone, Debug)]
pub struct StoredWebhook {
    /// The webhook.
    pub record: WebhookRecord,
    /// Its signing secrets, sealed.
    pub secrets: Vec<SealedSecret>,
}

/// Adds a webhook with its first signing secret.
#[derive(Debug)]
pub struct InsertWebhook {
    /// The webhook.
    pub stored: StoredWebhook,
    /// Most webhooks of a workspace.
    pub webhooks_max: u32,
    /// From where it is made.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertWebhook {
    const NAME: &'static str = "webhooks.insert";
    /// `false` where the workspace has as many as it may have, or is gone.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let StoredWebhook { record, secrets } = &self.stored;
        let written = Written::of(record);
        let created_by = json::write(&record.created_by);
        let args = [
            (&record.workspace).into(),
            (&record.id).into(),
            (&record.name).into(),
            (&record.description).into(),
            (&record.url).into(),
            (&written.events).into(),
            record.content_type.as_str().into(),
            (&written.headers).into(),
            record.disabled.is_none().into(),
            record.disabled.map(DisabledReason::as_str).into(),
            written.rate_limit.as_ref().into(),
            record.max_in_flight.map(i64::from).into(),
            (&written.metadata).into(),
            record.created_at.into(),
            (&record.created_by.id).into(),
            (&created_by).into(),
            i64::from(self.webhooks_max).into(),
        ];
        if tx.exec(&INSERT, &args)? == 0 {
            return Ok(false);
        }
        for secret in secrets {
            signing_secrets::insert(tx, record.workspace, record.id, secret)?;
        }
        audit::entry(tx, record.workspace, &record.created_by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

/// One webhook of a workspace.
#[derive(Debug)]
pub struct GetWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub id: WebhookId,
}

impl Query for GetWebhook {
    const NAME: &'static str = "webhooks.get";
    type Out = Option<StoredWebhook>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let found = tx.first(&BY_ID, &[(&self.workspace).into(), (&self.id).into()], read_webhook)?;
        let Some(record) = found else { return Ok(None) };
        let secrets = signing_secrets::of_webhook(tx, self.workspace, self.id)?;
        Ok(Some(StoredWebhook { record, secrets }))
    }
}

/// Webhooks of a workspace, newest first.
#[derive(Debug)]
pub struct ListWebhooks {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only webhooks before this one.
    pub before: Option<WebhookId>,
    /// Most webhooks to give.
    pub rows: i64,
}

impl Query for ListWebhooks {
    const NAME: &'static str = "webhooks.list";
    type Out = Vec<WebhookRecord>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let before = self.before.unwrap_or(WebhookId::from_bytes([0xff; 16]));
        tx.all(&LIST, &[(&self.workspace).into(), (&before).into(), self.rows.into()], read_webhook)
    }
}

/// Webhooks of all workspaces, in the order of their primary key: what is read into memory at the start.
#[derive(Debug)]
pub struct LoadWebhooks {
    /// Only webhooks after this one.
    pub after: Option<(WorkspaceId, WebhookId)>,
    /// Most webhooks to give.
    pub rows: i64,
}

impl Query for LoadWebhooks {
    const NAME: &'static str = "webhooks.load";
    type Out = Vec<StoredWebhook>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let start = (WorkspaceId::from_bytes([0; 16]), WebhookId::from_bytes([0; 16]));
        let (workspace, id) = self.after.unwrap_or(start);
        let records = tx.all(&LOAD, &[(&workspace).into(), (&id).into(), self.rows.into()], read_webhook)?;
        let with_secrets = |record: WebhookRecord| {
            let secrets = signing_secrets::of_webhook(tx, record.workspace, record.id)?;
            Ok(StoredWebhook { record, secrets })
        };
        records.into_iter().map(with_secrets).collect()
    }
}

/// What came of changing a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is changed.
    Done,
    /// Somebody changed it since the version that the change was made from.
    Stale,
    /// It is somebody else's, and whoever asks may only change their own.
    NotTheirs,
    /// The workspace has no such webhook.
    Missing,
}

/// Writes what may be edited of a webhook, made from the version `from`.
#[derive(Debug)]
pub struct EditWebhook {
    /// The webhook as it shall be; its `updated_at` is greater than `from`. Its `failing_since` is not written.
    pub record: WebhookRecord,
    /// Whether what failed before no longer counts against it.
    pub begins_anew: bool,
    /// The `updated_at` of what the edit was made from.
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

impl Op for EditWebhook {
    const NAME: &'static str = "webhooks.edit";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Changed, StoreError> {
        let record = &self.record;
        let written = Written::of(record);
        let args = [
            (&record.workspace).into(),
            (&record.id).into(),
            self.from.into(),
            self.only_made_by.as_ref().into(),
            (&record.name).into(),
            (&record.description).into(),
            (&record.url).into(),
            (&written.events).into(),
            record.content_type.as_str().into(),
            (&written.headers).into(),
            record.disabled.is_none().into(),
            record.disabled.map(DisabledReason::as_str).into(),
            written.rate_limit.as_ref().into(),
            record.max_in_flight.map(i64::from).into(),
            (&written.metadata).into(),
            record.updated_at.into(),
        ];
        if tx.exec(&EDIT, &args)? == 0 {
            return why_not(tx, record.workspace, record.id, self.only_made_by.as_deref());
        }
        if self.begins_anew {
            tx.exec(&BEGIN_ANEW, &[(&record.workspace).into(), (&record.id).into()])?;
        }
        audit::entry(tx, record.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done)
    }
}

/// Removes a webhook and its secrets. What was delivered to it stays in the log; what waits is for the engine to cancel.
#[derive(Debug)]
pub struct DeleteWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub id: WebhookId,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who removes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for DeleteWebhook {
    const NAME: &'static str = "webhooks.delete";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Changed, StoreError> {
        let args = [(&self.workspace).into(), (&self.id).into(), self.only_made_by.as_ref().into()];
        if tx.exec(&DELETE, &args)? == 0 {
            return why_not(tx, self.workspace, self.id, self.only_made_by.as_deref());
        }
        signing_secrets::delete_all(tx, self.workspace, self.id)?;
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done)
    }
}

/// Writes down that something was done with a webhook that leaves it as it is.
#[derive(Debug)]
pub struct AuditWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub id: WebhookId,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who does it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for AuditWebhook {
    const NAME: &'static str = "webhooks.audit";
    /// Never [`Changed::Stale`].
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Changed, StoreError> {
        match why_not(tx, self.workspace, self.id, self.only_made_by.as_deref())? {
            // It is there, and theirs.
            Changed::Stale | Changed::Done => {
                audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
                Ok(Changed::Done)
            }
            refused => Ok(refused),
        }
    }
}

/// Why a guarded change changed nothing.
fn why_not(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: WebhookId,
    only_made_by: Option<&str>,
) -> Result<Changed, StoreError> {
    Ok(match maker(tx.as_read(), workspace, id)? {
        None => Changed::Missing,
        Some(maker) if only_made_by.is_some_and(|member| member != maker) => Changed::NotTheirs,
        Some(_) => Changed::Stale,
    })
}

/// The id of whoever made a webhook, where it is there.
pub(super) fn maker(
    tx: &mut dyn Read,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<Option<String>, StoreError> {
    tx.first(&CREATED_BY, &[(&workspace).into(), (&id).into()], |row| Ok(row.text(0)?.to_owned()))
}

/// How many webhooks a workspace has.
#[derive(Debug)]
pub struct CountWebhooks {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Most webhooks to count.
    pub rows: i64,
}

impl Query for CountWebhooks {
    const NAME: &'static str = "webhooks.count";
    /// All of them, and those that are on and do not fail.
    type Out = (i64, i64);

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let counted = tx.first(&COUNT, &[(&self.workspace).into(), self.rows.into()], |row| {
            Ok((row.int(0)?, row.int(1)?))
        })?;
        Ok(counted.unwrap_or_default())
    }
}
