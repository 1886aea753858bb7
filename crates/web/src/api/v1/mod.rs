//! Version 1, a directory per resource and a file per verb: request, reply, doc, handler.

mod api_keys;
mod audit_log;
mod deliveries;
mod event_types;
mod events;
mod forward_auth;
mod scopes;
pub mod shapes;
mod steps;
mod verify;
mod webhooks;
mod workspaces;

use axum::middleware;
use http::{HeaderValue, header};
use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;

use crate::idempotency;
use crate::routes::NEVER;

/// Every route of version 1.
pub(super) fn router(app: &App) -> OpenApiRouter<App> {
    let repeatable = middleware::from_fn_with_state(app.clone(), idempotency::around);
    OpenApiRouter::new()
        .merge(resources().layer(repeatable.clone()))
        .merge(events::batch_router().layer(repeatable).layer(events::batch_limit()))
        .merge(decisions())
        .layer(middleware::map_response(private))
}

/// What lists, makes and changes things: each `POST` takes an `Idempotency-Key`.
fn resources() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(workspaces::router())
        .merge(event_types::router())
        .merge(scopes::router())
        .merge(api_keys::router())
        .merge(webhooks::router())
        .merge(events::router())
        .merge(deliveries::router())
        .merge(audit_log::router())
}

/// What decides about keys, and what only the key itself decides. It is never replayed from memory: the key may have been
/// revoked since.
fn decisions() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(verify::router()).merge(forward_auth::router()).merge(api_keys::own_router())
}

/// Whether `path` is one of [`decisions`], for the document.
pub(super) fn is_decision(path: &str) -> bool {
    path.starts_with("/v1/api-keys/") || path.starts_with("/v1/forward-auth")
}

/// Answers are for the credential that asked, and some hold a secret: no cache keeps any of them.
async fn private(mut response: axum::response::Response) -> axum::response::Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(NEVER));
    response
}
