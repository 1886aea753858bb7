//! `POST /v1/event-types`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::event_types::NewEventType;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::shape::EventType;
use crate::extract::{JsonBody, Operator};
use crate::problem::Answer;

/// An event type to be declared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEventType)]
pub(super) struct Body {
    /// Words of letters, digits, `_` and `-`, with dots between them.
    #[schema(
        max_length = 256,
        pattern = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        example = "research_report.published"
    )]
    name: String,
    /// By default what stands before the name's first dot.
    group: Option<String>,
    /// For the catalogue page.
    description: Option<String>,
    /// A JSON Schema (2020-12): an event whose `data` does not fit is refused.
    #[schema(value_type = Option<Object>)]
    schema: Option<Box<RawValue>>,
    /// An example of `data`.
    #[schema(value_type = Option<serde_json::Value>)]
    example: Option<Box<RawValue>>,
}

/// Declare an event type
#[utoipa::path(post, path = "/v1/event-types", tag = "Event types", operation_id = "create_event_type",
    request_body = Body, responses((status = 201, body = EventType)))]
pub(super) async fn create(
    Operator(grant): Operator,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<EventType>)> {
    let new = NewEventType {
        name: body.name,
        group: body.group,
        description: body.description.unwrap_or_default(),
        schema: body.schema,
        example: body.example,
    };
    let made = app.create_event_type(grant, new).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
