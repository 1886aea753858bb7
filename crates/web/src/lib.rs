//! Keybell over HTTP: the API and the pages.
//!
//! [`router`] makes the whole of it from an [`App`]. Nothing here decides what may be done or remembers anything: a handler
//! turns a request into a call of a use case, and what came of it into an answer. Every answer bears a request id, every
//! refusal is a problem of the catalogue, and no panic ends a connection without an answer.

mod answer_counts;
pub mod api;
pub mod body;
pub mod csrf;
mod envelope;
pub mod extract;
mod health;
pub mod idempotency;
pub mod problem;
mod problem_pages;
pub mod request_id;
mod secret_scanning;
pub mod ui;

use axum::Router;
use axum::middleware;
use keybell_app::App;
use keybell_core::Code;

pub use health::{RenderMetrics, metrics_router};
pub use problem::{Answer, Failed};
pub use request_id::RequestId;

/// Everything that Keybell answers, but `/metrics`: see [`metrics_router`] and [`router_with_metrics`].
pub fn router(app: App) -> Router {
    enveloped(&app.clone(), routes(app))
}

/// The same, with `/metrics` for operator keys, where it has no listener of its own.
pub fn router_with_metrics(app: App, render: RenderMetrics) -> Router {
    let metrics = health::guarded_metrics_router(app.clone(), render);
    enveloped(&app.clone(), routes(app).merge(metrics))
}

fn routes(app: App) -> Router {
    Router::new()
        .merge(api::router(&app))
        .merge(health::router())
        .merge(problem_pages::router())
        .merge(secret_scanning::router())
        .with_state(app.clone())
        .merge(ui::router(app))
}

fn enveloped(app: &App, routes: Router) -> Router {
    routes
        .fallback(async || Failed::from(Code::NotFound))
        .method_not_allowed_fallback(async || Failed::from(Code::MethodNotAllowed))
        .layer(middleware::from_fn_with_state(envelope::Envelope::new(app), envelope::around))
}
