//! `GET /v1/workspaces/{workspace}/deliveries/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::DeliveryId;
use keybell_core::grant::ReadPayloads;

use super::shape::DeliveryWithAttempts;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Read a delivery
///
/// With every attempt: what was sent, what came back, how long it took.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/deliveries/{id}", tag = "Deliveries",
    operation_id = "get_delivery", responses((status = 200, body = DeliveryWithAttempts)))]
pub(super) async fn get(
    Granted(grant): Granted<ReadPayloads>,
    State(app): State<App>,
    PathId(id): PathId<DeliveryId>,
) -> Answer<Json<DeliveryWithAttempts>> {
    Ok(Json(app.delivery(grant, id).await?.into()))
}
