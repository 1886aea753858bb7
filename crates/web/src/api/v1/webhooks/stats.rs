//! `GET /v1/workspaces/{workspace}/webhooks/{id}/stats`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_core::WebhookId;
use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::ReadWebhooks;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;
use crate::api::v1::steps::StepsQuery;
use crate::extract::{Granted, PathId, QueryParams};
use crate::problem::Answer;

/// How deliveries to a webhook went, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookStats {
    /// Every step of the time that was asked for, at most 1,500.
    data: Vec<StatsPoint>,
}

/// How the attempts that began in one step went.
#[derive(Serialize, ToSchema)]
struct StatsPoint {
    /// When the step began.
    at: At,
    /// Attempts that were answered with a 2xx.
    succeeded: u64,
    /// Attempts that were not, whether repeated or not.
    failed: u64,
    /// Null where there was no attempt.
    #[schema(required)]
    latency: Option<Latency>,
}

/// How long attempts took in all, failed ones included: within which time so many per cent of them were over. At most 6 % off.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the names that the API has")]
struct Latency {
    #[schema(example = 24.5)]
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
}

/// Read how deliveries to a webhook went
///
/// Attempts are counted, so that a delivery which fails twice and then succeeds is 2 failed and 1 succeeded; tests are not.
/// Written every ten seconds, which is what a crash can lose. Days are those of UTC. Minutes are kept for 2 days, hours for
/// 90, days for three years, unless configured otherwise.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/webhooks/{id}/stats", tag = "Webhooks",
    operation_id = "get_webhook_stats", params(StepsQuery), responses((status = 200, body = WebhookStats)))]
pub(super) async fn stats(
    Granted(grant): Granted<ReadWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    QueryParams(query): QueryParams<StepsQuery>,
) -> Answer<Json<WebhookStats>> {
    let points = app.webhook_stats(grant, id, query.question()).await?;
    let point = |(at, counts): (_, AttemptCounts)| StatsPoint {
        at: At(at),
        succeeded: counts.succeeded,
        failed: counts.failed,
        latency: latency(&counts),
    };
    Ok(Json(WebhookStats { data: points.into_iter().map(point).collect() }))
}

fn latency(counts: &AttemptCounts) -> Option<Latency> {
    let ms = |per_cent| counts.quantile_micros(per_cent).map(millis);
    Some(Latency { p50_ms: ms(50)?, p95_ms: ms(95)?, p99_ms: ms(99)? })
}

/// To a tenth of a millisecond.
fn millis(micros: u64) -> f64 {
    let tenths = u32::try_from((micros + 50) / 100).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}
