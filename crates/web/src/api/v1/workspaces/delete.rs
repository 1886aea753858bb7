//! `DELETE /v1/workspaces/{workspace}`

use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_core::grant::DeleteWorkspace;

use crate::extract::Granted;
use crate::problem::Answer;

/// Delete a workspace
///
/// Removes everything in it: keys, webhooks, events, deliveries, members, and its audit log.
#[utoipa::path(delete, path = "/v1/workspaces/{workspace}", tag = "Workspaces", operation_id = "delete_workspace",
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    Granted(grant): Granted<DeleteWorkspace>,
    State(app): State<App>,
) -> Answer<StatusCode> {
    app.delete_workspace(grant).await?;
    Ok(StatusCode::NO_CONTENT)
}
