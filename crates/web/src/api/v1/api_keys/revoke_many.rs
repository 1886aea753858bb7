//! `POST /v1/workspaces/{workspace}/api-keys/revoke`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::keys::RevokeFilter;
use keybell_core::grant::ManageKeys;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::StatusFilter;
use super::shapes::EnvironmentWord;
use crate::api::v1::shapes::At;
use crate::extract::{Granted, JsonBody};
use crate::problem::Answer;

/// Which keys are to be revoked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    filter: KeysToRevoke,
    /// Only say how many it would be.
    #[serde(default)]
    dry_run: bool,
}

/// Keys that fit all of it; something has to be named. Keys that are revoked already never fit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeysToRevoke {
    /// These.
    #[schema(max_items = 250, example = json!(["kb_live_7Hq2mZxK9TbW"]))]
    ids: Option<Vec<String>>,
    /// With this text in the name or the description.
    #[schema(max_length = 200)]
    q: Option<String>,
    status: Option<StatusFilter>,
    environment: Option<EnvironmentWord>,
    /// Made before this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_before: Option<At>,
    /// Not used since this instant, nor made since.
    #[schema(value_type = Option<String>, format = DateTime)]
    unused_since: Option<At>,
}

/// How many keys were revoked, or would be.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedKeys {
    api_keys: usize,
}

/// Revoke many API keys
///
/// All that fit the filter, for ever, and from this answer on. With `dry_run` nothing is revoked, and the answer says how
/// many it would be.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/api-keys/revoke", tag = "API keys",
    operation_id = "revoke_api_keys", request_body = Revocation, responses((status = 200, body = RevokedKeys)))]
pub(super) async fn revoke_many(
    Granted(grant): Granted<ManageKeys>,
    State(app): State<App>,
    JsonBody(Revocation { filter, dry_run }): JsonBody<Revocation>,
) -> Answer<Json<RevokedKeys>> {
    let filter = RevokeFilter {
        ids: filter.ids,
        status: filter.status.and_then(StatusFilter::status),
        environment: filter.environment.map(Into::into),
        search: filter.q,
        created_before: filter.created_before.map(|at| at.0),
        unused_since: filter.unused_since.map(|at| at.0),
    };
    let api_keys = if dry_run {
        app.count_revocable(grant, &filter).await?
    } else {
        app.revoke_keys(grant, &filter).await?
    };
    Ok(Json(RevokedKeys { api_keys }))
}
