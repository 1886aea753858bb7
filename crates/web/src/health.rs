//! Whether the process lives (`/healthz`), whether it can serve (`/readyz`), and its figures (`/metrics`).

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderName, header};
use keybell_app::App;
use serde::Serialize;

use crate::extract::Operator;
use crate::problem::Answer;
use crate::routes::{NEVER, Routes};

/// Renders the figures in Prometheus' text format. The binary, which installs the recorder, hands it in.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// `/metrics` alone and unguarded, for a listener of its own that only the operator can reach.
pub fn metrics_router(render: RenderMetrics) -> Router {
    Router::new().route("/metrics", get(move || async move { rendered(&render) }))
}

/// `/metrics` beside the API, for operator keys.
pub(crate) fn guarded_metrics_routes(app: App, render: RenderMetrics) -> Routes {
    Routes::for_credentials()
        .document("/metrics", move |_: Operator| async move { rendered(&render) })
        .around(|router| router.with_state(app))
}

fn rendered(render: &RenderMetrics) -> ([(HeaderName, &'static str); 2], String) {
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, NEVER)], render())
}

/// `/healthz` and `/readyz`. They are for whoever runs the installation, need no credential and tell nothing.
pub(crate) fn routes() -> Routes<App> {
    Routes::for_everybody().document("/healthz", lives).document("/readyz", ready)
}

/// How it is now: a cache's answer would be how it was.
type Now = ([(HeaderName, &'static str); 1], Json<Health>);

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

async fn lives() -> Now {
    ([(header::CACHE_CONTROL, NEVER)], Json(Health { status: "ok" }))
}

/// 503 where the store does not answer: a load balancer then sends requests elsewhere.
async fn ready(State(app): State<App>) -> Answer<Now> {
    app.check_ready().await?;
    Ok(lives().await)
}
