//! `GET /v1/workspaces/{workspace}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ReadWorkspace;

use super::shape::Workspace;
use crate::extract::Granted;
use crate::problem::Answer;

/// Read a workspace
#[utoipa::path(get, path = "/v1/workspaces/{workspace}", tag = "Workspaces", operation_id = "get_workspace",
    responses((status = 200, body = Workspace)))]
pub(super) async fn get(
    Granted(grant): Granted<ReadWorkspace>,
    State(app): State<App>,
) -> Answer<Json<Workspace>> {
    Ok(Json(app.workspace(grant).await?.into()))
}
