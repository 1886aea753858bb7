//! `GET /v1/workspaces/{workspace}/api-keys/{id}/usage`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::named;
use crate::api::v1::shapes::At;
use crate::api::v1::steps::StepsQuery;
use crate::extract::{Granted, PathId, QueryParams};
use crate::problem::Answer;

/// How a key was used, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyUsage {
    /// Every step of the time that was asked for, at most 1,500.
    data: Vec<UsagePoint>,
}

/// How a key was used in one step.
#[derive(Serialize, ToSchema)]
struct UsagePoint {
    /// When the step began.
    at: At,
    /// How often each outcome came: `valid`, and the codes of refusals that came at all.
    #[schema(example = json!({"valid": 214, "rate_limited": 3}))]
    outcomes: BTreeMap<&'static str, u64>,
}

/// Read how an API key was used
///
/// Counted where its secret was proved, by outcome. Days are those of UTC. Minutes are kept for 2 days, hours for 90, days
/// for three years, unless configured otherwise.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/api-keys/{id}/usage", tag = "API keys",
    operation_id = "get_api_key_usage", params(StepsQuery), responses((status = 200, body = KeyUsage)))]
pub(super) async fn usage(
    Granted(grant): Granted<ReadKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
    QueryParams(query): QueryParams<StepsQuery>,
) -> Answer<Json<KeyUsage>> {
    let points = app.key_usage(grant, named(&app, &id)?, query.question()).await?;
    let point = |(at, counts): (_, Counts)| {
        let mut outcomes: BTreeMap<_, _> =
            counts.iter().map(|(outcome, count)| (outcome.as_str(), count)).collect();
        outcomes.entry(Outcome::Valid.as_str()).or_insert(0);
        UsagePoint { at: At(at), outcomes }
    };
    Ok(Json(KeyUsage { data: points.into_iter().map(point).collect() }))
}
