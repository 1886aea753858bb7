//! `GET /v1/workspaces/{workspace}/api-keys`

use axum::Json;
use axum::extract::State;
use keybell_app::keys::{KeyFilter, KeySort};
use keybell_app::{App, Page};
use keybell_core::grant::ReadKeys;
use keybell_core::key::KeyStatus;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::shapes::{ApiKey, EnvironmentWord};
use crate::api::v1::shapes::List;
use crate::extract::{Granted, QueryParams};
use crate::problem::Answer;

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ApiKeyStatusFilter)]
pub(super) enum StatusFilter {
    Active,
    Disabled,
    Expired,
    Revoked,
    #[default]
    All,
}

impl StatusFilter {
    /// The state that it stands for; `None` for all.
    pub(super) fn status(self) -> Option<KeyStatus> {
        match self {
            StatusFilter::Active => Some(KeyStatus::Active),
            StatusFilter::Disabled => Some(KeyStatus::Disabled),
            StatusFilter::Expired => Some(KeyStatus::Expired),
            StatusFilter::Revoked => Some(KeyStatus::Revoked),
            StatusFilter::All => None,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyQuery {
    /// Only keys in this state; all where it is left out.
    #[serde(default)]
    #[param(inline, required = false)]
    status: StatusFilter,
    /// Only keys of this environment.
    #[param(inline)]
    environment: Option<EnvironmentWord>,
    /// Only keys with this text in the name or the description, or with this public identifier.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many entries, 1 to 250.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, as it came.
    cursor: Option<String>,
}

/// List API keys
///
/// Newest first, without secrets.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/api-keys", tag = "API keys", operation_id = "list_api_keys",
    params(KeyQuery), responses((status = 200, body = List<ApiKey>)))]
pub(super) async fn list(
    Granted(grant): Granted<ReadKeys>,
    State(app): State<App>,
    QueryParams(query): QueryParams<KeyQuery>,
) -> Answer<Json<List<ApiKey>>> {
    let status = query.status.status();
    let filter = KeyFilter {
        status,
        environment: query.environment.map(Into::into),
        search: query.q,
        sort: KeySort::Newest,
    };
    let listing = app.list_keys(grant, filter, Page::new(query.limit, query.cursor)?).await?;
    Ok(Json(List::of(listing, |key| ApiKey::shown(key, &app))))
}
