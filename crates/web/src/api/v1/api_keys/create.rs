//! `POST /v1/workspaces/{workspace}/api-keys`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::keys::NewKey;
use keybell_core::grant::ManageKeys;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::shapes::{ApiKeyWithSecret, EnvironmentWord, RateLimit};
use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// What an API key shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub(super) struct NewApiKey {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 1_000)]
    description: String,
    #[serde(default)]
    environment: EnvironmentWord,
    /// Names of the catalogue's scopes, or of Keybell's own; at most 64.
    #[serde(default)]
    #[schema(max_items = 64)]
    scopes: Vec<String>,
    /// From when on it is no longer good; never where it is left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<At>,
    /// Addresses and networks from which it may be used, such as `203.0.113.0/24`; everywhere where there is none.
    #[serde(default)]
    #[schema(max_items = 64)]
    allowed_networks: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 8)]
    rate_limits: Vec<RateLimit>,
    /// What the platform wants to know when the key is verified; at most 4,096 bytes.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

impl From<NewApiKey> for NewKey {
    fn from(new: NewApiKey) -> NewKey {
        NewKey {
            name: new.name,
            description: new.description,
            environment: new.environment.into(),
            scopes: new.scopes,
            expires_at: new.expires_at.map(|at| at.0),
            allowed_networks: new.allowed_networks,
            rate_limits: new.rate_limits.into_iter().map(Into::into).collect(),
            metadata: new.metadata,
        }
    }
}

/// Create an API key
///
/// The answer has the secret key, once.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys", tag = "API keys", operation_id = "create_api_key",
    request_body = NewApiKey, responses((status = 201, body = ApiKeyWithSecret)))]
pub(super) async fn create(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    JsonBody(new): JsonBody<NewApiKey>,
) -> Answer<(StatusCode, Json<ApiKeyWithSecret>)> {
    let issued = app.create_key(grant, new.into()).await?;
    Ok((StatusCode::CREATED, Json(ApiKeyWithSecret::shown(issued, &app))))
}
