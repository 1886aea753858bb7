//! `PATCH /v1/workspaces/{workspace}/webhooks/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::webhooks::WebhookPatch;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use keybell_core::payload::ContentType;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::shape::{ContentTypeWord, NewHeader, Webhook, WebhookRateLimit};
use crate::extract::{Granted, JsonBody, Patch, PathId};
use crate::problem::Answer;

/// What to change of a webhook (JSON merge patch). Lists are replaced whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch)]
pub(super) struct Body {
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    name: Patch<String>,
    /// Null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1_000)]
    description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, max_length = 2_048)]
    url: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    events: Patch<Vec<String>>,
    /// Null makes it `application/json`.
    #[serde(default)]
    #[schema(value_type = Option<ContentTypeWord>)]
    content_type: Patch<ContentType>,
    /// A secret header without a value keeps the one it has. Null removes all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<NewHeader>>, max_items = 32)]
    headers: Patch<Vec<NewHeader>>,
    /// Disabling parks what is pending; enabling takes it up again.
    #[serde(default)]
    #[schema(value_type = Option<bool>, nullable = false)]
    enabled: Patch<bool>,
    /// Null removes it.
    #[serde(default)]
    #[schema(value_type = Option<WebhookRateLimit>)]
    rate_limit: Patch<WebhookRateLimit>,
    /// Null makes it the installation's own.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_in_flight: Patch<u32>,
    /// Merged member by member; null removes all.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
}

/// Change a webhook
#[utoipa::path(patch, path = "/v1/workspaces/{workspace}/webhooks/{id}", tag = "Webhooks", operation_id = "edit_webhook",
    request_body = Body, responses((status = 200, body = Webhook)))]
pub(super) async fn edit(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<Json<Webhook>> {
    let headers = body.headers.or_default();
    let patch = WebhookPatch {
        name: body.name.required("name")?,
        description: body.description.or_default(),
        url: body.url.required("url")?,
        events: body.events.required("events")?,
        content_type: body.content_type.removable().map(|sent| sent.unwrap_or(ContentType::Json)),
        headers: headers.map(|headers| headers.into_iter().map(Into::into).collect()),
        enabled: body.enabled.required("enabled")?,
        rate_limit: body.rate_limit.removable().map(|limit| limit.map(Into::into)),
        max_in_flight: body.max_in_flight.removable(),
        metadata: body.metadata.removable(),
    };
    Ok(Json(app.edit_webhook(grant, id, patch).await?.into()))
}
