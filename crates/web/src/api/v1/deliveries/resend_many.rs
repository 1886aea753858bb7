//! `POST /v1/workspaces/{workspace}/deliveries/resend`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::deliveries::Resending;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::Filter;
use super::shape::DeliveryStatus;
use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// Which deliveries are to be resent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resend {
    filter: DeliveriesToResend,
    /// Only say how many it would be.
    #[serde(default)]
    dry_run: bool,
}

/// Deliveries that fit all of it, as in the list; something has to be named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeliveriesToResend {
    /// To this webhook.
    #[schema(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Of this event.
    event_id: Option<String>,
    /// Of events of this type.
    event_type: Option<String>,
    /// Of this status, which cannot be `pending`; `failed` where it is left out.
    status: Option<DeliveryStatus>,
    /// Where the last answer was `2xx`, `3xx`, `4xx`, `5xx`, or `none`.
    #[schema(pattern = "^([2-5]xx|none)$")]
    response_class: Option<String>,
    /// Made at this instant or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Made before this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
}

/// How many deliveries it is, or would be.
#[derive(Serialize, ToSchema)]
pub(in crate::api::v1) struct ResentDeliveries {
    pub(in crate::api::v1) deliveries: u64,
}

/// Resend many deliveries
///
/// All that fit the filter now, each once, oldest first. When it is answered the request is on disk; it is done bit by bit,
/// beside everything else. With `dry_run` nothing is resent, and the answer says how many it would be. Left out are
/// deliveries whose event is no longer kept, and those whose webhook is disabled or deleted.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/deliveries/resend", tag = "Deliveries",
    operation_id = "resend_deliveries", request_body = Resend, responses(
        (status = 202, body = ResentDeliveries),
        (status = 200, body = ResentDeliveries, description = "It was a dry run."),
    ))]
pub(super) async fn resend_many(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    JsonBody(Resend { filter, dry_run }): JsonBody<Resend>,
) -> Answer<(StatusCode, Json<ResentDeliveries>)> {
    let DeliveriesToResend { webhook_id, event_id, event_type, status, response_class, from, to } = filter;
    let filter = Filter { webhook_id, event_id, event_type, status, response_class, from, to };
    let (resending, done) =
        if dry_run { (Resending::Count, StatusCode::OK) } else { (Resending::Do, StatusCode::ACCEPTED) };
    let deliveries = app.resend_deliveries(grant, filter.read("filter.")?, resending).await?;
    Ok((done, Json(ResentDeliveries { deliveries })))
}
