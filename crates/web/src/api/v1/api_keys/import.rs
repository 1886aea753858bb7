//! `POST /v1/workspaces/{workspace}/api-keys/import`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keybell_app::App;
use keybell_app::keys::ImportKey;
use keybell_core::Problem;
use keybell_core::grant::ManageKeys;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::create::NewApiKey;
use super::shapes::ApiKey;
use crate::extract::{Granted, JsonBody, parse};
use crate::problem::Answer;

/// Keys that another system gave out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyImport {
    #[schema(min_items = 1, max_items = 1_000, value_type = Vec<ImportedApiKey>)]
    api_keys: Vec<Map<String, Value>>,
}

/// A key that another system gave out.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "for the document; serde cannot both flatten a part and refuse what it does not know"
)]
struct ImportedApiKey {
    /// The SHA-256 of the whole text that clients present, as 64 hexadecimal digits. The text has at most 256 bytes.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9A-Fa-f]{64}$")]
    sha256: String,
    #[schema(inline)]
    #[serde(flatten)]
    key: NewApiKey,
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
    let mut wanted = Vec::with_capacity(import.api_keys.len());
    for (place, entry) in import.api_keys.into_iter().enumerate() {
        wanted.push(read_entry(entry).map_err(|problem| within(problem, place))?);
    }
    let keys = app.import_keys(grant, wanted).await?;
    let data = keys.into_iter().map(|key| ApiKey::shown(key, &app)).collect();
    Ok((StatusCode::CREATED, Json(ImportedKeys { data })))
}

fn read_entry(mut entry: Map<String, Value>) -> Result<ImportKey, Problem> {
    let sha256 = match entry.remove("sha256") {
        Some(Value::String(digits)) => digits,
        Some(_) => return Err(Problem::field("sha256", "wrong_type", "must be a string")),
        None => return Err(Problem::field("sha256", "required", "is required")),
    };
    let new: NewApiKey = parse(Value::Object(entry).to_string().as_bytes())?;
    Ok(ImportKey { sha256, new: new.into() })
}

/// The problem with its fields named as parts of the entry at `place`.
fn within(mut problem: Problem, place: usize) -> Problem {
    for error in &mut problem.errors {
        error.field = format!("api_keys[{place}].{}", error.field);
    }
    problem
}
