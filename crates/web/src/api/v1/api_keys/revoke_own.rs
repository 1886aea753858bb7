//! `POST /v1/api-keys/{id}/revoke`

use axum::Json;
use axum::extract::State;
use http::request::Parts;
use keybell_app::App;
use keybell_core::Code;

use super::shapes::ApiKey;
use crate::extract::{PathId, origin, presented_in};
use crate::problem::Answer;

/// Revoke the API key that you hold
///
/// With the key itself as the credential, whatever its scopes, and even where it is disabled, expired or used from the
/// wrong place: whoever finds a lost key can end it. For ever, and from this answer on; again changes nothing. An operator
/// key revokes any.
#[utoipa::path(post, path = "/v1/api-keys/{id}/revoke", tag = "API keys", operation_id = "revoke_own_api_key",
    responses((status = 200, body = ApiKey)))]
pub(super) async fn revoke_own(
    State(app): State<App>,
    PathId(id): PathId<String>,
    parts: Parts,
) -> Answer<Json<ApiKey>> {
    let secret_key = presented_in(&parts.headers)?.ok_or(Code::MissingCredential)?;
    let key = app.revoke_presented(secret_key.as_str(), &id, &origin(&parts, &app)).await?;
    Ok(Json(ApiKey::shown(key, &app)))
}
