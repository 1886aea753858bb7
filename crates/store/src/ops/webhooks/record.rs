//! A webhook as it is stored, to and from its row.

use keybell_core::payload::ContentType;
use keybell_core::{ActorRef, Timestamp, WebhookId, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::ops::json;
use crate::tx::Row;

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

/// The fields that are stored as JSON, written.
pub(super) struct Written {
    pub(super) events: String,
    pub(super) headers: String,
    pub(super) rate_limit: Option<String>,
    pub(super) metadata: String,
}

impl Written {
    pub(super) fn of(record: &WebhookRecord) -> Written {
        Written {
            events: json::write(&record.events),
            headers: json::write(&record.headers),
            rate_limit: record.rate_limit.as_ref().map(json::write),
            metadata: json::write(&record.metadata),
        }
    }
}

/// Reads a row of the columns that the statements list.
pub(super) fn read_webhook(row: &dyn Row) -> Result<WebhookRecord, StoreError> {
    let content_type =
        ContentType::parse(row.text(6)?).ok_or(StoreError::Corrupt { what: "content type" })?;
    let disabled = if row.bool(8)? {
        None
    } else {
        let reason = DisabledReason::parse(row.text(9)?);
        Some(reason.ok_or(StoreError::Corrupt { what: "webhook's reason to be off" })?)
    };
    let rate_limit = row.opt_text(11)?.map(|text| json::read(text, "webhook's rate limit")).transpose()?;
    let max_in_flight = row.opt_int(12)?.map(u32::try_from).transpose();
    Ok(WebhookRecord {
        workspace: row.id(0)?,
        id: row.id(1)?,
        name: row.text(2)?.to_owned(),
        description: row.text(3)?.to_owned(),
        url: row.text(4)?.to_owned(),
        events: json::read(row.text(5)?, "webhook's events")?,
        content_type,
        headers: json::read(row.text(7)?, "webhook's headers")?,
        disabled,
        failing_since: row.opt_at(10)?,
        rate_limit,
        max_in_flight: max_in_flight
            .map_err(|_| StoreError::Corrupt { what: "webhook's limit in flight" })?,
        metadata: json::read(row.text(13)?, "webhook's metadata")?,
        created_at: row.at(14)?,
        created_by: json::read(row.text(15)?, "webhook's maker")?,
        updated_at: row.at(16)?,
        last_delivery_at: row.opt_at(17)?,
    })
}
