//! The platform's own API: what its customers' keys open.
//!
//! Every route has a gate in front, which lets a request through if its key is good and has the route's scope. What a
//! handler then sees of the key is the workspace that it belongs to.

mod portfolios;
mod reports;

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use http::request::Parts;
use http::{StatusCode, header};
use keybell_gate::{KeyAuthLayer, Needs, RemoteVerifier, Verified, require};
use serde::Serialize;
use serde_json::json;

use crate::book::Refused;
use crate::platform::Platform;

/// The API, guarded by what `verifier` says. Serve it with connect info, which tells the gate where a request comes from.
pub fn router(platform: Platform, verifier: &RemoteVerifier) -> Router {
    let reading = Router::new()
        .route("/v1/research-reports", get(reports::list))
        .route("/v1/research-reports/{id}", get(reports::one))
        .layer(gate(verifier, "reports:read"));
    let writing = Router::new()
        .route("/v1/research-reports", post(reports::publish))
        .route("/v1/research-reports/{id}", patch(reports::update))
        .layer(gate(verifier, "reports:write"));
    let watching = Router::new()
        .route("/v1/portfolios", get(portfolios::list))
        .route("/v1/portfolios/{id}", get(portfolios::one))
        .layer(gate(verifier, "portfolios:read"));
    let managing = Router::new()
        .route("/v1/portfolios/{id}", patch(portfolios::rebalance))
        .layer(gate(verifier, "portfolios:write"));
    reading.merge(writing).merge(watching).merge(managing).with_state(platform)
}

/// A gate that lets keys through which have `scope`, from where they may be used.
fn gate(verifier: &RemoteVerifier, scope: &str) -> KeyAuthLayer<RemoteVerifier> {
    require(verifier.clone(), Needs::scope(scope)).source_by(source)
}

/// The client's address. Behind a proxy it would be `keybell_gate::client_address` that knows it.
fn source(request: &Parts) -> Option<IpAddr> {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| peer.ip())
}

/// A list, as the API answers it.
#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
}

/// Who calls: the platform's own name for the workspace that the key belongs to.
pub struct Caller {
    workspace: String,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let verified = parts.extensions.get::<Verified>();
        let workspace = verified.and_then(|verified| verified.workspace_external_id().map(str::to_owned));
        workspace.map(|workspace| Caller { workspace }).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Refused::NotFound => StatusCode::NOT_FOUND,
            Refused::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    }
}
