//! `POST /v1/workspaces`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::workspaces::NewWorkspace;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Workspace;
use crate::extract::{JsonBody, Operator};
use crate::problem::Answer;

/// A workspace to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWorkspace)]
pub(super) struct Body {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The platform's own id for it.
    external_id: Option<String>,
}

/// Create a workspace
#[utoipa::path(post, path = "/v1/workspaces", tag = "Workspaces", operation_id = "create_workspace",
    request_body = Body, responses((status = 201, body = Workspace)))]
pub(super) async fn create(
    Operator(grant): Operator,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<Workspace>)> {
    let new = NewWorkspace { name: body.name, external_id: body.external_id };
    let made = app.create_workspace(grant, new).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
