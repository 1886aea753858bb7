//! `POST /v1/workspaces/{workspace}/webhooks/{id}/recover`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::v1::deliveries::ResentDeliveries;
use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody, PathId};
use crate::problem::Answer;

/// Which time a webhook missed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recovery)]
pub(super) struct Body {
    /// Deliveries made at this instant or later.
    #[schema(value_type = String, format = DateTime)]
    since: At,
    /// Deliveries made before this instant; now where it is left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
}

/// Resend what a webhook missed
///
/// Every delivery of that time that has failed, each once, oldest first. When it is answered the request is on disk; it is
/// done bit by bit, beside everything else. Refused while the webhook is disabled.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/webhooks/{id}/recover", tag = "Webhooks",
    operation_id = "recover_webhook", request_body = Body, responses((status = 202, body = ResentDeliveries)))]
pub(super) async fn recover(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    JsonBody(Body { since, until }): JsonBody<Body>,
) -> Answer<(StatusCode, Json<ResentDeliveries>)> {
    let deliveries = app.recover_webhook(grant, id, since.0, until.map(|at| at.0)).await?;
    Ok((StatusCode::ACCEPTED, Json(ResentDeliveries { deliveries })))
}
