//! `POST /v1/workspaces/{workspace}/webhooks/{id}/test`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::v1::deliveries::Attempt;
use crate::extract::{Granted, JsonBodyOrDefault, PathId};
use crate::problem::Answer;

/// What a test is of.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookTest)]
pub(super) struct Body {
    /// Any type of the catalogue; one that the webhook wants where it is left out.
    #[schema(example = "research_report.published")]
    event_type: Option<String>,
}

/// Test a webhook
///
/// Sends a signed request, as a delivery is sent, and answers when it is over with what was sent and what came back. It
/// carries the example of the event type, or `{"test":true}`, and an id that begins with `test_`. A disabled webhook can be
/// tested too. It counts for nothing: neither the webhook's status nor its statistics nor the list of deliveries know of it.
/// One test of a webhook at a time, and four of a workspace.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/webhooks/{id}/test", tag = "Webhooks",
    operation_id = "test_webhook", request_body(content = Option<Body>, description = "May be left out."),
    responses((status = 200, body = Attempt)))]
pub(super) async fn test(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    JsonBodyOrDefault(body): JsonBodyOrDefault<Body>,
) -> Answer<Json<Attempt>> {
    Ok(Json(app.test_webhook(grant, id, body.event_type.as_deref()).await?.into()))
}
