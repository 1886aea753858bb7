//! `POST /v1/workspaces/{workspace}/webhooks`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::webhooks::NewWebhook;
use keybell_core::grant::ManageWebhooks;
use keybell_core::payload::ContentType;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::shape::{ContentTypeWord, NewHeader, WebhookRateLimit, WebhookWithSecret};
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// What a webhook shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub(super) struct Body {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 1_000)]
    description: String,
    /// Absolute, `https`, without user information or fragment.
    #[schema(max_length = 2_048, example = "https://example.com/hooks")]
    url: String,
    /// Event types, groups (`portfolio.*`), or `*` for all, also future ones.
    #[schema(min_items = 1, example = json!(["research_report.published", "portfolio.*"]))]
    events: Vec<String>,
    #[serde(default = "json_content")]
    #[schema(value_type = Option<ContentTypeWord>, nullable = false)]
    content_type: ContentType,
    #[serde(default)]
    #[schema(max_items = 32)]
    headers: Vec<NewHeader>,
    #[serde(default = "switched_on")]
    enabled: bool,
    rate_limit: Option<WebhookRateLimit>,
    /// Requests under way at once; the installation's own limit where it is left out.
    #[schema(minimum = 1)]
    max_in_flight: Option<u32>,
    /// A Standard Webhooks secret to sign with (`whsec_…`); a new one is made where it is left out.
    signing_secret: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

fn json_content() -> ContentType {
    ContentType::Json
}

fn switched_on() -> bool {
    true
}

/// Create a webhook
///
/// Events published from then on are delivered to it. The answer has the signing secret.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/webhooks", tag = "Webhooks", operation_id = "create_webhook",
    request_body = Body, responses((status = 201, body = WebhookWithSecret)))]
pub(super) async fn create(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<WebhookWithSecret>)> {
    let new = NewWebhook {
        name: body.name,
        description: body.description,
        url: body.url,
        events: body.events,
        content_type: body.content_type,
        headers: body.headers.into_iter().map(Into::into).collect(),
        enabled: body.enabled,
        rate_limit: body.rate_limit.map(Into::into),
        max_in_flight: body.max_in_flight,
        signing_secret: body.signing_secret,
        metadata: body.metadata,
    };
    let made = app.create_webhook(grant, new).await?;
    Ok((StatusCode::CREATED, Json(WebhookWithSecret::shown(made))))
}
