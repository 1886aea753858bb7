//! `POST /v1/workspaces/{workspace}/api-keys/{id}/revoke`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ManageKeys;

use super::named;
use super::shapes::ApiKey;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// Revoke an API key
///
/// For ever, and from this answer on. Again changes nothing.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys/{id}/revoke", tag = "API keys",
    operation_id = "revoke_api_key", responses((status = 200, body = ApiKey)))]
pub(super) async fn revoke(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
) -> Answer<Json<ApiKey>> {
    let key = app.revoke_key(grant, named(&app, &id)?).await?;
    Ok(Json(ApiKey::shown(key, &app)))
}
