//! `GET /v1/event-types/{name}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;

use super::shape::EventType;
use crate::extract::{Credential, PathId};
use crate::problem::Answer;

/// Read an event type
#[utoipa::path(get, path = "/v1/event-types/{name}", tag = "Event types", operation_id = "get_event_type",
    responses((status = 200, body = EventType)))]
pub(super) async fn get(
    _: Credential,
    State(app): State<App>,
    PathId(name): PathId<String>,
) -> Answer<Json<EventType>> {
    Ok(Json(app.event_type(&name)?.into()))
}
