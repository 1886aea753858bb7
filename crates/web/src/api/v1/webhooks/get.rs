//! `GET /v1/workspaces/{workspace}/webhooks/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::WebhookId;
use keybell_core::grant::ReadWebhooks;

use super::shape::Webhook;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Read a webhook
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/webhooks/{id}", tag = "Webhooks", operation_id = "get_webhook",
    responses((status = 200, body = Webhook)))]
pub(super) async fn get(
    Granted(grant): Granted<ReadWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Answer<Json<Webhook>> {
    Ok(Json(app.webhook(grant, id).await?.into()))
}
