//! `POST /v1/workspaces/{workspace}/api-keys/import`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::keys::ImportKey;
use keybell_core::Problem;
use keybell_core::grant::ManageKeys;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::create::NewApiKey;
use super::shapes::ApiKey;
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// Keys that another system gave out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyImport {
    #[schema(min_items = 1, max_items = 1_000)]
    api_keys: Vec<ImportedApiKey>,
}

/// A key that another system gave out.
#[derive(Deserialize, ToSchema)]
struct ImportedApiKey {
    /// The SHA-256 of the whole text that clients present, as 64 hexadecimal digits.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9A-Fa-f]{64}$")]
    sha256: String,
    #[serde(flatten)]
    key: NewApiKey,
    /// What is left over. Serde refuses no unknown members where a part is flattened.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: BTreeMap<String, Value>,
}

/// The keys as they are here, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportedKeys {
    data: Vec<ApiKey>,
}

/// Import API keys
///
/// Takes over keys that another system gave out, by the SHA-256 of their text: all of them or none, and only for
/// operators. Clients go on using the texts that they have. Each key gets an `id` of ours, and a rotation gives it a secret
/// of ours.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys/import", tag = "API keys",
    operation_id = "import_api_keys", request_body = KeyImport, responses((status = 201, body = ImportedKeys)))]
pub(super) async fn import(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    JsonBody(import): JsonBody<KeyImport>,
) -> Answer<(StatusCode, Json<ImportedKeys>)> {
    for (place, imported) in import.api_keys.iter().enumerate() {
        if let Some(name) = imported.unknown.keys().next() {
            return Err(
                Problem::field(format!("api_keys[{place}].{name}"), "unknown", "is not known here").into()
            );
        }
    }
    let wanted = import.api_keys.into_iter();
    let wanted = wanted.map(|imported| ImportKey { sha256: imported.sha256, new: imported.key.into() });
    let keys = app.import_keys(grant, wanted.collect()).await?;
    let data = keys.into_iter().map(|key| ApiKey::shown(key, &app)).collect();
    Ok((StatusCode::CREATED, Json(ImportedKeys { data })))
}
