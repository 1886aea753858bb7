//! The HTTP API and its OpenAPI document.

mod openapi;
pub mod v1;

use bytes::Bytes;
use http::header;
use keybell_app::App;

use crate::extract::session_cookie_name;
use crate::routes::{FOR_AN_HOUR, Routes};

/// The routes of every version with `/openapi.json` made from them, and that document.
pub(crate) fn routes(app: &App) -> (Routes<App>, Bytes) {
    let (router, document) = v1::router(app).split_for_parts();
    let described = openapi::finished(document, session_cookie_name(app));
    let document = Bytes::from(described.to_string());
    let served = document.clone();
    let serve = move || {
        let document = served.clone();
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, FOR_AN_HOUR)];
        async move { (headers, document) }
    };
    let described = Routes::for_credentials().api(&described, router);
    let itself = Routes::for_everybody().cached(FOR_AN_HOUR).document("/openapi.json", serve);
    (described.merge(itself), document)
}
