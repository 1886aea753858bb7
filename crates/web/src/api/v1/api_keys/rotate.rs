//! `POST /v1/workspaces/{workspace}/api-keys/{id}/rotate`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::keys::OVERLAP_DEFAULT;
use keybell_core::grant::ManageKeys;
use serde::Deserialize;
use utoipa::ToSchema;

use super::named;
use super::shapes::ApiKeyWithSecret;
use crate::extract::{Granted, JsonBodyOrDefault, PathId};
use crate::problem::Answer;

/// How a key is rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// For how long the old secret stays good; a day where it is left out.
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    overlap_seconds: Option<u64>,
}

/// Rotate an API key
///
/// The answer has the new secret key, once. The old one is good until `previous_secret.expires_at`; one from a rotation
/// before that no longer is.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys/{id}/rotate", tag = "API keys",
    operation_id = "rotate_api_key", request_body(content = Option<Rotation>, description = "May be left out."),
    responses((status = 200, body = ApiKeyWithSecret)))]
pub(super) async fn rotate(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
    JsonBodyOrDefault(rotation): JsonBodyOrDefault<Rotation>,
) -> Answer<Json<ApiKeyWithSecret>> {
    let overlap = rotation.overlap_seconds.map_or(OVERLAP_DEFAULT, Duration::from_secs);
    let issued = app.rotate_key(grant, named(&app, &id)?, overlap).await?;
    Ok(Json(ApiKeyWithSecret::shown(issued, &app)))
}
