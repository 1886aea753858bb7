//! `/v1/research-reports`.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;

use super::{Caller, List};
use crate::book::Refused;
use crate::platform::Platform;
use crate::things::{NewReport, Report, ReportPatch};

/// `GET /v1/research-reports`: the workspace's reports, newest first.
pub(super) async fn list(State(platform): State<Platform>, caller: Caller) -> Json<List<Report>> {
    Json(List { data: platform.book().reports(&caller.workspace) })
}

/// `GET /v1/research-reports/{id}`.
pub(super) async fn one(
    State(platform): State<Platform>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Report>, Refused> {
    platform.book().report(&caller.workspace, &id).map(Json)
}

/// `POST /v1/research-reports`: publishes `research_report.published`.
pub(super) async fn publish(
    State(platform): State<Platform>,
    caller: Caller,
    Json(new): Json<NewReport>,
) -> Result<(StatusCode, Json<Report>), Refused> {
    let report = platform.change(|book, now| book.publish_report(&caller.workspace, new, now))?;
    Ok((StatusCode::CREATED, Json(report)))
}

/// `PATCH /v1/research-reports/{id}`: publishes `research_report.updated`.
pub(super) async fn update(
    State(platform): State<Platform>,
    caller: Caller,
    Path(id): Path<String>,
    Json(patch): Json<ReportPatch>,
) -> Result<Json<Report>, Refused> {
    platform.change(|book, now| book.update_report(&caller.workspace, &id, patch, now)).map(Json)
}
