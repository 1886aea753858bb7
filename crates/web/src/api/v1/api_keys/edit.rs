//! `PATCH /v1/workspaces/{workspace}/api-keys/{id}`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::keys::KeyPatch;
use keybell_core::grant::ManageKeys;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::named;
use super::shapes::{ApiKey, RateLimit};
use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody, Patch, PathId};
use crate::problem::Answer;

/// What shall be different: a JSON merge patch. A list is replaced whole; null takes a value away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1_000)]
    description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>, nullable = false)]
    enabled: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Patch<Vec<String>>,
    /// Null is never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<At>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_networks: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>)]
    rate_limits: Patch<Vec<RateLimit>>,
    /// Merged into what is there; null removes all of it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
}

/// Edit an API key
///
/// Everything but its secret and its environment. A revoked key cannot be edited.
#[utoipa::path(patch, path = "/v1/workspaces/{workspace}/api-keys/{id}", tag = "API keys", operation_id = "edit_api_key",
    request_body = ApiKeyPatch, responses((status = 200, body = ApiKey)))]
pub(super) async fn edit(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
    JsonBody(patch): JsonBody<ApiKeyPatch>,
) -> Answer<Json<ApiKey>> {
    let limits = patch.rate_limits.or_default();
    let patch = KeyPatch {
        name: patch.name.required("name")?,
        description: patch.description.or_default(),
        enabled: patch.enabled.required("enabled")?,
        scopes: patch.scopes.or_default(),
        expires_at: patch.expires_at.removable().map(|at| at.map(|at| at.0)),
        allowed_networks: patch.allowed_networks.or_default(),
        rate_limits: limits.map(|limits| limits.into_iter().map(Into::into).collect()),
        metadata: patch.metadata.removable(),
    };
    let key = app.edit_key(grant, named(&app, &id)?, patch).await?;
    Ok(Json(ApiKey::shown(key, &app)))
}
