//! `GET /v1/scopes`

use axum::Json;
use axum::extract::State;
use keybell_app::App;

use super::shape::Scope;
use crate::api::v1::shapes::List;
use crate::extract::{Credential, PageQuery, QueryParams};
use crate::problem::Answer;

/// List scopes
#[utoipa::path(get, path = "/v1/scopes", tag = "Scopes", operation_id = "list_scopes",
    params(PageQuery), responses((status = 200, body = List<Scope>)))]
pub(super) async fn list(
    _: Credential,
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<List<Scope>>> {
    let listing = app.list_scopes(&query.page()?)?;
    Ok(Json(List::of(listing, Scope::from)))
}
