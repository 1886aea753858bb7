//! `GET /v1/workspaces/{workspace}/deliveries`

use axum::Json;
use axum::extract::State;
use keybell_app::{App, Page};
use keybell_core::WebhookId;
use keybell_core::grant::ReadDeliveries;
use serde::Deserialize;
use utoipa::IntoParams;

use super::filter::Filter;
use super::shape::{Delivery, DeliveryStatus};
use crate::api::v1::shapes::{At, List};
use crate::extract::{Granted, QueryParams};
use crate::problem::Answer;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// Only to this webhook.
    #[param(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Only of this event.
    event_id: Option<String>,
    /// Only of events of this type.
    event_type: Option<String>,
    /// Only of this status.
    status: Option<DeliveryStatus>,
    /// Only where the last answer was `2xx`, `3xx`, `4xx`, `5xx`, or `none`.
    #[param(pattern = "^([2-5]xx|none)$")]
    response_class: Option<String>,
    /// Only made at this instant or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Only made before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
    /// How many entries, 1 to 250.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, as it came.
    cursor: Option<String>,
}

/// List deliveries
///
/// Newest first, without their attempts.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/deliveries", tag = "Deliveries", operation_id = "list_deliveries",
    params(DeliveryQuery), responses((status = 200, body = List<Delivery>)))]
pub(super) async fn list(
    Granted(grant): Granted<ReadDeliveries>,
    State(app): State<App>,
    QueryParams(query): QueryParams<DeliveryQuery>,
) -> Answer<Json<List<Delivery>>> {
    let DeliveryQuery { webhook_id, event_id, event_type, status, response_class, from, to, limit, cursor } =
        query;
    let filter = Filter { webhook_id, event_id, event_type, status, response_class, from, to };
    let listing = app.list_deliveries(grant, filter.read("")?, Page::new(limit, cursor)?).await?;
    Ok(Json(List::of(listing, Delivery::from)))
}
