//! A webhook as it is shown: everything but its secrets.

use keybell_core::payload::ContentType;
use keybell_core::{ActorRef, Timestamp, WebhookId};
use keybell_store::ops::webhooks::{
    DisabledReason, StoredHeader, StoredValue, WebhookRateLimit, WebhookRecord,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// A webhook, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Webhook {
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
    pub headers: Vec<ShownHeader>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// How it is doing.
    pub status: WebhookStatus,
    /// Why it is switched off; `None` while it is on.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when every attempt failed; `None` where the last one did not.
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
    /// When its newest delivery that came to an end did so.
    pub last_delivery_at: Option<Timestamp>,
}

/// A custom header, without its value where that is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownHeader {
    /// Its name.
    pub name: String,
    /// Its value; `None` where it is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether its value is write-only.
    pub secret: bool,
}

/// How a webhook is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// It is called.
    Active,
    /// It is called, and fails.
    Failing,
    /// It is switched off.
    Disabled,
}

impl WebhookStatus {
    /// Its word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            WebhookStatus::Active => "active",
            WebhookStatus::Failing => "failing",
            WebhookStatus::Disabled => "disabled",
        }
    }
}

impl Webhook {
    pub(super) fn of(record: WebhookRecord) -> Webhook {
        let status = match (record.disabled, record.failing_since) {
            (Some(_), _) => WebhookStatus::Disabled,
            (None, Some(_)) => WebhookStatus::Failing,
            (None, None) => WebhookStatus::Active,
        };
        Webhook {
            id: record.id,
            name: record.name,
            description: record.description,
            url: record.url,
            events: record.events,
            content_type: record.content_type,
            headers: record.headers.into_iter().map(ShownHeader::of).collect(),
            enabled: record.disabled.is_none(),
            status,
            disabled_reason: record.disabled,
            failing_since: record.failing_since,
            rate_limit: record.rate_limit,
            max_in_flight: record.max_in_flight,
            metadata: record.metadata,
            created_at: record.created_at,
            created_by: record.created_by,
            updated_at: record.updated_at,
            last_delivery_at: record.last_delivery_at,
        }
    }
}

impl ShownHeader {
    pub(super) fn of(stored: StoredHeader) -> ShownHeader {
        match stored.value {
            StoredValue::Plain(value) => ShownHeader { name: stored.name, value: Some(value), secret: false },
            StoredValue::Sealed(_) => ShownHeader { name: stored.name, value: None, secret: true },
        }
    }
}
