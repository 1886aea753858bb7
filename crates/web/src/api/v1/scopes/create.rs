//! `POST /v1/scopes`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::scopes::NewScope;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Scope;
use crate::extract::{JsonBody, Operator};
use crate::problem::Answer;

/// A scope to be declared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewScope)]
pub(super) struct Body {
    /// Such as `reports:read`. Names that begin with `keybell:` are Keybell's own.
    #[schema(example = "reports:read")]
    name: String,
    /// What it allows, for whoever makes a key.
    description: String,
}

/// Declare a scope
#[utoipa::path(post, path = "/v1/scopes", tag = "Scopes", operation_id = "create_scope",
    request_body = Body, responses((status = 201, body = Scope)))]
pub(super) async fn create(
    Operator(grant): Operator,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<Scope>)> {
    let new = NewScope { name: body.name, description: body.description };
    let made = app.create_scope(grant, new).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
