//! `POST /v1/api-keys/{id}/revoke`

use axum::Json;
use axum::extract::State;
use http::request::Parts;
use keybell_app::App;
use keybell_core::Code;
use keybell_core::key::KeyStatus;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;
use crate::extract::{PathId, origin, presented_in};
use crate::problem::Answer;

/// A key that was revoked by whoever held it, who may have no right to know more of it.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedKey {
    /// The public identifier.
    #[schema(example = "kb_live_7Hq2mZxK9TbW")]
    id: String,
    #[schema(example = "revoked")]
    status: &'static str,
    #[schema(required)]
    revoked_at: Option<At>,
}

/// Revoke the API key that you hold
///
/// With the key itself as the credential, whatever its scopes, and even where it is disabled, expired or used from the
/// wrong place: whoever finds a lost key can end it. For ever, and from this answer on; again changes nothing. An operator
/// key revokes any.
#[utoipa::path(post, path = "/v1/api-keys/{id}/revoke", tag = "API keys", operation_id = "revoke_own_api_key",
    responses((status = 200, body = RevokedKey)))]
pub(super) async fn revoke_own(
    State(app): State<App>,
    PathId(id): PathId<String>,
    parts: Parts,
) -> Answer<Json<RevokedKey>> {
    let secret_key = presented_in(&parts.headers)?.ok_or(Code::MissingCredential)?;
    let key = app.revoke_presented(secret_key.as_str(), &id, &origin(&parts, &app)).await?;
    Ok(Json(RevokedKey {
        id: key.public_identifier(app.brand()).to_string(),
        status: KeyStatus::Revoked.as_str(),
        revoked_at: key.revoked_at.map(At::from),
    }))
}
