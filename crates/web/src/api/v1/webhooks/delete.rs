//! `DELETE /v1/workspaces/{workspace}/webhooks/{id}`

use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;

use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Delete a webhook
///
/// What is pending for it is canceled; what was delivered stays in the log.
#[utoipa::path(delete, path = "/v1/workspaces/{workspace}/webhooks/{id}", tag = "Webhooks",
    operation_id = "delete_webhook", responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Answer<StatusCode> {
    app.delete_webhook(grant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
