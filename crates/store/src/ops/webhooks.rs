//! Webhooks. Secrets come in and go out sealed: of them the store knows only bytes.
//!
//! Every change makes `updated_at` greater, so that it tells versions of a webhook apart: an edit names the version it was
//! made from, and the memory never lets an older version replace a newer one.

use keybell_core::grant::Origin;
use keybell_core::payload::ContentType;
use keybell_core::{ActorRef, Timestamp, WebhookId, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::audit::{self, AuditFact};
use super::signing_secrets::{self, SealedSecret};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

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
            enabled = $11, disabled_reason = $12, failing_since = $13, rate_limit = $14, max_in_flight = $15, \
            metadata = $16, updated_at = $17 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4)";
    DELETE = "DELETE FROM webhooks WHERE workspace_id = $1 AND id = $2 \
              AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3)";
    CREATED_BY = "SELECT created_by_id FROM webhooks WHERE workspace_id = $1 AND id = $2";
}

/// A webhook as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookRecord {
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: WebhookId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where its requests go.
    pub url: String,
    /// The patterns of the events it wants.
    pub events: Vec<String>,
    /// How it wants them.
    pub content_type: ContentType,
    /// What is added to its requests.
    pub headers: Vec<StoredHeader>,
    /// Why it is switched off; `None` while it is on.
    pub disabled: Option<DisabledReason>,
    /// Since when deliveries to it fail, while they do.
    pub failing_since: Option<Timestamp>,
    /// How often it may be called.
    pub rate_limit: Option<WebhookRateLimit>,
    /// How many requests to it may be under way at once, where it has a limit of its own.
    pub max_in_flight: Option<u32>,
    /// What its maker wants to remember of it.
    pub metadata: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: ActorRef,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When its newest delivery that came to an end did so. Read only.
    pub last_delivery_at: Option<Timestamp>,
}

/// A custom header as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(flatten)]
    pub value: StoredValue,
}

/// The value of a header, as it may be read or as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredValue {
    /// As it is.
    #[serde(rename = "value")]
    Plain(String),
    /// Sealed, in base64.
    Sealed(String),
}

/// How often a webhook may be called: `limit` times in `window_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookRateLimit {
    /// How often.
    pub limit: u32,
    /// In how many seconds.
    pub window_seconds: u32,
}

/// Why a webhook is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody did it.
    ByMember,
    /// It answered 410: it is gone.
    Gone,
    /// It failed for days.
    Failing,
}

impl DisabledReason {
    /// Its word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            DisabledReason::ByMember => "by_member",
            DisabledReason::Gone => "gone",
            DisabledReason::Failing => "failing",
        }
    }

    /// The reason of that word.
    pub fn parse(word: &str) -> Option<DisabledReason> {
        let all = [DisabledReason::ByMember, DisabledReason::Gone, DisabledReason::Failing];
        all.into_iter().find(|reason| reason.as_str() == word)
    }
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
        let created_by = json(&record.created_by);
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
    /// The webhook as it shall be; its `updated_at` is greater than `from`.
    pub record: WebhookRecord,
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
            record.failing_since.into(),
            written.rate_limit.as_ref().into(),
            record.max_in_flight.map(i64::from).into(),
            (&written.metadata).into(),
            record.updated_at.into(),
        ];
        if tx.exec(&EDIT, &args)? == 0 {
            return why_not(tx, record.workspace, record.id, self.only_made_by.as_deref());
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

/// Why a guarded change changed nothing.
fn why_not(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: WebhookId,
    only_made_by: Option<&str>,
) -> Result<Changed, StoreError> {
    let made_by = tx
        .as_read()
        .first(&CREATED_BY, &[(&workspace).into(), (&id).into()], |row| Ok(row.text(0)?.to_owned()))?;
    Ok(match made_by {
        None => Changed::Missing,
        Some(maker) if only_made_by.is_some_and(|member| member != maker) => Changed::NotTheirs,
        Some(_) => Changed::Stale,
    })
}

/// The fields that are stored as JSON, written.
struct Written {
    events: String,
    headers: String,
    rate_limit: Option<String>,
    metadata: String,
}

impl Written {
    fn of(record: &WebhookRecord) -> Written {
        Written {
            events: json(&record.events),
            headers: json(&record.headers),
            rate_limit: record.rate_limit.as_ref().map(json),
            metadata: json(&record.metadata),
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a webhook's fields can be written as JSON")
}

fn of_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what })
}

fn read_webhook(row: &dyn Row) -> Result<WebhookRecord, StoreError> {
    let content_type =
        ContentType::parse(row.text(6)?).ok_or(StoreError::Corrupt { what: "content type" })?;
    let disabled = if row.bool(8)? {
        None
    } else {
        let reason = DisabledReason::parse(row.text(9)?);
        Some(reason.ok_or(StoreError::Corrupt { what: "webhook's reason to be off" })?)
    };
    let rate_limit = row.opt_text(11)?.map(|text| of_json(text, "webhook's rate limit")).transpose()?;
    let max_in_flight = row.opt_int(12)?.map(u32::try_from).transpose();
    Ok(WebhookRecord {
        workspace: row.id(0)?,
        id: row.id(1)?,
        name: row.text(2)?.to_owned(),
        description: row.text(3)?.to_owned(),
        url: row.text(4)?.to_owned(),
        events: of_json(row.text(5)?, "webhook's events")?,
        content_type,
        headers: of_json(row.text(7)?, "webhook's headers")?,
        disabled,
        failing_since: row.opt_at(10)?,
        rate_limit,
        max_in_flight: max_in_flight
            .map_err(|_| StoreError::Corrupt { what: "webhook's limit in flight" })?,
        metadata: of_json(row.text(13)?, "webhook's metadata")?,
        created_at: row.at(14)?,
        created_by: of_json(row.text(15)?, "webhook's maker")?,
        updated_at: row.at(16)?,
        last_delivery_at: row.opt_at(17)?,
    })
}
