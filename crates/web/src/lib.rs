//! Keybell over HTTP: the API and the pages.
//!
//! [`site()`] makes the whole of it from an [`App`]. Nothing here decides what may be done or remembers anything: a handler
//! turns a request into a call of a use case, and what came of it into an answer. Every answer bears a request id, every
//! refusal is a problem of the catalogue, and no panic ends a connection without an answer.

mod answer_counts;
pub mod api;
pub mod body;
pub mod csrf;
mod envelope;
pub mod extract;
mod forward_auth;
mod health;
pub mod idempotency;
pub mod problem;
mod problem_pages;
pub mod request_id;
mod routes;
mod secret_scanning;
mod site;
pub mod ui;

use axum::Router;
use axum::middleware;
use keybell_app::App;
use keybell_core::Code;

pub use health::{RenderMetrics, metrics_router};
pub use problem::{Answer, Failed};
pub use request_id::RequestId;
pub use routes::{Route, Routes, Serves, To};
pub use site::Site;

/// Everything that Keybell answers, but `/metrics`: see [`metrics_router`] and [`site_with_metrics`].
pub fn site(app: App) -> Site {
    enveloped(&app.clone(), routes(app).into_router())
}

/// The same, with `/metrics` for operator keys, where it has no listener of its own.
pub fn site_with_metrics(app: App, render: RenderMetrics) -> Site {
    enveloped(&app.clone(), routes_with_metrics(app, render).into_router())
}

/// The routes of [`site()`].
pub fn routes(app: App) -> Routes {
    let (api, document) = api::routes(&app);
    Routes::for_everybody()
        .merge(api)
        .merge(health::routes())
        .merge(problem_pages::routes())
        .merge(secret_scanning::routes())
        .around(|router| router.with_state(app.clone()))
        .merge(ui::routes(app, document))
}

/// The routes of [`site_with_metrics`].
pub fn routes_with_metrics(app: App, render: RenderMetrics) -> Routes {
    routes(app.clone()).merge(health::guarded_metrics_routes(app, render))
}

fn enveloped(app: &App, routes: Router) -> Site {
    let envelope = envelope::Envelope::new(app);
    let routes = routes
        .fallback(async || Failed::from(Code::NotFound))
        .method_not_allowed_fallback(async || Failed::from(Code::MethodNotAllowed))
        .layer(middleware::from_fn_with_state(envelope.clone(), envelope::around));
    Site::new(app.clone(), envelope, routes)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use http_body_util::BodyExt;
    use keybell_testkit::app::TestApp;
    use tower::ServiceExt;

    use super::*;

    async fn explode() {
        panic!("password=hunter2");
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_the_request_id_and_nothing_of_its_text() {
        let app = TestApp::start().await.app;
        let routes = enveloped(&app, Router::new().route("/", get(explode)));
        let request = Request::get("/").header("x-request-id", "boom-1").body(Body::empty());
        let answer = routes.oneshot(request.expect("a request")).await.expect("a router never fails");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-request-id"]),
            (500, &"boom-1".parse().expect("a value"))
        );
        let body = answer.into_body().collect().await.expect("a body in memory").to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains("internal_error") && text.contains("boom-1") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
