//! The HTTP API and its OpenAPI document.

mod openapi;
pub mod v1;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header;
use keybell_app::App;

/// The routes of every version with `/openapi.json` made from them, and that document.
pub(crate) fn router(app: &App) -> (Router<App>, Bytes) {
    let (routes, document) = v1::router(app).split_for_parts();
    let document = Bytes::from(openapi::finished(document).to_string());
    let served = document.clone();
    let serve = move || {
        let document = served.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    };
    (routes.route("/openapi.json", get(serve)), document)
}
