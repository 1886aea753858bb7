//! `DELETE /v1/event-types/{name}`

use axum::extract::State;
use http::StatusCode;
use keybell_app::App;

use crate::extract::{Operator, PathId};
use crate::problem::Answer;

/// Archive an event type
///
/// No event of it can be published any more; webhooks that name it keep doing so.
#[utoipa::path(delete, path = "/v1/event-types/{name}", tag = "Event types", operation_id = "archive_event_type",
    responses((status = 204, description = "It is archived.")))]
pub(super) async fn archive(
    Operator(grant): Operator,
    State(app): State<App>,
    PathId(name): PathId<String>,
) -> Answer<StatusCode> {
    app.archive_event_type(grant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
