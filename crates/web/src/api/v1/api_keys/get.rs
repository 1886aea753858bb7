//! `GET /v1/workspaces/{workspace}/api-keys/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ReadKeys;

use super::named;
use super::shapes::ApiKey;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Read an API key
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/api-keys/{id}", tag = "API keys", operation_id = "get_api_key",
    responses((status = 200, body = ApiKey)))]
pub(super) async fn get(
    Granted(grant): Granted<ReadKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
) -> Answer<Json<ApiKey>> {
    let key = app.key(grant, named(&app, &id)?).await?;
    Ok(Json(ApiKey::shown(key, &app)))
}
