//! `POST /v1/events/batch`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::events::NewEvent;
use keybell_core::grant::PublishEvents;
use keybell_core::{Grant, Problem};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;
use crate::extract::{Credential, JsonBody};
use crate::problem::Answer;

/// Most events of a batch: a transaction of that many rows is still over in milliseconds.
pub(super) const BATCH_EVENTS_MAX: usize = 1_000;

/// Events to be published together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventBatch)]
pub(super) struct Body {
    /// 1 to 1,000.
    #[schema(min_items = 1, max_items = 1_000)]
    events: Vec<BatchedEvent>,
}

/// One of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchedEvent {
    /// The workspace's id, the platform's own `external_id`, or `current`.
    workspace: String,
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

/// The events of a batch, in its order.
#[derive(Serialize, ToSchema)]
pub(super) struct PublishedBatch {
    data: Vec<PublishedOfBatch>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
pub(super) struct PublishedOfBatch {
    #[schema(example = "evt_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    /// To how many webhooks it goes.
    deliveries: u32,
}

/// Publish many events
///
/// All of them or none. When they are answered, they and their deliveries are on disk.
#[utoipa::path(post, path = "/v1/events/batch", tag = "Events", operation_id = "publish_events",
    request_body = Body, responses((status = 202, body = PublishedBatch)))]
pub(super) async fn publish_batch(
    credential: Credential,
    State(app): State<App>,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<PublishedBatch>)> {
    let granted = granted(&app, &credential, body.events)?;
    let published = app.publish_batch(granted).await?;
    let data = published
        .into_iter()
        .map(|event| PublishedOfBatch { id: event.id.to_string(), deliveries: event.deliveries });
    Ok((StatusCode::ACCEPTED, Json(PublishedBatch { data: data.collect() })))
}

/// The events with the evidence that each may be published; the permission is checked once per workspace.
fn granted(
    app: &App,
    Credential { actor, origin }: &Credential,
    events: Vec<BatchedEvent>,
) -> Result<Vec<(Grant<PublishEvents>, NewEvent)>, Problem> {
    if !(1..=BATCH_EVENTS_MAX).contains(&events.len()) {
        let message = format!("must have 1 to {BATCH_EVENTS_MAX} entries");
        return Err(Problem::field("events", "out_of_range", message));
    }
    let mut grants: HashMap<String, Grant<PublishEvents>> = HashMap::new();
    let mut granted = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        let grant = if let Some(grant) = grants.get(&event.workspace) {
            grant.clone()
        } else {
            let workspace = app.resolve_workspace(actor, &event.workspace);
            let grant = workspace.and_then(|workspace| Ok(actor.grant(workspace, origin)?));
            let grant = grant.map_err(|mut problem| {
                problem.detail = format!("events[{index}].workspace: {}", problem.detail);
                problem
            })?;
            grants.insert(event.workspace, Grant::clone(&grant));
            grant
        };
        let BatchedEvent { r#type: event_type, data, id, occurred_at, .. } = event;
        granted.push((grant, NewEvent { event_type, data, id, occurred_at: occurred_at.map(|at| at.0) }));
    }
    Ok(granted)
}
