//! `GET /v1/workspaces/{workspace}/webhooks`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ReadWebhooks;

use super::shape::Webhook;
use crate::api::v1::shapes::List;
use crate::extract::{Granted, PageQuery, QueryParams};
use crate::problem::Answer;

/// List webhooks
///
/// Newest first.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/webhooks", tag = "Webhooks", operation_id = "list_webhooks",
    params(PageQuery), responses((status = 200, body = List<Webhook>)))]
pub(super) async fn list(
    Granted(grant): Granted<ReadWebhooks>,
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<List<Webhook>>> {
    let listing = app.list_webhooks(grant, query.page()?).await?;
    Ok(Json(List::of(listing, Webhook::from)))
}
