//! `GET /v1/workspaces/{workspace}/events/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::event::EventId;
use keybell_core::grant::ReadPayloads;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::list::Event;
use crate::api::v1::shapes::json;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// An event with what it carries.
#[derive(Serialize, ToSchema)]
pub(super) struct EventWithData {
    #[serde(flatten)]
    event: Event,
    /// As it was published, byte for byte.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
}

/// Read an event
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/events/{id}", tag = "Events", operation_id = "get_event",
    responses((status = 200, body = EventWithData)))]
pub(super) async fn get(
    Granted(grant): Granted<ReadPayloads>,
    State(app): State<App>,
    PathId(id): PathId<EventId>,
) -> Answer<Json<EventWithData>> {
    let found = app.event(grant, id).await?;
    Ok(Json(EventWithData { event: found.event.into(), data: json(found.data) }))
}
