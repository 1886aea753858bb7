//! `GET /v1/workspaces/{workspace}/events`

use axum::Json;
use axum::extract::State;
use keybell_app::events::{EventFilter, EventSummary};
use keybell_app::{App, Page};
use keybell_core::grant::ReadDeliveries;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::v1::shapes::{At, List};
use crate::extract::{Granted, QueryParams};
use crate::problem::Answer;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Only of this type.
    r#type: Option<String>,
    /// Only accepted at this instant or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Only accepted before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
    /// How many entries, 1 to 250.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, as it came.
    cursor: Option<String>,
}

/// Something that happened in a workspace.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    /// The publisher's own id where it gave one.
    #[schema(example = "evt_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    #[schema(example = "research_report.published")]
    r#type: String,
    occurred_at: At,
    /// When it was accepted.
    created_at: At,
    /// To how many webhooks it went.
    deliveries: u32,
}

impl From<EventSummary> for Event {
    fn from(event: EventSummary) -> Self {
        Event {
            id: event.id.to_string(),
            r#type: event.event_type,
            occurred_at: event.occurred_at.into(),
            created_at: event.created_at.into(),
            deliveries: event.deliveries,
        }
    }
}

/// List events
///
/// Newest first, without their data.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/events", tag = "Events", operation_id = "list_events",
    params(EventQuery), responses((status = 200, body = List<Event>)))]
pub(super) async fn list(
    Granted(grant): Granted<ReadDeliveries>,
    State(app): State<App>,
    QueryParams(query): QueryParams<EventQuery>,
) -> Answer<Json<List<Event>>> {
    let EventQuery { r#type: event_type, from, to, limit, cursor } = query;
    let filter = EventFilter { event_type, from: from.map(|at| at.0), until: to.map(|at| at.0) };
    let listing = app.list_events(grant, filter, Page::new(limit, cursor)?).await?;
    Ok(Json(List::of(listing, Event::from)))
}
