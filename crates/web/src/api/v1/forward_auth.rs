//! `/v1/forward-auth`: the answer that a gateway asks for before it lets a request through.
//!
//! The gateway sends the client's headers, and in the query, which is the gateway's own configuration, what the key must
//! be good for. It needs no credential of its own: it learns about a key what the key's holder may know.

use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::request::Parts;
use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::forward_auth::answer;
use crate::request_id::RequestId;

/// Every method: gateways ask with that of the client's request, or with `GET`.
pub(super) fn router() -> OpenApiRouter<App> {
    let (schemas, paths, _get_alone) = routes!(forward_auth);
    OpenApiRouter::new().routes((schemas, paths, any(forward_auth)))
}

/// Check a key for a gateway
///
/// For nginx `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth` and Envoy `ext_authz`, with any method. The key
/// is read from the client's `Authorization` or `X-API-Key`, and counted by its rate limits: those named `reads` and
/// `writes` by the method of the client's request, which is read from the query, from `X-Forwarded-Method` of a trusted
/// proxy, or is that of this request. `HEAD` and `OPTIONS` are never counted.
#[utoipa::path(get, path = "/v1/forward-auth", tag = "Checking a key", operation_id = "forward_auth", security(()),
    params(
        ("scope" = Option<Vec<String>>, Query, description = "A scope that the key must have; repeatable."),
        ("environment" = Option<String>, Query, description = "`live` or `test`: the environment it must belong to."),
        ("method" = Option<String>, Query, description = "The method of the client's request. nginx needs to say it: it \
            asks with `GET`, and what it does not say is counted by every limit."),
        ("gateway" = Option<String>, Query, description = "`nginx` answers 403 for every refusal but 401, since nginx \
            makes a 500 of it otherwise; the true status is in `x-keybell-status`."),
    ),
    responses((status = 200, description = "The key may: who it is, for the application behind the gateway.", headers(
        ("x-keybell-key-id" = String, description = "The key's public identifier."),
        ("x-keybell-workspace-id" = String),
        ("x-keybell-workspace-external-id" = String, description = "Where the platform gave one."),
        ("x-keybell-environment" = String),
        ("x-keybell-scopes" = String, description = "Every scope of the key, separated by spaces."),
        ("RateLimit-Policy" = String, description = "Every limit that counts the request, where there is any."),
        ("RateLimit" = String, description = "What is left of each."),
        ("X-RateLimit-Limit" = String, description = "The limit of which least is left."),
        ("X-RateLimit-Remaining" = String, description = "What is left of it."),
        ("X-RateLimit-Reset" = String, description = "When all of it is free again, in Unix seconds."),
    ))))]
async fn forward_auth(State(app): State<App>, parts: Parts) -> Response {
    answer(&app, &parts, &RequestId::of_parts(&parts))
}
