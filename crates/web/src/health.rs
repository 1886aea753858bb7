//! Whether the process lives (`/healthz`), whether it can serve (`/readyz`), and its figures (`/metrics`).

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::header;
use keybell_app::App;
use serde::Serialize;

use crate::extract::Operator;
use crate::problem::Answer;

/// Renders the figures in Prometheus' text format. The binary, which installs the recorder, hands it in.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// `/metrics` alone and unguarded, for a listener of its own that only the operator can reach.
pub fn metrics_router(render: RenderMetrics) -> Router {
    Router::new().route("/metrics", get(move || async move { rendered(&render) }))
}

/// `/metrics` beside the API, for operator keys.
pub(crate) fn guarded_metrics_router(app: App, render: RenderMetrics) -> Router {
    Router::new().route("/metrics", get(move |_: Operator| async move { rendered(&render) })).with_state(app)
}

fn rendered(render: &RenderMetrics) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render())
}

/// `/healthz` and `/readyz`. They are for whoever runs the installation, need no credential and tell nothing.
pub(crate) fn router() -> Router<App> {
    Router::new().route("/healthz", get(lives)).route("/readyz", get(ready))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

async fn lives() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// 503 where the store does not answer: a load balancer then sends requests elsewhere.
async fn ready(State(app): State<App>) -> Answer<Json<Health>> {
    app.check_ready().await?;
    Ok(Json(Health { status: "ok" }))
}
