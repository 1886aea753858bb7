//! `GET /v1/event-types`

use axum::Json;
use axum::extract::State;
use keybell_app::App;

use super::shape::EventType;
use crate::api::v1::shapes::List;
use crate::extract::{Credential, PageQuery, QueryParams};
use crate::problem::Answer;

/// List event types
///
/// Archived ones are left out.
#[utoipa::path(get, path = "/v1/event-types", tag = "Event types", operation_id = "list_event_types",
    params(PageQuery), responses((status = 200, body = List<EventType>)))]
pub(super) async fn list(
    _: Credential,
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<List<EventType>>> {
    let listing = app.list_event_types(&query.page()?)?;
    Ok(Json(List::of(listing, EventType::from)))
}
