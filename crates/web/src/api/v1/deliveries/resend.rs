//! `POST /v1/workspaces/{workspace}/deliveries/{id}/resend`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_core::DeliveryId;
use keybell_core::grant::ManageWebhooks;

use super::shape::Delivery;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Resend a delivery
///
/// One that came to an end, whatever its status, is pending again and due at once; its next attempt is `manual`. Attempts
/// go on counting: where that one fails, it is repeated as far as the schedule still has a wait for its number, and after
/// the last one the delivery has failed again. Refused where the event is no longer kept, and where the webhook is disabled
/// or deleted.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/deliveries/{id}/resend", tag = "Deliveries",
    operation_id = "resend_delivery", responses((status = 202, body = Delivery)))]
pub(super) async fn resend(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<DeliveryId>,
) -> Answer<(StatusCode, Json<Delivery>)> {
    let delivery = app.resend_delivery(grant, id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
