//! `GET /v1/workspaces`

use axum::Json;
use axum::extract::State;
use keybell_app::App;

use super::shape::Workspace;
use crate::api::v1::shapes::List;
use crate::extract::{Operator, PageQuery, QueryParams};
use crate::problem::Answer;

/// List workspaces
///
/// Newest first.
#[utoipa::path(get, path = "/v1/workspaces", tag = "Workspaces", operation_id = "list_workspaces",
    params(PageQuery), responses((status = 200, body = List<Workspace>)))]
pub(super) async fn list(
    Operator(grant): Operator,
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<List<Workspace>>> {
    let listing = app.list_workspaces(grant, query.page()?).await?;
    Ok(Json(List::of(listing, Workspace::from)))
}
