//! `/v1/portfolios`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::{Caller, List};
use crate::book::Refused;
use crate::platform::Platform;
use crate::things::{Holding, ValuedPortfolio};

/// What is to change in a portfolio.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortfolioPatch {
    /// Everything that is to be in it.
    holdings: Vec<Holding>,
}

/// `GET /v1/portfolios`: the workspace's portfolios with their valuation.
pub(super) async fn list(State(platform): State<Platform>, caller: Caller) -> Json<List<ValuedPortfolio>> {
    Json(List { data: platform.book().portfolios(&caller.workspace) })
}

/// `GET /v1/portfolios/{id}`.
pub(super) async fn one(
    State(platform): State<Platform>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ValuedPortfolio>, Refused> {
    platform.book().portfolio(&caller.workspace, &id).map(Json)
}

/// `PATCH /v1/portfolios/{id}`: publishes `portfolio.rebalanced`.
pub(super) async fn rebalance(
    State(platform): State<Platform>,
    caller: Caller,
    Path(id): Path<String>,
    Json(patch): Json<PortfolioPatch>,
) -> Result<Json<ValuedPortfolio>, Refused> {
    platform.change(|book, now| book.rebalance(&caller.workspace, &id, patch.holdings, now)).map(Json)
}
