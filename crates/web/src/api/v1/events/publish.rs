//! `POST /v1/workspaces/{workspace}/events`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::events::NewEvent;
use keybell_core::grant::PublishEvents;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// Something that happened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEvent)]
pub(super) struct Body {
    /// A type of the catalogue.
    #[schema(example = "research_report.published")]
    r#type: String,
    /// Any JSON value: at most 256 KiB, nested at most 64 deep. It is delivered as its bytes came.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Your own id for it. The same id again is answered as the first time, and nothing is delivered twice.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,256}$")]
    id: Option<String>,
    /// When it happened; now, where it is left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<At>,
}

/// An event that is kept and on its way.
#[derive(Serialize, ToSchema)]
pub(super) struct PublishedEvent {
    #[schema(example = "evt_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    r#type: String,
    /// To how many webhooks it goes.
    deliveries: u32,
}

/// Publish an event
///
/// When it is answered, the event and its deliveries are on disk.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/events", tag = "Events", operation_id = "publish_event",
    request_body = Body, responses(
        (status = 202, body = PublishedEvent),
        (status = 200, body = PublishedEvent, description = "The id was published before: the first answer again."),
    ))]
pub(super) async fn publish(
    Granted(grant): Granted<PublishEvents>,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<PublishedEvent>)> {
    let Body { r#type: event_type, data, id, occurred_at } = body;
    let new = NewEvent { event_type, data, id, occurred_at: occurred_at.map(|at| at.0) };
    let mut published = app.publish(vec![(grant, new)]).await?;
    let published = published.pop().expect("one event is published as one");
    let status = if published.replayed { StatusCode::OK } else { StatusCode::ACCEPTED };
    let reply = PublishedEvent {
        id: published.id.to_string(),
        r#type: published.event_type,
        deliveries: published.deliveries,
    };
    Ok((status, Json(reply)))
}
