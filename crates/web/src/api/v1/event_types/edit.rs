//! `PATCH /v1/event-types/{name}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::event_types::EventTypePatch;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::shape::EventType;
use crate::extract::{JsonBody, Operator, Patch, PathId};
use crate::problem::Answer;

/// What to change of an event type (JSON merge patch). A schema or example is replaced whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventTypePatch)]
pub(super) struct Body {
    /// By which webhooks can select it; null makes it what stands before the name's first dot.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    group: Patch<String>,
    /// Null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Patch<String>,
    /// Null removes it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    schema: Patch<Box<RawValue>>,
    /// Null removes it.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    example: Patch<Box<RawValue>>,
}

/// Change an event type
#[utoipa::path(patch, path = "/v1/event-types/{name}", tag = "Event types", operation_id = "edit_event_type",
    request_body = Body, responses((status = 200, body = EventType)))]
pub(super) async fn edit(
    Operator(grant): Operator,
    State(app): State<App>,
    PathId(name): PathId<String>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<Json<EventType>> {
    let patch = EventTypePatch {
        group: body.group.removable(),
        description: body.description.or_default(),
        schema: body.schema.removable(),
        example: body.example.removable(),
    };
    Ok(Json(app.edit_event_type(grant, &name, patch).await?.into()))
}
