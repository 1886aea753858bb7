//! `POST /v1/workspaces/{workspace}/api-keys/{id}/end-overlap`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ManageKeys;

use super::named;
use super::shapes::ApiKey;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// End the overlap of a rotation
///
/// The secret before the last rotation is no good from this answer on. Where there is no overlap, nothing changes.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys/{id}/end-overlap", tag = "API keys",
    operation_id = "end_api_key_overlap", responses((status = 200, body = ApiKey)))]
pub(super) async fn end_overlap(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
) -> Answer<Json<ApiKey>> {
    let key = app.end_overlap(grant, named(&app, &id)?).await?;
    Ok(Json(ApiKey::shown(key, &app)))
}
