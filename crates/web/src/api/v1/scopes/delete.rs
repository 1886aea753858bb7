//! `DELETE /v1/scopes/{name}`

use axum::extract::State;
use http::StatusCode;
use keybell_app::App;

use crate::extract::{Operator, PathId};
use crate::problem::Answer;

/// Delete a scope
///
/// Keys that carry it keep it; new ones cannot have it.
#[utoipa::path(delete, path = "/v1/scopes/{name}", tag = "Scopes", operation_id = "delete_scope",
    responses((status = 204, description = "It is gone from the catalogue.")))]
pub(super) async fn delete(
    Operator(grant): Operator,
    State(app): State<App>,
    PathId(name): PathId<String>,
) -> Answer<StatusCode> {
    app.delete_scope(grant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
