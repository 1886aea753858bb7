//! `PATCH /v1/workspaces/{workspace}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::workspaces::WorkspacePatch;
use keybell_core::grant::ManageWorkspace;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Workspace;
use crate::extract::{Granted, JsonBody, Patch};
use crate::problem::Answer;

/// What to change of a workspace (JSON merge patch).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkspacePatch)]
pub(super) struct Body {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, nullable = false)]
    name: Patch<String>,
    /// The platform's own id for it; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    external_id: Patch<String>,
}

/// Change a workspace
#[utoipa::path(patch, path = "/v1/workspaces/{workspace}", tag = "Workspaces", operation_id = "edit_workspace",
    request_body = Body, responses((status = 200, body = Workspace)))]
pub(super) async fn edit(
    Granted(grant): Granted<ManageWorkspace>,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<Json<Workspace>> {
    let patch =
        WorkspacePatch { name: body.name.required("name")?, external_id: body.external_id.removable() };
    Ok(Json(app.edit_workspace(grant, patch).await?.into()))
}
