//! `GET /v1/workspaces/{workspace}/api-keys/{id}/usage`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::usage::{Step, UsageQuestion};
use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named;
use crate::api::v1::shapes::At;
use crate::extract::{Granted, PathId, QueryParams};
use crate::problem::Answer;

/// How much time a point is.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UsageStep)]
enum StepWord {
    Minute,
    #[default]
    Hour,
    Day,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// Of this time or later, from the beginning of its step; 24 steps before `to` where it is left out.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Before this time, to the end of its step; now where it is left out.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
    #[serde(default)]
    #[param(inline, required = false)]
    step: StepWord,
}

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
    operation_id = "get_api_key_usage", params(UsageQuery), responses((status = 200, body = KeyUsage)))]
pub(super) async fn usage(
    Granted(grant): Granted<ReadKeys>,
    State(app): State<App>,
    PathId(id): PathId<String>,
    QueryParams(query): QueryParams<UsageQuery>,
) -> Answer<Json<KeyUsage>> {
    let step = match query.step {
        StepWord::Minute => Step::Minute,
        StepWord::Hour => Step::Hour,
        StepWord::Day => Step::Day,
    };
    let question = UsageQuestion { from: query.from.map(|at| at.0), to: query.to.map(|at| at.0), step };
    let points = app.key_usage(grant, named(&app, &id)?, question).await?;
    let point = |(at, counts): (_, Counts)| {
        let mut outcomes: BTreeMap<_, _> =
            counts.iter().map(|(outcome, count)| (outcome.as_str(), count)).collect();
        outcomes.entry(Outcome::Valid.as_str()).or_insert(0);
        UsagePoint { at: At(at), outcomes }
    };
    Ok(Json(KeyUsage { data: points.into_iter().map(point).collect() }))
}
