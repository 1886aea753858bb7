//! What a webhook looks like from outside, and the parts of it that are sent in.

use keybell_app::webhooks::{self as app, DisabledReason, ShownHeader, WebhookStatus};
use keybell_core::payload::ContentType;
use keybell_core::signature::SigningSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::v1::shapes::{At, Doer};

/// A subscription: which events of the workspace go to which URL, and how.
#[derive(Serialize, ToSchema)]
pub(super) struct Webhook {
    #[schema(example = "whk_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    name: String,
    description: String,
    url: String,
    /// Event types, groups (`portfolio.*`), or `*` for all, also future ones.
    #[schema(example = json!(["research_report.published", "portfolio.*"]))]
    events: Vec<String>,
    #[schema(value_type = ContentTypeWord)]
    content_type: ContentType,
    #[schema(value_type = Vec<Header>)]
    headers: Vec<ShownHeader>,
    enabled: bool,
    /// `active`, `failing` (its deliveries fail), or `disabled`.
    #[schema(value_type = StatusWord)]
    status: WebhookStatus,
    /// `by_member`, `gone` (it answered 410), or `failing` (for days).
    #[schema(value_type = Option<DisabledReasonWord>, required)]
    disabled_reason: Option<DisabledReason>,
    #[schema(required)]
    rate_limit: Option<WebhookRateLimit>,
    /// Requests under way at once; the installation's own limit where it is null.
    #[schema(required)]
    max_in_flight: Option<u32>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_at: At,
    created_by: Doer,
    updated_at: At,
    /// When a delivery last succeeded or failed.
    #[schema(required)]
    last_delivery_at: Option<At>,
}

impl From<app::Webhook> for Webhook {
    fn from(webhook: app::Webhook) -> Self {
        Webhook {
            id: webhook.id.to_string(),
            name: webhook.name,
            description: webhook.description,
            url: webhook.url,
            events: webhook.events,
            content_type: webhook.content_type,
            headers: webhook.headers,
            enabled: webhook.enabled,
            status: webhook.status,
            disabled_reason: webhook.disabled_reason,
            rate_limit: webhook.rate_limit.map(Into::into),
            max_in_flight: webhook.max_in_flight,
            metadata: webhook.metadata,
            created_at: webhook.created_at.into(),
            created_by: webhook.created_by.into(),
            updated_at: webhook.updated_at.into(),
            last_delivery_at: webhook.last_delivery_at.map(Into::into),
        }
    }
}

/// A new webhook, with the secret that signs its deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: Webhook,
    /// Verifies what the webhook receives (Standard Webhooks). A replayed answer does not have it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", required = false)]
    signing_secret: String,
}

impl WebhookWithSecret {
    /// The one place where a secret is shown with its webhook.
    pub(super) fn shown((webhook, secret): (app::Webhook, SigningSecret)) -> Self {
        WebhookWithSecret { webhook: webhook.into(), signing_secret: secret.reveal().to_string() }
    }
}

/// A header that is sent with every delivery.
#[derive(ToSchema)]
#[schema(as = WebhookHeader)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Header {
    name: String,
    /// Left out where it is secret.
    #[schema(nullable = false)]
    value: Option<String>,
    secret: bool,
}

/// How many requests a webhook may be sent in a time.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookRateLimit {
    #[schema(minimum = 1, maximum = 1_000_000)]
    limit: u32,
    #[schema(minimum = 1, maximum = 3_600)]
    window_seconds: u32,
}

impl From<app::WebhookRateLimit> for WebhookRateLimit {
    fn from(app::WebhookRateLimit { limit, window_seconds }: app::WebhookRateLimit) -> Self {
        WebhookRateLimit { limit, window_seconds }
    }
}

impl From<WebhookRateLimit> for app::WebhookRateLimit {
    fn from(WebhookRateLimit { limit, window_seconds }: WebhookRateLimit) -> Self {
        app::WebhookRateLimit { limit, window_seconds }
    }
}

/// A header to be sent with every delivery.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookHeader)]
pub(super) struct NewHeader {
    #[schema(max_length = 128)]
    name: String,
    /// Can be left out in a patch for a secret one, which keeps its value then.
    #[schema(max_length = 4_096)]
    value: Option<String>,
    /// Whether it is write-only: kept sealed, and never shown again.
    #[serde(default)]
    secret: bool,
}

impl From<NewHeader> for app::NewHeader {
    fn from(NewHeader { name, value, secret }: NewHeader) -> Self {
        app::NewHeader { name, value, secret }
    }
}

/// The body's format.
#[derive(ToSchema)]
#[schema(as = ContentType)]
#[expect(dead_code, reason = "only its schema is used: the use case reads the word")]
pub(super) enum ContentTypeWord {
    #[schema(rename = "application/json")]
    Json,
    #[schema(rename = "application/xml")]
    Xml,
    #[schema(rename = "application/x-www-form-urlencoded")]
    Form,
    #[schema(rename = "application/cloudevents+json")]
    CloudEvents,
}

/// How a webhook is.
#[derive(ToSchema)]
#[schema(as = WebhookStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum StatusWord {
    Active,
    Failing,
    Disabled,
}

/// Why a webhook is disabled.
#[derive(ToSchema)]
#[schema(as = DisabledReason, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum DisabledReasonWord {
    ByMember,
    Gone,
    Failing,
}
